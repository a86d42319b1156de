"""Hundreds of calls at a time, a fifth of them killed: nobody shares a VF or a subnet, and in the end nothing is left.

Each attachment has a runtime of its own that calls ADD, CHECK and DEL in the order a runtime would, and kills some;
beside them GC runs again and again with all attachments that runtimes still want. `RACES_SEED` replays the choices,
though not the kernel's timing. Then two calls for one attachment at the same moment, which no runtime should make.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_interface
from subprocess import Popen, TimeoutExpired
from typing import Any

import pytest

from tests import checker
from tests.integration.rig import Call, Rig, answer_of, call, conf

pytestmark = [pytest.mark.root, pytest.mark.bundle, pytest.mark.stress]

VFS, RUNTIMES, CALLS = 24, 32, 16  # more containers than VFs: some ADDs find none free, and reclaim
POOLS = [
    {"subnet": "10.20.0.0/24", "prefixLength": 29},
    {"subnet": "fd00:20::/58", "prefixLength": 64, "gateway": "none"},
]
CONF = conf(ipam={"type": "host-subnet", "pools": POOLS}, mtu=1400)
AT_A_TIME = 12
KILLED = -9


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(vfs=VFS) as rig:
        for number in range(RUNTIMES):
            rig.add_pod(f"pod{number}")
        yield rig


class Taken:
    """Who was told that he has which subnets and VF; told by answers, judged here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_owner: dict[str, list[Any]] = {}
        self.faults: list[str] = []

    def take(self, owner: str, answer: dict[str, Any]) -> None:
        mine = [ip_interface(ip["address"]).network for ip in answer["ips"]] + [
            answer["interfaces"][0]["mac"]
        ]
        with self._lock:
            for other, theirs in self._by_owner.items():
                self.faults += [f"{owner} and {other} were both given {one}" for one in mine if one in theirs]
            self._by_owner[owner] = mine

    def give_back(self, owner: str) -> None:
        """Before DEL is called."""
        with self._lock:
            self._by_owner.pop(owner, None)


class Runtime:
    """One container's: it knows whether it attached, did not, or was cut off."""

    def __init__(self, rig: Rig, number: int, seed: int, taken: Taken) -> None:
        self.rig, self.taken = rig, taken
        self.container, self.netns = f"c{number}", f"/run/netns/pod{number}"
        self.chance = random.Random(seed * 1000 + number)
        self.state = "detached"
        self.result: dict[str, Any] = {}
        self.answers = Counter[str]()
        self.faults: list[str] = []

    def run(self) -> None:
        for _ in range(CALLS):
            self.act()

    def act(self) -> None:
        verb = {"detached": "ADD", "attached": self.chance.choice(["CHECK", "CHECK", "DEL", "ADD"])}.get(
            self.state, self.chance.choice(["DEL", "ADD"])
        )
        killed = self.chance.random() < 0.2
        if verb == "DEL":
            self.taken.give_back(self.container)
        code, answer = self.call(verb, self.chance.uniform(0.0, 0.25) if killed else None)
        self.answers[f"{verb} {code}"] += 1
        self.judge(verb, code, answer)

    def judge(self, verb: str, code: int, answer: dict[str, Any]) -> None:
        before = self.state
        if code == KILLED:
            self.state = "unknown" if verb != "CHECK" else before
        elif verb == "ADD" and code == 0:
            self.state, self.result = "attached", answer
            self.taken.take(self.container, answer)
        elif (verb, code) == ("DEL", 0) or ((verb, code) == ("ADD", 11) and before != "attached"):
            self.state = "detached"
        elif (verb, code) != ("CHECK", 0) and ((verb, code) != ("ADD", 106) or before == "detached"):
            self.faults.append(f"{self.container} {verb} when {before}: {answer}")

    def call(self, verb: str, kill_after: float | None = None) -> tuple[int, dict[str, Any]]:
        """The CNI code of the answer and the answer."""
        mine = CONF | ({"prevResult": self.result} if verb == "CHECK" else {})
        netns = self.chance.choice(["", self.netns]) if verb == "DEL" else self.netns
        process = self.rig.start(call(verb, self.container, netns, mine))
        if kill_after is not None:
            try:
                process.wait(kill_after)
            except TimeoutExpired:
                process.kill()
        status, answer = answer_of(process)
        if status < 0:
            return KILLED, {}
        return (answer or {}).get("code", -1) if status else 0, answer or {}


def collect(rig: Rig, stop: threading.Event, killing: random.Random) -> list[str]:
    """GC for a runtime that still wants everybody, so it may take nothing away, killed now and then."""
    wanted = [{"containerID": f"c{number}", "ifname": "net1"} for number in range(RUNTIMES)]
    keys = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": wanted}
    faults = []
    while not stop.wait(0.2):
        process = rig.start(call("GC", "gc", "", CONF | keys))
        if killing.random() < 0.3:
            stop.wait(killing.uniform(0, 0.1))
            process.kill()
        status, answer = answer_of(process)
        if status > 0:
            faults.append(f"GC: {answer}")
    return faults


