"""Discrete events, and an engine in memory that takes as long as an etcd took: what tests/bench/simulation.py is made of.

A process is a generator. It yields seconds to sleep, a `Wait`, or an `Ask`; what it gets back is the answer, or TIMED_OUT.
Ties go by who came first, so that a seed makes a run the same each time.
"""

from __future__ import annotations

import heapq
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Generator
from random import Random
from typing import Any, NamedTuple

Process = Generator[Any, Any, Any]
TIMED_OUT = object()
FOREVER = float("inf")


class Costs(NamedTuple):
    """What a request costs the engine, in seconds during which it does nothing else; and what it takes alone, all told.

    Measured with Debian's etcd 3.4 on loopback, its data on a disk, on two cores that had other work: time is what it adds to
    others' when 16 and 64 connections ask at once; `connect` is TLS with a client's certificate. `alone` are quantiles of one
    connection's calls.
    """

    connect: float = 0.0013
    write: float = 0.0006
    read: float = 0.0005
    per_name: float = 0.000012  # of a list without values
    password: float = 0.0  # bcrypt: 0.06 at etcd's default cost of 10
    alone: tuple[tuple[float, float], ...] = (
        (0.0, 0.0009),
        (0.1, 0.0012),
        (0.5, 0.0015),
        (0.9, 0.0025),
        (0.99, 0.008),
        (1.0, 0.03),
    )


class Ask(NamedTuple):
    """A request: `kind` for the count, `cost` in seconds, `act` what it changes and answers, `deadline` by the clock."""

    kind: str
    cost: float
    act: Callable[[], Any]
    deadline: float


class Latch:
    """Opens once, for all that wait for it."""

    def __init__(self) -> None:
        self.is_open = False
        self.waiting: list[tuple[Process, Ticket]] = []


class Ticket:
    """Of two events that may go on with a process, the first one does."""

    def __init__(self) -> None:
        self.is_used = False


class Wait(NamedTuple):
    latch: Latch
    deadline: float


class Loop:
    """The clock and who comes next; `server` does one request after the other, as they come."""

    def __init__(self, chance: Random, costs: Costs) -> None:
        self.now = 0.0
        self.costs = costs
        self.asked: Counter[str] = Counter()
        self.per_second: Counter[int] = Counter()
        self.busy = 0.0
        self._chance = chance
        self._queue: list[tuple[float, int, Process, Any, Ticket | None]] = []
        self._number = 0
        self._free_at = 0.0

    def start(
        self, process: Process, at: float = 0.0, said: Any = None, ticket: Ticket | None = None
    ) -> None:
        self._number += 1
        heapq.heappush(self._queue, (max(at, self.now), self._number, process, said, ticket))

    def run(self, until: float = FOREVER) -> None:
        while self._queue and self.now < until:
            self.now, _, process, said, ticket = heapq.heappop(self._queue)
            if ticket:
                if ticket.is_used:
                    continue
                ticket.is_used = True
            try:
                wish = process.send(said)
            except StopIteration:
                continue
            if isinstance(wish, Ask):
                self._serve(process, wish)
            elif isinstance(wish, Wait):
                self._wait(process, wish)
            else:
                self.start(process, self.now + wish)

    def open(self, latch: Latch) -> None:
        latch.is_open = True
        for process, ticket in latch.waiting:
            self.start(process, ticket=ticket)

    def _wait(self, process: Process, wait: Wait) -> None:
        if wait.latch.is_open:
            self.start(process)
            return
        ticket = Ticket()
        wait.latch.waiting.append((process, ticket))
        self.start(process, wait.deadline, TIMED_OUT, ticket)

    def _serve(self, process: Process, ask: Ask) -> None:
        """What is asked is done in the order in which it comes, also where nobody waits for the answer any more."""
        begin = max(self.now, self._free_at)
        self._free_at = begin + ask.cost
        self.busy += ask.cost
        self.asked[ask.kind] += 1
        self.per_second[int(begin)] += 1
        answer = ask.act()
        at = self._free_at + max(0.0, self._alone() - ask.cost)
        if at > ask.deadline:
            self.start(process, ask.deadline, TIMED_OUT)
        else:
            self.start(process, at, answer)

    def _alone(self) -> float:
        """From the quantiles, straight between two of them."""
        share, known = self._chance.random(), self.costs.alone
        at = min(bisect(known, (share, FOREVER)), len(known) - 1)
        (low, a), (high, b) = known[at - 1], known[at]
        return a + (b - a) * (share - low) / (high - low)
