"""Nodes that share a pool, for tests/bench/simulation.py: what each asks of the engine, and when.

Which block a node tries is decided by the product's own code (decide/blocks.py). That a contact asks what it is said to ask
here, request by request, is held by tests/unit/test_simulation.py against ctl/cluster.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from cni_sriov.decide.blocks import BLIND, Draws
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.bench.cutting import Leases, configured
from tests.bench.events import FOREVER, TIMED_OUT, Ask, Costs, Latch, Loop, Process, Wait

DEADLINE_S = 5.0  # of a claim in line
REFILL_S = 30.0  # of one that no ADD waits for
CHILD_S = 0.25  # `sriovctl` from its start to its first request
QUIET_S = 10.0  # after one that failed
JITTER_S = 60.0  # of the first contact of a boot, where nothing has to be claimed
RETRY_S = (5.0, 15.0)  # a runtime, after an ADD that failed
PAGE = 1000  # names of a list that etcd is asked for at once
SHARE = 16  # of a block: how often an ADD counts what is left


class Plan(NamedTuple):
    """`pace`: seconds between two ADDs of a node; `spread`: over how many seconds the nodes start; `until`: where what does
    not come to an end is given up; `real`: subnets are chosen, too, where else they are counted.
    """

    nodes: int = 10_000
    interfaces: int = 1_000_000
    pool: str = "10.0.0.0/8"
    length: int = 29
    block: int = 24
    pace: float = 0.1
    spread: float = 0.0
    jitter: float = 0.0
    until: float = 900.0
    real: bool = False
    blind: int = BLIND
    costs: Costs = Costs()
    seed: int = 1

    @property
    def capacity(self) -> int:
        """Subnets of a block."""
        return 1 << self.length - self.block


class Node:
    __slots__ = (
        *("blocks", "contacted", "failed_at", "leased", "leases", "left"),
        *("name", "refill", "tried", "wanted"),
    )

    def __init__(self, name: int, leases: Leases | None) -> None:
        self.name = name
        self.leases = leases
        self.wanted = self.leased = self.left = 0
        self.blocks: list[Prefix] = []
        self.tried: list[Prefix] = []  # asked for, and nobody knows with which outcome
        self.refill: Latch | None = None
        self.failed_at = -FOREVER
        self.contacted = False


@dataclass
class Found:
    """What a run found; times in seconds of the simulated clock."""

    plan: Plan
    claims: int = 0
    conflicts: int = 0
    lists: int = 0
    filled_at: float = 0.0
    contacted_at: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # of ADDs that found nothing left
    failed: int = 0  # ADDs that ended with 11, and were tried again
    late: int = 0  # contacts that ran into their deadline
    refused: int = 0  # interfaces for which the pool had nothing
    leased: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    peak: int = 0
    busy: float = 0.0

    @property
    def rate(self) -> float:
        return sum(self.requests.values()) / self.filled_at if self.filled_at else 0.0


class Simulation:
    """One cluster. `owners` is the engine's: who has which block."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = Random(plan.seed)
        self.loop = Loop(self.chance, plan.costs)
        self.pool = parse_prefix(plan.pool)
        self.owners: dict[Prefix, int] = {}
        conf = configured(plan.pool, plan.length, plan.block)
        self.nodes = [Node(name, Leases(conf) if plan.real else None) for name in range(plan.nodes)]
        self.found = Found(plan)

    # a node ------------------------------------------------------------------------------------------------------

    def attach(self, node: Node) -> Process:
        """Its ADDs, one after the other."""
        yield self.chance.random() * self.plan.spread
        while node.leased < node.wanted:
            yield self.plan.pace * (0.5 + self.chance.random())
            if not node.left and not (yield from self.in_line(node)):
                if len(self.owners) == 1 << self.plan.block - self.pool.length:
                    self.found.refused += node.wanted - node.leased
                    return
                self.found.failed += 1
                yield self.chance.uniform(*RETRY_S)
                continue
            node.leased, node.left = node.leased + 1, node.left - 1
            self.found.leased += 1
            self.found.filled_at = self.loop.now
            self.look_ahead(node, node.leases.take(node.blocks) if node.leases else self.is_low(node))

    def is_low(self, node: Node) -> bool:
        """As decide/shared.py has it, where a node gives nothing back."""
        capacity = self.plan.capacity
        number = capacity - 1 - node.left % capacity  # of the subnet in its block
        is_milestone = capacity < SHARE or number % (capacity // SHARE) == 0
        return is_milestone and 4 * node.left < capacity

    def look_ahead(self, node: Node, low: bool) -> None:
        """After a choice: a refill, where too little is left."""
        if node.contacted and not low:
            return
        if node.refill is None and self.loop.now - node.failed_at >= QUIET_S:
            node.refill = Latch()
            self.loop.start(self.refill(node))

    def refill(self, node: Node) -> Process:
        latch, low = node.refill, 4 * node.left < self.plan.capacity
        yield CHILD_S + (0 if low else self.chance.random() * self.plan.jitter)
        yield from self.contact(node, self.loop.now + REFILL_S)
        node.refill = None
        assert latch
        self.loop.open(latch)

    def in_line(self, node: Node) -> Generator[Any, Any, bool]:
        """Whether the node has room now; an ADD waits for it."""
        began = self.loop.now
        deadline = began + DEADLINE_S
        yield CHILD_S
        while node.refill and not node.left:
            if (yield Wait(node.refill, deadline)) is TIMED_OUT:
                break
        if not node.left and not node.refill:
            node.refill = latch = Latch()
            yield from self.contact(node, deadline)
            node.refill = None
            self.loop.open(latch)
        self.found.waits.append(self.loop.now - began)
        return node.left > 0

    # a contact ---------------------------------------------------------------------------------------------------

    def contact(self, node: Node, deadline: float) -> Generator[Any, Any, None]:
        """As ctl/cluster/contact.py asks, request by request: tests/unit/test_simulation.py compares the two."""
        if (yield from self._contact(node, deadline)):
            self.found.contacted_at.append(self.loop.now)
            node.contacted = True
        else:
            self.found.late += 1
            node.failed_at = self.loop.now

    def _contact(self, node: Node, deadline: float) -> Generator[Any, Any, bool]:
        costs = self.plan.costs
        first = ("connect", costs.connect + costs.password), ("record", costs.read), ("record", costs.write)
        for kind, cost in (*first, ("pools", costs.read)):
            if (yield Ask(kind, cost, _nothing, deadline)) is TIMED_OUT:
                return False
        for block in list(node.tried):
            if (yield from self.ask_for(node, block, deadline)) is TIMED_OUT:
                return False
        if node.blocks:
            cost = costs.read + costs.per_name * len(node.blocks)
            if (yield Ask("compare", cost, _nothing, deadline)) is TIMED_OUT:
                return False
        if 4 * node.left >= self.plan.capacity:
            return True
        return (yield from self.claim(node, deadline))

    def claim(self, node: Node, deadline: float) -> Generator[Any, Any, bool]:
        own, draw = node.blocks, self.chance.randrange
        draws = Draws([self.pool], self.plan.block, own, draw, self.plan.blind)
        while True:
            if draws.wants_list:
                taken = yield from self.listed(deadline)
                if taken is TIMED_OUT:
                    return False
                draws.hear(taken)
            block = draws.next()
            if block is None:
                return True
            holder = yield from self.ask_for(node, block, deadline)
            if holder is TIMED_OUT:
                return False
            if holder == node.name:
                return True
            self.found.conflicts += 1
            draws.refused(block)

    def listed(self, deadline: float) -> Generator[Any, Any, Any]:
        """In pages, between which others are served."""
        self.found.lists += 1
        taken: frozenset[Prefix] = frozenset()
        for at in range(0, max(len(self.owners), 1), PAGE):
            names = min(PAGE, len(self.owners) - at)
            cost = self.plan.costs.read + self.plan.costs.per_name * names
            taken = yield Ask("list", cost, self.names, deadline)
            if taken is TIMED_OUT:
                break
        return taken

    def names(self) -> frozenset[Prefix]:
        return frozenset(self.owners)

    def ask_for(self, node: Node, block: Prefix, deadline: float) -> Generator[Any, Any, Any]:
        """Who has it now, or TIMED_OUT: then it is asked for again at the next contact. In vain costs as much."""
        if block not in node.tried:
            node.tried.append(block)
        cost = self.plan.costs.write
        holder = yield Ask("claim", cost, lambda: self.owners.setdefault(block, node.name), deadline)
        if holder is TIMED_OUT:
            return TIMED_OUT
        node.tried.remove(block)
        if holder == node.name:
            self.found.claims += 1
            node.blocks.append(block)
            node.left += self.plan.capacity
        return holder


def _nothing() -> None: ...