def test_hundreds_of_calls_with_kills_leave_nothing(rig: Rig) -> None:
    seed = int(os.environ.get("RACES_SEED") or random.randrange(1 << 32))
    print(f"RACES_SEED={seed}")
    pods = [f"/run/netns/pod{number}" for number in range(RUNTIMES)]
    before = rig.inside(checker.look, pods)
    taken, stop, began = Taken(), threading.Event(), time.monotonic()
    runtimes = [Runtime(rig, number, seed, taken) for number in range(RUNTIMES)]

    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(AT_A_TIME) as pool:
        collected = beside.submit(collect, rig, stop, random.Random(seed))
        list(pool.map(Runtime.run, runtimes))
        stop.set()
    between = rig.inside(checker.look, pods)
    live = {f"{one.container}@net1": one.netns for one in runtimes if one.state == "attached"}
    last = [(one.container, one.call("DEL")) for one in runtimes]
    rig.answer(call("GC", "gc", "", CONF | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}))
    after = rig.inside(checker.look, pods)

    answers = sum((one.answers for one in runtimes), Counter[str]())
    print(f"{answers.total()} calls in {time.monotonic() - began:.0f} s: {dict(sorted(answers.items()))}")
    faults = [*collected.result(), *taken.faults, *(fault for one in runtimes for fault in one.faults)]
    assert not faults, "\n".join(faults)
    assert not (found := checker.missing(before, between, live) + checker.doubled(between)), "\n".join(found)
    assert [(who, code) for who, (code, _) in last if code] == []
    found = checker.missing(before, after, {}) + checker.doubled(after) + checker.stale(after, {})
    found += checker.unfinished(after) + checker.changed(before, after)
    assert not found, "\n".join(found)
    assert answers.total() == RUNTIMES * CALLS
    assert min(answers["ADD 0"], answers["DEL 0"], answers["CHECK 0"]) >= 10
    assert sum(count for what, count in answers.items() if what.endswith(str(KILLED))) >= 20


# two at the same moment for one attachment ---------------------------------------------------------------------------

OWNER, POD = "c0@net1", "/run/netns/pod0"
ROUNDS = 12
PAIRS: dict[tuple[str, str, bool], set[tuple[int, int]]] = {  # (verbs, attached before): answers that may be
    ("ADD", "ADD", False): {(0, 106), (106, 0)},
    ("ADD", "DEL", False): {(0, 0)},
    ("ADD", "DEL", True): {(106, 0), (0, 0)},
    ("DEL", "DEL", True): {(0, 0)},
    ("DEL", "GC", True): {(0, 0)},
    ("ADD", "GC", False): {(0, 0)},
    ("GC", "GC", True): {(0, 0)},
}


def of(verb: str) -> Call:
    """GC is told that nothing is attached any more, DEL has no netns any more."""
    if verb == "GC":
        return call("GC", "", "", CONF | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
    return call(verb, "c0", POD if verb == "ADD" else "", CONF)


@pytest.mark.parametrize(
    "pair", PAIRS, ids=lambda pair: f"{pair[0]} and {pair[1]}{' of an attached' * pair[2]}"
)
def test_two_calls_for_one_attachment_at_the_same_moment(pair: tuple[str, str, bool]) -> None:
    """One waits for the other, in whatever order: what `ip` and the files say is what one of both orders leaves."""
    seed = int(os.environ.get("RACES_SEED") or random.randrange(1 << 32))
    print(f"RACES_SEED={seed}")
    chance, (one, other, attached) = random.Random(seed), pair
    answers, at_once = Counter[tuple[int, int]](), 0
    with Rig(vfs=2) as rig:
        rig.add_pod("pod0")
        before = rig.inside(checker.look, [POD])
        takes = {verb: alone(rig, verb, attached) for verb in pair[:2]}
        for number in range(ROUNDS):
            if attached:
                assert rig.answer(of("ADD"))[0] == 0
            verbs = (one, other) if number % 2 else (other, one)
            first = rig.start(of(verbs[0]))
            time.sleep(chance.choice([0, chance.uniform(0, takes[verbs[0]] / 2)]))
            at_once += first.poll() is None
            second = rig.start(of(verbs[1]))
            told = code_of(first), code_of(second)
            codes = told if number % 2 else (told[1], told[0])
            answers[codes] += 1
            now = rig.inside(checker.look, [POD])
            is_attached = any(link["ifname"] == "net1" for link in now["pods"][POD])
            live = {OWNER: POD} if is_attached else {}
            found = checker.missing(before, now, live) + checker.doubled(now)
            found += checker.stale(now, live) + checker.unfinished(now)
            assert not found, f"round {number}, answers {codes}: " + "\n".join(found)
            assert codes in PAIRS[pair], f"round {number}"
            if other == "ADD":
                assert is_attached, f"round {number}, answers {codes}"
            elif one != "ADD" or codes[0]:
                assert not is_attached, f"round {number}, answers {codes}"
            assert rig.answer(of("DEL")) == (0, None)
            now = rig.inside(checker.look, [POD])
            found = checker.missing(before, now, {}) + checker.stale(now, {}) + checker.changed(before, now)
            assert not found, f"round {number}: " + "\n".join(found)
    print(f"{one} and {other}: {ROUNDS} pairs, {at_once} at once: {dict(answers)}")
    assert at_once >= ROUNDS // 2, f"the first had ended when the second began; alone they take {takes} s"


def alone(rig: Rig, verb: str, attached: bool) -> float:
    """Seconds: a second call that begins in the first half of that finds the first one at work."""
    if attached:
        assert rig.answer(of("ADD"))[0] == 0
    began = time.monotonic()
    rig.answer(of(verb))
    took = time.monotonic() - began
    assert rig.answer(of("DEL")) == (0, None)
    return took


def code_of(process: Popen[bytes]) -> int:
    """The CNI code of its answer, 0 for success."""
    status, answer = answer_of(process)
    return int((answer or {}).get("code", -1)) if status else 0
