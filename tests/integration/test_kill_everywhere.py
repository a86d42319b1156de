"""SIGKILL at every file-system and netlink call of the bundle's verbs, then the next call, then an independent look.

The points are found by tracing the bundle itself (tests/killing.py), on veth ends that stand in for VFs (rig.py).
For ADD and DEL each point that changes something is tried with every next call; the others leave the world as the next
changing point finds it, so a choice of them and of next calls is enough. `KILL_SEED` replays it, `KILL_ALL` makes none.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import checker, podman
from tests.integration.rig import PF, Call, Rig, call, conf, plugin_call, vf_pci
from tests.killing import Point, points, watch

pytestmark = [pytest.mark.root, pytest.mark.bundle, pytest.mark.stress]

PODS = ["/run/netns/pod", "/run/netns/next", "/run/netns/other"]
POD, NEXT, OTHER = PODS
OWNER = "one@net1"
BYSTANDER = {"bystander@net1": OTHER}
POOLS = [
    {"subnet": "10.20.0.0/16", "prefixLength": 29},
    {"subnet": "fd00:20::/48", "prefixLength": 64, "gateway": "none"},
]
IPAM = {"type": "host-subnet", "pools": POOLS, "onlink": True, "routes": [{"dst": "10.99.0.0/16"}]}
INFO = {"CNIDeviceInfoFile": "/run/k8s.cni.cncf.io/devinfo/cni/rig-one_net1"}
FULL = conf(mtu=1400, ipam=IPAM)
TOLD = FULL | {"runtimeConfig": INFO}
STICKY = FULL | {"ipam": IPAM | {"sticky": True, "scope": "web"}}
FAILING = FULL | {"ipam": IPAM | {"routes": [{"dst": "10.98.0.0/16", "gw": "192.0.2.1"}]}}
WORKERS, ENOUGH = 2, 6  # rigs at a time; faults after which a scenario is given up
STATE = ("/run/cni-sriov", "/run/k8s.cni.cncf.io", "/var/lib/cni/sriov", "/var/lib/cni/host-subnet")


class Step(NamedTuple):
    """One CNI call, the exit code and CNI codes it may end with, and whether `one` is attached then (None: ask)."""

    call: Call
    codes: tuple[int, ...] = (0,)

    @property
    def verb(self) -> str:
        """As CNI calls it; podman 5 says it by an argument."""
        own = {"setup": "ADD", "teardown": "DEL"}
        return self.call.env.get("CNI_COMMAND") or own[self.call.argv[1]]

    def code_of(self, status: int, answer: Any) -> int:
        if status and "error" in answer:
            found = re.search(r"code (\d+)\]$", answer["error"])
            return int(found[1]) if found else -1
        return int(answer.get("code", -1)) if status else 0


ADD = Step(call("ADD", "one", POD, TOLD))
ADD_AGAIN = Step(ADD.call, (0, 106))  # 106: the dead one was through with its work
DEL = Step(call("DEL", "one", "", FULL))
SAME_SCOPE = FULL | {"ipam": IPAM | {"scope": "web"}}
ANOTHER = tuple(
    Step(call(verb, "another", NEXT, conf)) for conf in (FULL, SAME_SCOPE) for verb in ("ADD", "DEL")
)
ONLY_VF = FULL | {"deviceID": vf_pci(0)}
DEAD = Step(call("ADD", "dead", NEXT, ONLY_VF))
VALID = {"cni.dev/valid-attachments": [{"containerID": "bystander", "ifname": "net1"}]}
GC = Step(call("GC", "gc", "", FULL | VALID | {"cniVersion": "1.1.0"}))
POD_ARGS = {"CNI_ARGS": "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web"}


def with_args(step: Step) -> Step:
    return step._replace(call=step.call._replace(env=step.call.env | POD_ARGS))


def podmans(verb: str) -> Step:
    """Of the same network and attachment, by the door of podman 5."""
    options = {"master": PF, "mtu": "1400", "ipam.pools": json.dumps(POOLS), "ipam.onlink": "true"}
    options |= {"ipam.routes": json.dumps(IPAM["routes"])}
    network = podman.kept_network(podman.asked_network("rig", options))
    told = podman.exec_call(network, "one", "net1") | {"container_id": "one"}
    return Step(plugin_call(verb, told, POD))


SETUP, TEARDOWN = podmans("setup"), podmans("teardown")
ADD_STICKY = with_args(Step(call("ADD", "one", POD, STICKY)))
DEL_STICKY = with_args(Step(call("DEL", "one", "", STICKY)))


# What is among the points of a whole ADD and of what gives back: with one missing, the trace is cut off or blind, or the
# verb does not do its work. In the pod strace knows no names: 0x14 is RTM_NEWADDR, 0x18 RTM_NEWROUTE (rtnetlink.h).
HELD = (r"^flock\(", r"^setns\(", r"RTM_NEWLINK")
ATTACHES = (
    *HELD,
    r'^rename\(.*"/run/cni-sriov/claims/0',
    r'^rename\(.*"/var/lib/cni/sriov/one@net1"',
    r"^link\(.*/leases/10\.",
    r"^link\(.*/leases/fd00:",
    r"^send.*nlmsg_type=0x14",
    r"^send.*nlmsg_type=0x18",
    r"^write\(1, ",
)
GIVES_BACK = (
    *HELD,
    r"^unlink\(.*/leases/10\.",
    r"^unlink\(.*/leases/fd00:",
    r'^unlink\("/run/cni-sriov/claims/0',
    r'^unlink\("/var/lib/cni/sriov/',
    r'^unlink\("/run/cni-sriov/locks/',
)


class Scenario(NamedTuple):
    """`before` is done in peace, `killed` dies at each point, then each of `after` in turn puts it right."""

    name: str
    sees: tuple[str, ...]
    killed: Step
    after: tuple[tuple[Step, ...], ...]
    before: tuple[Step, ...] = ()
    fresh: bool = False  # the first call on the node: no directory is there yet
    dies: Step | None = None  # an ADD that was killed late, before
    whole: bool = False  # every `after` of the points that change something; else a seeded choice


SCENARIOS = [
    Scenario("ADD", ATTACHES, ADD, ((DEL,), (ADD_AGAIN, DEL)), whole=True),
    Scenario("DEL", GIVES_BACK, DEL, ((DEL,), (ADD_AGAIN, DEL)), (ADD,), whole=True),
    Scenario("GC", GIVES_BACK, GC, ((GC,), (DEL,), (ADD_AGAIN, DEL)), (ADD,)),
    Scenario("first ADD of the boot", (*ATTACHES, r"^mkdir\("), ADD, ((DEL,), (ADD_AGAIN, DEL)), fresh=True),
    Scenario(
        "ADD that fails and undoes itself",
        ATTACHES + GIVES_BACK,
        Step(call("ADD", "one", POD, FAILING), (5,)),
        ((DEL,), (ADD_AGAIN, DEL)),
    ),
    Scenario(
        "ADD that takes back a dead one's VF",
        ATTACHES + GIVES_BACK,
        Step(call("ADD", "one", POD, ONLY_VF)),
        (
            (DEL, Step(call("DEL", "dead", "", ONLY_VF))),
            (Step(call("ADD", "one", POD, ONLY_VF), (0, 106)), DEL, Step(call("DEL", "dead", "", FULL))),
        ),
        dies=DEAD,
    ),
    Scenario("teardown", GIVES_BACK, TEARDOWN, ((TEARDOWN,), (SETUP, TEARDOWN), (DEL,)), (SETUP,)),
    Scenario(
        "setup where it is attached already",
        ATTACHES + GIVES_BACK,
        SETUP,
        ((TEARDOWN,), (SETUP, TEARDOWN)),
        (SETUP,),
    ),
    Scenario(
        "ADD of a pod with sticky leases",
        ATTACHES,
        ADD_STICKY,
        ((DEL_STICKY,), (ADD_STICKY._replace(codes=(0, 106)), DEL_STICKY)),
        (ADD_STICKY, DEL_STICKY),
    ),
    Scenario(
        "DEL of a pod with sticky leases",
        (*HELD, r'^unlink\("/run/cni-sriov/claims/0'),
        DEL_STICKY,
        ((DEL_STICKY,),),
        (ADD_STICKY,),
    ),
]


class Bench:
    """A rig with three VFs, of which one is a bystander's, who must not notice anything."""

    def __init__(self, home: Path, fresh: bool) -> None:
        self.log = str(home / "strace")
        self.fresh = fresh
        self.said: list[str] = []  # by those that were not killed, the last ones
        self.rig = Rig(vfs=3).__enter__()
        for pod in PODS:
            self.rig.add_pod(pod.rpartition("/")[2])
        self.rig.run("ip", "link", "property", "add", "dev", "vf0", "altname", "first")
        self.before = self.look()
        self.live = {} if fresh else BYSTANDER
        if not fresh:
            self.rig.run("mkdir", "-p", str(Path(INFO["CNIDeviceInfoFile"]).parent))
            status, answer = self.rig.answer(call("ADD", "bystander", OTHER, FULL | {"deviceID": vf_pci(2)}))
            assert status == 0, answer
            for step in (
                ADD,
                DEL,
                *ANOTHER,
            ):  # what the node keeps of a VF and of a scope that it sees for the first time
                assert self.take(step) == (0, [])
        self.cursors = {} if fresh else self.rig.inside(read_cursors)

    def look(self) -> checker.Facts:
        return self.rig.inside(checker.look, PODS)

    def wipe(self) -> None:
        self.rig.run("rm", "-rf", *STATE)

    def prepare(self, scenario: Scenario, dies_at: Point | None) -> list[str]:
        """As it was for every other point: next-fit begins where it began, so the calls are the same."""
        if self.fresh:
            self.wipe()
        self.said.clear()
        self.rig.inside(write_cursors, self.cursors)
        if scenario.dies and dies_at:
            self.kill(scenario.dies, dies_at)
        return [fault for step in scenario.before for fault in self.take(step)[1]]

    def take(self, step: Step) -> tuple[int, list[str]]:
        """The CNI code of the answer, and what is wrong with it."""
        status, answer, log = self.rig.heard(step.call)
        self.said = (self.said + log.splitlines())[-20:]
        code = step.code_of(status, answer)
        return code, [] if code in step.codes else [f"{step.verb} answered {code}: {answer}"]

    def trace(self, step: Step) -> list[Point]:
        status, answer = self.rig.answer(step.call._replace(argv=(*watch(self.log), *step.call.argv)))
        assert step.code_of(status, answer) in step.codes, answer
        return points(Path(self.log).read_text())

    def kill(self, step: Step, point: Point) -> bool:
        """Whether it died where it was meant to."""
        process = self.rig.start(step.call._replace(argv=(*point.kill(self.log), *step.call.argv)))
        process.communicate()
        return point.is_last_of(Path(self.log).read_text())

    def close(self) -> None:
        self.rig.close()


