"""The hands of tests/soak.py: each has containers of its own and does with them what its dice say, and judges each answer.

A container is attached, perhaps misbehaves, perhaps dies, and is detached. Calls are killed, or one of their calls to the
kernel fails. Who was let alone must be answered well; nothing is given to two; DEL's success leaves nothing behind.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.integration.rig import Rig, call, conf
from tests.mischief import (
    TAKEN_AWAY,
    Flapping,
    Pod,
    all_kinds,
    bring_home,
    commit,
    end,
    injection,
    killed_within,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VFS, HANDS, CONTAINERS = (
    16,
    4,
    5,
)  # containers of each hand: a few more than VFs, so that now and then none is free
KILLS, FAILURES, HOSTILE, FLAPS, DEATHS = 0.10, 0.03, 0.15, 0.02, 0.10
CONF = conf(mtu=1400, ipam={"type": "host-subnet", "pools": [{"subnet": "10.20.0.0/24", "prefixLength": 29}]})
KILLED = -9
FREE, ATTACHED, UNKNOWN, DEAD = "detached", "attached", "unknown", "dead"


class Told(NamedTuple):
    """A call's CNI code (0, or KILLED), its document, and whether it was let alone: neither killed nor made to fail."""

    code: int
    document: dict[str, Any]
    calm: bool


class Held:
    """Who holds what by the answers, judged here: nothing is given to two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_owner: dict[str, list[Any]] = {}
        self.faults: list[str] = []

    def take(self, owner: str, document: dict[str, Any]) -> None:
        mine = [ip_interface(ip["address"]).network for ip in document["ips"]]
        mine += [link["mac"] for link in document["interfaces"]]
        with self._lock:
            self.faults += [
                f"{owner} and {other} were both given {one}"
                for other, theirs in self._by_owner.items()
                for one in mine
                if one in theirs
            ]
            self._by_owner[owner] = mine

    def free(self, owner: str) -> None:
        """Before DEL is called, unless the VF cannot come home yet."""
        with self._lock:
            self._by_owner.pop(owner, None)


class Container:
    """One after another in one pod: the ID tells which, so that a forgotten one can be reclaimed."""

    def __init__(self, name: str) -> None:
        self.name, self.generation = name, 0
        self.state = FREE
        self.did = ""  # which mischief
        self.pod: Pod | None = None
        self.result: dict[str, Any] = {}
        self.story: list[str] = []

    @property
    def id(self) -> str:
        return f"{self.name}-{self.generation}"

    @property
    def netns(self) -> str:
        return f"/run/netns/{self.name}"


@dataclass
class Scene:
    """What all hands share. `host_netns`: a path to the rig's."""

    rig: Rig
    host_netns: str
    host_names: dict[str, str]  # MAC -> name
    held: Held = field(default_factory=Held)
    faults: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    mischief: Counter[str] = field(default_factory=Counter)
    containers: list[Container] = field(default_factory=list)

    @property
    def found(self) -> list[str]:
        return self.faults + self.held.faults


