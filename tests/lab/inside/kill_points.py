"""Runs in the guest: kill one verb at chosen points, let the next call put it right, look. In and out by JSON.

{"verb", "conf", "plugin", "container", "netns", "seed", "part" ([2, 5]: every fifth effect from the second on), or if that is
[] "effects" (how many) and "drivers" (how many of the writes that change a driver, beside these), "others"} on standard
input; {"points", "effects", "kills", "astray", "faults"} on standard output.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from glob import glob
from typing import Any

from tests import checker
from tests.killing import Point, effects, points, watch

LOG = "/run/strace"
TRIES = 3  # at one point: whoever waits for udev asks once more, or once less
DRIVERS = re.compile("/sys/bus/pci/")


class Bench:
    def __init__(self, asked: dict[str, Any]) -> None:
        self.asked = asked
        self.before = self.look()
        self.must("ADD", asked["netns"])  # the first one makes directories and indexes
        self.must("DEL", "")
        self.cursors = {path: read(path) for path in glob("/run/cni-sriov/subnets/*@*_*")}

    def look(self) -> checker.Facts:
        return checker.look([self.asked["netns"]])

    def call(self, verb: str, netns: str, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
        """(CNI code, what it said); code -9 = killed. GC is told that nothing is attached any more."""
        of_gc = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []} if verb == "GC" else {}
        who = {"CNI_CONTAINERID": self.asked["container"], "CNI_IFNAME": "net1", "CNI_NETNS": netns}
        done = subprocess.run(
            [*prefix, self.asked["plugin"]],
            input=json.dumps(self.asked["conf"] | of_gc),
            env={"PATH": os.environ["PATH"], "CNI_COMMAND": verb, "CNI_PATH": "/opt/cni/bin"} | who,
            capture_output=True,
            text=True,
        )
        code = (
            json.loads(done.stdout or '{"code": -1}').get("code", -1)
            if done.returncode > 0
            else done.returncode
        )
        return code, done.stdout + done.stderr

    def must(self, verb: str, netns: str, codes: tuple[int, ...] = (0,)) -> list[str]:
        code, said = self.call(verb, netns)
        return [] if code in codes else [f"{verb} answered {code}: {said}"]

    def rewind(self) -> None:
        """Next-fit begins where it began for every other point, so the calls are the same."""
        for path, text in self.cursors.items():
            with open(path, "w") as file:
                file.write(text)

    def trace(self, verb: str) -> list[Point]:
        code, said = self.call(verb, self.asked["netns"], watch(LOG))
        assert code == 0, said
        return points(read(LOG))

    def try_at(self, verb: str, point: Point, again: bool) -> tuple[bool, list[str]]:
        """Whether it died there, and what is wrong afterwards."""
        netns = self.asked["netns"]
        self.rewind()
        faults = [] if verb == "ADD" else self.must("ADD", netns)
        self.call(verb, netns, point.kill(LOG))
        hit = point.is_last_of(read(LOG))
        now = self.look()
        faults += checker.missing(self.before, now, {}) + checker.doubled(now)
        if verb == "GC" and again:
            faults += self.must("GC", "")
            now = self.look()
            faults += checker.missing(self.before, now, {}) + checker.stale(now, {})
        elif again:
            faults += self.must("ADD", netns, (0, 106))
        faults += self.must("DEL", "")
        now = self.look()
        if checker.unfinished(now):
            faults += self.must("ADD", netns) + self.must("DEL", "")
            now = self.look()
        faults += checker.missing(self.before, now, {}) + checker.doubled(now) + checker.unfinished(now)
        return hit, faults + checker.stale(now, {}) + checker.changed(self.before, now)


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def choose(found: list[Point], asked: dict[str, Any], chance: random.Random) -> tuple[list[int], int]:
    """Indexes of points: each chosen effect before and after, and some others."""
    of_effect = effects(found)
    if asked["part"]:
        first, of = asked["part"]
        chosen = of_effect[first - 1 :: of]
    else:
        of_driver = effects(found, DRIVERS)
        chosen = chance.sample(of_effect, asked["effects"])
        chosen += chance.sample(of_driver, min(asked["drivers"], len(of_driver)))
    wanted = {index + after for index in chosen for after in (0, 1) if index + after < len(found)}
    rest = [index for index in range(len(found)) if index not in wanted]
    return sorted(wanted | {*chance.sample(rest, asked["others"])}), len(of_effect)


def main() -> None:
    asked = json.load(sys.stdin)
    chance = random.Random(asked["seed"])
    bench = Bench(asked)
    verb = asked["verb"]
    bench.rewind()
    if verb != "ADD":
        bench.must("ADD", asked["netns"])
    found = bench.trace(verb)
    bench.must("DEL", "")
    chosen, of_effect = choose(found, asked, chance)
    astray, faults = [], []
    for index in chosen:
        for _ in range(TRIES):
            hit, wrong = bench.try_at(verb, found[index], chance.random() < 0.5)
            if hit or wrong:
                break
        astray += [] if hit else [str(found[index])]
        faults += ["\n    ".join([f"{verb} killed before {found[index]}", *wrong])] if wrong else []
        if len(faults) > 4:
            break
    counts = {"points": len(found), "effects": of_effect, "kills": len(chosen)}
    print(json.dumps(counts | {"astray": astray, "faults": faults}))


if __name__ == "__main__":
    main()
