"""One process, or many at once: wall and CPU time, peak memory.

`one`, `burst` and `memory` are called in the rig's thread (rig.inside), one by one, so that a Ctrl-C waits for no more
than a call. The lab's guest runs this file by itself: it imports the stdlib only.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from tests.integration.rig import Call

TIMES = "CNI_SRIOV_TIMES"  # cni_sriov/doors/times.py
GAP_S = 0.06  # what a call left to the kernel (RCU callbacks) must not be paid by the next one


class BenchError(Exception):
    """A measured call did not do what it was meant to do, so its time says nothing."""


class Sample(NamedTuple):
    """Milliseconds; `cpu` is user and system time with that of reaped children, so a delegate's too.

    `sheet`, where the call was asked for its times: "spawned" and "reaped" in CLOCK_MONOTONIC ns, and its stderr.
    """

    wall: float
    cpu: float
    sheet: dict[str, Any] | None = None


class Step(NamedTuple):
    """One call of a task, and whether it is meant to succeed."""

    name: str
    call: Call
    succeeds: bool = True


class Burst(NamedTuple):
    """All calls of one step, started at once."""

    makespan: float
    p50: float
    p99: float
    cpu: float  # per call
    sheets: tuple[dict[str, Any], ...] = ()


Samples = dict[str, list[Sample]]
Bursts = dict[str, list[Burst]]
T = TypeVar("T", "Step", "Sequence[Step]")
M = TypeVar("M")


def rounds(
    count: int,
    tasks: Mapping[str, Sequence[T]],
    measured: Callable[[T], M],
    seed: int,
    gap_s: float = GAP_S,
) -> dict[str, list[M]]:
    """Each round runs every task once, in a new order; the answer is by "task/step", by round."""
    chance = random.Random(seed)
    found: dict[str, list[M]] = {
        f"{task}/{name_of(step)}": [] for task, steps in tasks.items() for step in steps
    }
    for _ in range(count):
        for task in chance.sample(list(tasks), len(tasks)):
            for step in tasks[task]:
                time.sleep(gap_s)
                found[f"{task}/{name_of(step)}"].append(measured(step))
    return found


def name_of(step: Step | Sequence[Step]) -> str:
    return step.name if isinstance(step, Step) else step[0].name


def one(step: Step) -> Sample:
    process = _Process(step)
    _, status, usage = os.wait4(process.pid, 0)
    return process.sample(time.monotonic_ns(), status, usage)


def burst(together: Sequence[Step]) -> Burst:
    start = time.monotonic_ns()
    running = {process.pid: process for process in map(_Process, together)}
    samples = []
    while running:
        pid, status, usage = os.wait4(-1, 0)
        samples.append(running.pop(pid).sample(time.monotonic_ns(), status, usage))
    makespan = (time.monotonic_ns() - start) / 1e6
    walls = sorted(sample.wall for sample in samples)
    cpu = sum(sample.cpu for sample in samples) / len(samples)
    sheets = tuple(sample.sheet for sample in samples if sample.sheet)
    return Burst(makespan, quantile(walls, 0.5), quantile(walls, 0.99), cpu, sheets)


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank: of 32 values the 99th percentile is the largest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def middle(samples: Sequence[Any], field: str) -> float:
    return float(median(getattr(sample, field) for sample in samples))


def ratios(mine: Sequence[Any], theirs: Sequence[Any], field: str) -> list[float]:
    """Round by round: what disturbs a round disturbs both."""
    return [
        getattr(a, field) / getattr(b, field) for a, b in zip(mine, theirs, strict=True) if getattr(b, field)
    ]


class _Process:
    """Started with its whole standard input waiting, so that no writer's time is in it."""

    def __init__(self, step: Step) -> None:
        self.step = step
        call = step.call
        stdin, feed = os.pipe()
        os.write(feed, call.stdin)  # fits a pipe
        os.close(feed)
        self._out, stdout = os.pipe()
        self._err, stderr = os.pipe()
        files = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, stdout, stderr))]
        self._start = time.monotonic_ns()
        self.pid = os.posix_spawn(call.argv[0], call.argv, call.env, file_actions=files)
        for fd in (stdin, stdout, stderr):
            os.close(fd)

    def sample(self, end: int, status: int, usage: Any) -> Sample:
        said, told = _read(self._out), _read(self._err)
        if (status == 0) != self.step.succeeds:
            raise BenchError(f"{self.step.name} by {self.step.call.argv[0]}: {said.strip()}")
        sheet = (
            {"spawned": self._start, "reaped": end, "stderr": told} if TIMES in self.step.call.env else None
        )
        return Sample((end - self._start) / 1e6, (usage.ru_utime + usage.ru_stime) * 1000, sheet)


def _read(fd: int) -> str:
    with os.fdopen(fd, "rb") as file:
        return file.read().decode(errors="replace")


# memory and files ----------------------------------------------------------------------------------------------------


class Memory(NamedTuple):
    """At the end of a call: peak RSS, and the files it has mapped."""

    peak_mb: float
    files: set[str]


def memory(call: Call) -> Memory:
    """Looked at while the call waits to write its answer: its standard output is a pipe that is full already.

    rusage cannot tell: a process's peak begins with that of the big one that forked it.
    """
    stdin, feed = os.pipe()
    os.write(feed, call.stdin)
    os.close(feed)
    out, stdout = os.pipe()
    os.set_blocking(stdout, False)
    try:
        while os.write(stdout, bytes(4096)):
            pass
    except BlockingIOError:
        os.set_blocking(stdout, True)
    files = [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, 1, 0),
    ]
    pid = os.posix_spawn(call.argv[0], call.argv, call.env, file_actions=files)
    os.close(stdin)
    os.close(stdout)
    time.sleep(0.5)  # it waits for us; how long does not matter
    try:
        return Memory(_peak_mb(pid), _mapped(pid))
    finally:
        with os.fdopen(out, "rb") as file:
            file.read()
        os.waitpid(pid, 0)


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    if not found:
        raise BenchError("a call ended before it wrote its answer, so its memory was not seen")
    return int(found[0]) / 1024


def _mapped(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6 and fields[5][0] == "/"}


def plain(value: Any) -> Any:
    """For --json: named tuples and dataclasses as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def write_json(path: str, document: dict[str, Any]) -> None:
    Path(path).write_text(json.dumps(plain(document), indent=1) + "\n")
