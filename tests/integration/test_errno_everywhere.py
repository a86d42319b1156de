"""Each system call of ADD, DEL, GC and reclaim fails once, with errors that say nothing of what is there: a machine
without memory, descriptors, buffers, a disk that cannot be read. The bundle itself, on veth ends (rig.py), next to the
kills of test_kill_everywhere.py and by the same points.

No living attachment loses anything, no DEL says that it is done when something is left, an ADD that failed leaves
nothing after the DEL that follows, and the answer is one JSON document with a code of the table. A seeded sample
(`ERRNO_SEED`), `make errno` all of them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import checker
from tests.integration.rig import Call
from tests.integration.test_kill_everywhere import (
    ADD,
    ANOTHER,
    DEL,
    OWNER,
    POD,
    SCENARIOS,
    Bench,
    Benches,
    Scenario,
    Step,
)
from tests.killing import Point

pytestmark = [pytest.mark.root, pytest.mark.bundle, pytest.mark.stress]

ERRNOS = ("ENOMEM", "EIO", "EMFILE", "EINTR", "ENOBUFS")
SAMPLE = 40  # of each scenario; three quarters of a minute in all
ALL = os.environ.get("ERRNO") == "all"
# the kernel closes a descriptor whatever it answers, and here the call is not done
NEVER_FAILS = {"close"}
KNOWN = {*range(1, 12), 50, 51, *range(100, 108)}


class Task(NamedTuple):
    scenario: Scenario
    point: Point
    error: str
    after: tuple[Step, ...]
    dies_at: Point | None

    def run(self, bench: Bench) -> tuple[bool, list[str]]:
        """Whether it failed at the point, and what is wrong then or when the next calls are through."""
        verb = self.scenario.killed.call.env["CNI_COMMAND"]
        faults = bench.prepare(self.scenario, self.dies_at)
        status, out = run(bench, self.scenario.killed.call, self.point.fail(self.error, bench.log))
        hit = self.point.has_failed_in(Path(bench.log).read_text())
        faults += self.judge(status, out)
        now = bench.look()
        attached = bench.live | ({OWNER: POD} if verb == "ADD" and status == 0 else {})
        faults += checker.missing(bench.before, now, attached) + checker.doubled(now)
        if status == 0 and verb != "ADD":
            faults += checker.stale(now, attached) + checker.changed(bench.before, now)
        for step in self.after:
            faults += bench.take(step)[1]
        now = bench.look()
        if checker.unfinished(now):
            faults += [fault for step in ANOTHER for fault in bench.take(step)[1]]
            now = bench.look()
        faults += (
            checker.missing(bench.before, now, bench.live) + checker.doubled(now) + checker.unfinished(now)
        )
        return hit, faults + checker.stale(now, bench.live) + checker.changed(bench.before, now)

    def judge(self, status: int, out: bytes) -> list[str]:
        """One document with a code, unless it could not be written, or the process could not leave the pod (exit 70)."""
        if status in {0, 70} or self.point.line.startswith("write(1, "):
            return []
        try:
            code = json.loads(out)["code"]
        except (ValueError, KeyError, TypeError):
            return [f"exit status {status} and {out[:300]!r}"]
        return [] if code in KNOWN else [f"code {code}: {out[:500]!r}"]

    def __str__(self) -> str:
        verbs = ", ".join(step.call.env["CNI_COMMAND"] for step in self.after)
        return f"{self.scenario.name} with {self.error} at {self.point}, then {verbs}"


def run(bench: Bench, call: Call, before: tuple[str, ...]) -> tuple[int, bytes]:
    process = bench.rig.start(call._replace(argv=(*before, *call.argv)))
    out = process.communicate()[0]
    return process.returncode, out


def plan(bench: Bench, scenario: Scenario, chance: random.Random) -> list[Task]:
    dies_at = None
    if scenario.dies:
        dies_at = next(p for p in reversed(bench.trace(scenario.dies)) if p.call == "setns")
        bench.take(Step(scenario.dies.call._replace(env=scenario.dies.call.env | {"CNI_COMMAND": "DEL"})))
    bench.prepare(scenario, dies_at)
    points = [point for point in bench.trace(scenario.killed) if point.call not in NEVER_FAILS]
    for step in scenario.after[0]:
        bench.take(step)
    chosen = [(point, error) for point in points for error in ERRNOS]
    if not ALL:
        chosen = chance.sample(chosen, min(SAMPLE, len(chosen)))
    print(f"{scenario.name}: {len(points)} calls, {len(chosen)} failures")
    return [Task(scenario, point, error, chance.choice(scenario.after), dies_at) for point, error in chosen]


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    benches = Benches(tmp_path_factory.mktemp("errno"))
    yield benches
    benches.close()


def test_a_call_that_fails_is_not_executed(tmp_path: Path) -> None:
    """What "fails" means in all of this."""
    log, made = tmp_path / "log", tmp_path / "made"
    point = Point("mkdir", 1, f'mkdir("{made}", 0777) = 0')

    done = subprocess.run([*point.fail("EIO", str(log)), "mkdir", made], capture_output=True)

    assert (done.returncode, made.exists(), point.has_failed_in(log.read_text())) == (1, False, True)


# podman's door runs the same verbs, and answers a teardown well whatever failed
CNI = [one for one in SCENARIOS if "CNI_COMMAND" in one.killed.call.env]


@pytest.mark.timeout(4 * 3600 if ALL else 600)
@pytest.mark.parametrize("scenario", CNI, ids=lambda scenario: scenario.name)
def test_failing_at_any_call_nothing_is_lost(benches: Benches, scenario: Scenario) -> None:
    seed = int(os.environ.get("ERRNO_SEED") or random.randrange(1 << 32))
    print(f"ERRNO_SEED={seed}")
    began = time.monotonic()
    tasks = plan(benches.get(0, scenario.fresh), scenario, random.Random(seed))
    astray, faults = benches.work_off(tasks, scenario.fresh)

    print(
        f"{len(tasks)} failures in {time.monotonic() - began:.0f} s, {len(astray)} not where they were meant"
    )
    assert not faults, "\n".join(faults)
    assert len(astray) <= max(1, len(tasks) // 10), "\n".join(astray)


# too few descriptors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("files", range(4, 14))
def test_with_few_descriptors_nothing_is_lost_and_no_vf_is_said_to_be_taken(
    benches: Benches, files: int
) -> None:
    """`prlimit --nofile=9` gave "no free VF", and 6 set a lease's file aside as damaged."""
    bench = benches.get(0, fresh=False)
    limit = ("prlimit", f"--nofile={files}:{files}")
    wrong: list[str] = []

    def take(step: Step, verb: str, **keys: Any) -> int:
        call = step.call._replace(env=step.call.env | {"CNI_COMMAND": verb} | keys)
        status, out = run(bench, call, limit)
        document = json.loads(out) if out else {}
        if status and (document.get("code") not in KNOWN or "no free VF" in document.get("msg", "")):
            wrong.append(f"{verb}: {status} {out!r}")
        return status

    take(ADD, "ADD")
    now = bench.look()
    wrong += checker.missing(bench.before, now, bench.live)
    attached = bench.take(ADD._replace(codes=(0, 106)))[1]
    for verb in ("CHECK", "GC", "STATUS"):
        take(ADD, verb)
    if take(DEL, "DEL") == 0:
        wrong += checker.stale(bench.look(), bench.live)
    wrong += attached + bench.take(DEL)[1]
    now = bench.look()
    wrong += checker.missing(bench.before, now, bench.live) + checker.stale(now, bench.live)

    assert wrong + checker.changed(bench.before, now) == []


@pytest.mark.parametrize("kilobytes", [15_400, 16_000, 20_000, 24_000, 40_000])
def test_without_memory_the_answer_is_json(benches: Benches, kilobytes: int) -> None:
    """Below 15.2 MB the kernel cannot even map the program. The conf wants more than the smaller ones leave."""
    bench = benches.get(0, fresh=False)
    document = json.loads(ADD.call.stdin) | {"x": "a" * 4_000_000}
    call = ADD.call._replace(stdin=json.dumps(document).encode())

    status, out = run(bench, call, ("prlimit", f"--as={kilobytes << 10}"))

    assert (status == 0) == (kilobytes == 40_000)
    assert status == 0 or json.loads(out)["code"] == 11, out
    assert bench.take(DEL)[1] == []
    now = bench.look()
    assert checker.missing(bench.before, now, bench.live) + checker.stale(now, bench.live) == []