class Task(NamedTuple):
    scenario: Scenario
    point: Point
    after: tuple[Step, ...]
    dies_at: Point | None

    def run(self, bench: Bench) -> tuple[bool, list[str]]:
        """Whether it died at the point, and what is wrong then or when the next calls are through."""
        faults = bench.prepare(self.scenario, self.dies_at)
        hit = bench.kill(self.scenario.killed, self.point)
        now = bench.look()
        faults += checker.missing(bench.before, now, bench.live) + checker.doubled(now)
        for step in self.after:
            code, wrong = bench.take(step)
            faults += wrong
            if step.verb == "ADD" and (code == 0 or self.scenario.killed.verb == "ADD"):
                now = bench.look()
                faults += checker.missing(bench.before, now, bench.live | {OWNER: POD}) + checker.doubled(now)
        now = bench.look()
        if checker.unfinished(now):
            faults += [fault for step in ANOTHER for fault in bench.take(step)[1]]
            now = bench.look()
        faults += (
            checker.missing(bench.before, now, bench.live) + checker.doubled(now) + checker.unfinished(now)
        )
        return hit, faults + checker.stale(now, bench.live) + checker.changed(bench.before, now)

    def __str__(self) -> str:
        verbs = ", ".join(step.verb for step in self.after)
        return f"{self.scenario.name} killed before {self.point}, then {verbs}"