class Hand:
    """One worker, with containers of its own."""

    def __init__(self, scene: Scene, seed: int, number: int) -> None:
        self.scene = scene
        self.chance = random.Random(seed * 1000 + number)
        self.containers = [Container(f"p{number}-{n}") for n in range(CONTAINERS)]
        scene.containers += self.containers
        self._pairs = 0

    def take_count(self) -> int:
        pairs, self._pairs = self._pairs, 0
        return pairs

    def work(self, pairs: int, until: float) -> None:
        while self._pairs < pairs and time.monotonic() < until and not self.scene.found:
            one = self.chance.choice(self.containers)
            self.safely(self.step, one)

    def finish(self) -> None:
        """As a runtime that is told to remove all, in peace."""
        for one in self.containers:
            if one.state != FREE:
                self.safely(self.give_back, one, True)

    def safely(self, act: Callable[..., None], one: Container, *args: bool) -> None:
        try:
            act(one, *args)
        except Exception as problem:  # one container's trouble is told, and the others go on
            self.scene.faults.append(f"{one.id} {' / '.join(one.story)}: {type(problem).__name__}: {problem}")

    def step(self, one: Container) -> None:
        if one.state == FREE:
            self.attach(one)
        elif one.state == ATTACHED and not one.did and self.chance.random() < 0.2:
            self.judge(one, "CHECK", self.call("CHECK", one, calm=True), {0})
        elif one.state == ATTACHED and self.chance.random() < DEATHS:
            self.die(one)
        elif one.state == UNKNOWN and self.chance.random() < 0.3:
            self.attach(one)
        else:
            self.give_back(one)

    def attach(self, one: Container) -> None:
        flaps = self.chance.random() < FLAPS
        with Flapping(self.scene.rig, "pf0") if flaps else nullcontext():
            told = self.call("ADD", one)
        self.scene.mischief["address that flaps in the host"] += flaps
        self.judge(one, "ADD", told, {0, 11} if one.state == FREE else {0, 11, 106})
        if told.calm and told.code == 11:
            self.is_full(one, told)
            return
        one.state = UNKNOWN if told.code else ATTACHED
        if told.code == 0:
            self.scene.held.take(one.id, told.document)
            one.result = told.document
            one.pod = self.pod_of(one)
            if self.chance.random() < HOSTILE:
                self.misbehave(one)

    def is_full(self, one: Container, told: Told) -> None:
        """What holds a VF is what a runtime knows of; what it forgot must have been taken back."""
        known = sum(other.state != FREE for other in self.scene.containers)
        if known < VFS - HANDS:
            self.scene.faults.append(f"{one.id}: {known} of {VFS} VFs are held, and ADD says {told.document}")

    def misbehave(self, one: Container) -> None:
        what = self.chance.choice(all_kinds())
        assert one.pod is not None
        if commit(self.scene.rig, one.pod, what) or what in TAKEN_AWAY:
            one.did = what
            one.story.append(what)
            self.scene.mischief[what] += 1
            if what not in TAKEN_AWAY:
                told = self.call("CHECK", one, calm=True)
                self.judge(one, "CHECK", told, {0, 107})

    def pod_of(self, one: Container) -> Pod:
        """Its VF's name in the host by the MAC, which this conf leaves alone, and that of another VF."""
        host = self.scene.host_names[one.result["interfaces"][0]["mac"]]
        return Pod(one.name, host, self.chance.choice([f"vf{n}" for n in range(VFS) if f"vf{n}" != host]))

    def give_back(self, one: Container, calm: bool = False) -> None:
        self.scene.held.free(one.id)
        flaps = not calm and self.chance.random() < FLAPS
        with Flapping(self.scene.rig, "net1", one.name) if flaps else nullcontext():
            told = self.call("DEL", one, calm)
        self.scene.mischief["address that flaps in the pod"] += flaps
        self.judge(one, "DEL", told, {0})
        if told.code != 0:
            one.state = UNKNOWN if one.state == ATTACHED else one.state
            return
        self.left_by(one)
        if one.did:
            end(self.scene.rig, Pod(one.name, "", ""))
        one.state, one.did = FREE, ""
        self._pairs += 1

    def die(self, one: Container) -> None:
        """The VF comes home by itself, so whoever is in need may have it; the runtime may know, or forget it."""
        self.scene.held.free(one.id)
        self.end_pod(one)
        self.scene.mischief["died"] += 1
        one.story.append("died")
        one.state, one.did = DEAD, ""
        if self.chance.random() < 0.5:
            one.generation += 1
            one.state = FREE
            self._pairs += 1

    def end_pod(self, one: Container) -> None:
        assert one.pod is not None
        assert bring_home(self.scene.rig, one.pod, self.scene.host_netns), f"{one.pod} did not let its VF go"
        end(self.scene.rig, one.pod)

    # -- one call -----------------------------------------------------------------------------------------------------

    def call(self, verb: str, one: Container, calm: bool = False) -> Told:
        dice = 1.0 if calm else self.chance.random()
        kills, fails = dice < KILLS, KILLS <= dice < KILLS + FAILURES
        after = self.chance.uniform(0, 0.1) if kills else None
        netns = "" if verb == "DEL" and (one.state == DEAD or self.chance.random() < 0.3) else one.netns
        keys = {"prevResult": one.result} if verb == "CHECK" else {}
        asked = call(verb, one.id, netns, CONF | keys)
        if fails:
            asked = asked._replace(argv=(*injection(self.chance), *asked.argv))
        process = self.scene.rig.start(asked)
        out = killed_within(process, after)
        status = process.returncode
        document = json.loads(out) if out else {}
        code = document.get("code", -1) if status > 0 else KILLED if status else 0
        one.story.append(f"{verb} {'killed' if kills else ' '.join(asked.argv[-3:-1])} {code}")
        self.scene.answers[f"{verb} {code}{' (made to fail)' * fails}"] += 1
        # 70: it could not leave the pod's netns, where it must not speak for the host (kernel/netns.py)
        if code == -1 and status != 70 and "inject=write" not in str(asked.argv):
            self.scene.faults.append(f"{one.id} {verb} {asked.argv[:-1]}: it failed without a word")
        if code == 999 or "Traceback" in str(document):
            self.scene.faults.append(f"{one.id} {verb} {asked.argv[:-1]}: {document}")
        return Told(code, document, not (fails or code == KILLED))

    def judge(self, one: Container, verb: str, told: Told, good: set[int]) -> None:
        if told.calm and told.code not in good:
            self.scene.faults.append(
                f"{one.id} {one.state} {one.did}: {verb} answered {told.code}: {told.document}"
            )

    def left_by(self, one: Container) -> None:
        """DEL said that all is well: nothing tells of the attachment any more."""
        listed = self.scene.rig.leftovers()
        mine = [path for path in listed if f"/{one.id}@" in path]
        if mine:
            self.scene.faults.append(f"{one.id} {one.did}: DEL answered 0, and left {mine}")