def plan(bench: Bench, scenario: Scenario, chance: random.Random) -> tuple[list[Point], list[Task]]:
    """Its points, and what to do after each."""
    dies_at = None
    if scenario.dies:
        dies_at = next(p for p in reversed(bench.trace(scenario.dies)) if p.call == "setns")
        bench.take(Step(scenario.dies.call._replace(env=scenario.dies.call.env | {"CNI_COMMAND": "DEL"})))
    bench.prepare(scenario, dies_at)
    found = bench.trace(scenario.killed)
    for step in scenario.after[0]:
        bench.take(step)
    calm = [point for point in found if not point.changes]
    is_all = "KILL_ALL" in os.environ
    is_whole = scenario.whole or is_all
    if not is_all:
        calm = chance.sample(calm, 40 if is_whole else 10)
    tasks = []
    for point in found:
        if point.changes and is_whole:
            tasks += [Task(scenario, point, after, dies_at) for after in scenario.after]
        elif point.changes or point in calm:
            tasks.append(Task(scenario, point, chance.choice(scenario.after), dies_at))
    print(
        f"{scenario.name}: {len(found)} points, {sum(p.changes for p in found)} change something, {len(tasks)} kills"
    )
    return found, tasks


def read_cursors() -> dict[Path, bytes]:
    paths = Path("/run/cni-sriov/subnets").glob("*@*_*")
    return {path: path.read_bytes() for path in paths}


def write_cursors(cursors: dict[Path, bytes]) -> None:
    for path, content in cursors.items():
        path.write_bytes(content)


def bench_log(bench: Bench) -> str:
    """How the killed call ended."""
    return " ".join(Path(bench.log).read_text().splitlines()[-2:])[:200]


class Benches:
    """Two of each kind, made when they are wanted; one that a fault has dirtied is replaced."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._made: dict[tuple[int, bool], Bench] = {}

    def get(self, number: int, fresh: bool) -> Bench:
        if (number, fresh) not in self._made:
            home = self._home / f"{number}{fresh}"
            home.mkdir(exist_ok=True)
            self._made[number, fresh] = Bench(home, fresh)
        return self._made[number, fresh]

    def drop(self, number: int, fresh: bool) -> None:
        self._made.pop((number, fresh)).close()

    def work_off(self, tasks: Sequence[Any], fresh: bool) -> tuple[list[str], list[str]]:
        """Each task, on all rigs at a time: those that did not hit their point, and what is wrong."""
        astray: list[str] = []
        faults: list[str] = []

        def work(number: int) -> None:
            for task in tasks[number::WORKERS]:
                if len(faults) >= ENOUGH:
                    return
                hit, wrong = task.run(self.get(number, fresh))
                # the other rig had RTNL, and a restarted call came before it: not twice
                if not hit and not wrong:
                    hit, wrong = task.run(self.get(number, fresh))
                if not hit:
                    astray.append(f"{task}\n    {bench_log(self.get(number, fresh))}")
                if wrong:
                    faults.append("\n    ".join([str(task), *wrong, *self.get(number, fresh).said]))
                    self.drop(number, fresh)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))
        return astray, faults

    def close(self) -> None:
        for bench in self._made.values():
            bench.close()


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    benches = Benches(tmp_path_factory.mktemp("kill"))
    yield benches
    benches.close()


def test_the_call_at_which_a_process_is_killed_is_not_executed(tmp_path: Path) -> None:
    """What "before" means in all of this."""
    log, made = tmp_path / "log", tmp_path / "made"
    point = Point("mkdir", 1, f'mkdir("{made}", 0777) = 0')

    done = subprocess.run([*point.kill(str(log)), "mkdir", made])

    assert (done.returncode, made.exists(), point.is_last_of(log.read_text())) == (-9, False, True)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_at_any_call_nothing_is_lost(benches: Benches, scenario: Scenario) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(1 << 32))
    print(f"KILL_SEED={seed}")
    began = time.monotonic()
    found, tasks = plan(benches.get(0, scenario.fresh), scenario, random.Random(seed))
    astray, faults = benches.work_off(tasks, scenario.fresh)

    print(
        f"{len(tasks)} kills in {time.monotonic() - began:.0f} s, {len(astray)} not where they were meant to be"
    )
    assert not faults, "\n".join(faults)
    assert len(astray) <= len(tasks) // 50, "\n".join(astray)
    missed = [what for what in scenario.sees if not any(re.search(what, point.line) for point in found)]
    assert not missed, "the trace does not see it, or the plugin does not do it"
    assert sum(point.changes for point in found) < len(found) / 2, "the trace sees changes alone"
