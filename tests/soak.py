"""Churn: thousands of ADD/DEL pairs, some killed, some failing at a call, hostile pods among them; nothing may grow.

`make soak`, or `SOAK_PAIRS=60 python -m tests.soak`. The hands of tests/churn.py do what the seed says (`SOAK_SEED`; the
kernel's timing is not replayed). Every `EVERY` pairs all is given back, and then files, leases and each VF are as they
were before the first call, by tests/checker.py and `ip -j -d link`.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pyroute2 import IPRoute

from tests import budgets, checker
from tests.churn import CONF, CONTAINERS, HANDS, VFS, Container, Hand, Scene
from tests.integration.driver import Driver
from tests.integration.rig import Rig, call

EVERY = 200  # pairs between two looks
ALONE = 10  # ADDs that nobody disturbs, at first and in the end
MOVING = {"ifindex", "link_index", "operstate", "qdisc"}  # of `ip -j -d link`: what a move changes by itself

MOVING_ATTRIBUTES = {
    *(
        "IFLA_LINK",
        "IFLA_OPERSTATE",
        "IFLA_QDISC",
        "IFLA_AF_SPEC",
        "IFLA_STATS",
        "IFLA_STATS64",
        "IFLA_CARRIER",
    ),
    *("IFLA_CARRIER_CHANGES", "IFLA_CARRIER_UP_COUNT", "IFLA_CARRIER_DOWN_COUNT"),
}
ROOM = 256  # bytes: a cursor's or a process's number has as many digits as it has
Links = dict[str, dict[str, Any]]  # by name in the host


class Plan(NamedTuple):
    seed: int
    pairs: int
    minutes: float


class Soak:
    def __init__(self, rig: Rig, plan: Plan) -> None:
        self.rig, self.plan = rig, plan
        tid = rig.inside(threading.get_native_id)
        host_netns = f"/proc/{os.getpid()}/task/{tid}/ns/net"
        self.scene = Scene(rig, host_netns, {link.mac: link.name for link in rig.links()})
        self.hands = [Hand(self.scene, plan.seed, number) for number in range(HANDS)]
        for container in self.scene.containers:
            rig.add_pod(container.name)
        self.pods = [container.netns for container in self.scene.containers]
        self.alone: list[float] = []  # ms of each ADD that nobody disturbs
        self.requests: list[budgets.Costs] = []
        self.sizes: list[tuple[int, int]] = []  # files and their bytes, at each look
        self.before = rig.inside(checker.look, self.pods)
        self.attributes = rig.inside(attributes)

    def run(self) -> int:
        """How many pairs it made until the time was over."""
        self.look_alone()
        until, done = time.monotonic() + 60 * self.plan.minutes, 0
        while done < self.plan.pairs and time.monotonic() < until and not self.scene.found:
            batch = min(EVERY, self.plan.pairs - done)
            with ThreadPoolExecutor(HANDS) as pool:
                list(pool.map(Hand.work, self.hands, [-(-batch // HANDS)] * HANDS, [until] * HANDS))
                list(pool.map(Hand.finish, self.hands))
            done += sum(hand.take_count() for hand in self.hands)
            self.look()
            print(f"{done} pairs, {len(self.scene.found)} faults", flush=True)
        self.look_alone()
        if self.requests[0] != self.requests[-1]:
            self.scene.faults.append(
                f"an ADD asked for {self.requests[0]} at first, {self.requests[-1]} in the end"
            )
        return done

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Nobody is attached: all is as it was, and nothing has grown."""
        gc = call("GC", "gc", "", CONF | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})
        status, document = self.rig.answer(gc)
        now = self.rig.inside(checker.look, self.pods)
        found = [f"GC: {document}"] if status else []
        found += checker.missing(self.before, now, {}) + checker.doubled(now) + checker.stale(now, {})
        found += checker.unfinished(now)
        found += changed(links(self.before), links(now)) + changed(
            self.attributes, self.rig.inside(attributes)
        )
        self.sizes.append((len(now["files"]), sum(len(file["text"]) for file in now["files"].values())))
        first, last = self.sizes[0], self.sizes[-1]
        if last[0] > first[0] or last[1] > first[1] + ROOM:
            found.append(f"files and bytes have grown from {first} to {last}: {sorted(now['files'])}")
        self.scene.faults += [f"at a look, all detached: {one}" for one in found]
        self.scene.faults += [f"{one.id}: {' / '.join(one.story)}" for one in self.scene.containers if found]
        for one in self.scene.containers:
            one.story.clear()

    def look_alone(self) -> None:
        """An ADD's time, and what it asks of the kernel."""
        for number in range(ALONE):
            container = self.hands[0].containers[number % CONTAINERS]
            began = time.monotonic()
            status, document = self.rig.answer(call("ADD", container.id, container.netns, CONF))
            self.alone.append(1000 * (time.monotonic() - began))
            self.scene.faults += [f"alone: {document}"] if status else []
            self.rig.answer(call("DEL", container.id, container.netns, CONF))
        self.requests.append(self.requests_of_an_add(self.hands[0].containers[0]))

    def requests_of_an_add(self, container: Container) -> budgets.Costs:
        with tempfile.TemporaryDirectory() as home:
            log = Path(home) / "log"
            asked = call("ADD", container.id, container.netns, CONF)
            self.rig.answer(asked._replace(argv=(*budgets.UNHEARD, *budgets.under_strace(log), *asked.argv)))
            self.rig.answer(call("DEL", container.id, container.netns, CONF))
            return budgets.read(log.read_text()).costs

    def report(self, pairs: int) -> str:
        first, last = (statistics.median(part) for part in (self.alone[:ALONE], self.alone[-ALONE:]))
        return (
            f"{pairs} pairs, answers {dict(sorted(self.scene.answers.items()))}\n"
            f"hostile pods: {dict(sorted(self.scene.mischief.items()))}\n"
            f"ADD alone {first:.0f} ms at first, {last:.0f} ms in the end; requests {self.requests[-1]}\n"
            f"files and bytes at each look: {self.sizes}"
        )


def links(facts: checker.Facts) -> Links:
    """By `ip -j -d link`."""
    return {
        link["ifname"]: {key: value for key, value in link.items() if key not in MOVING}
        for link in facts["host"]
    }


def attributes() -> Links:
    """By pyroute2: also what the `ip` of the machine does not know."""
    with IPRoute() as ip:
        return {
            link.get_attr("IFLA_IFNAME"): {"flags": link["flags"]}
            | {name: repr(value) for name, value in link["attrs"] if name not in MOVING_ATTRIBUTES}
            for link in ip.get_links()
        }


def changed(before: Links, now: Links) -> list[str]:
    found = [f"{name} is gone or new in the host" for name in sorted(before.keys() ^ now.keys())]
    for name in sorted(before.keys() & now.keys()):
        then, today = before[name], now[name]
        found += [
            f"{name} {key}: {then.get(key)} -> {today.get(key)}"
            for key in sorted(then.keys() | today.keys())
            if then.get(key) != today.get(key)
        ]
    return found


def soak(plan: Plan) -> tuple[int, Soak]:
    """Pairs made, and what was found."""
    print(f"SOAK_SEED={plan.seed}", flush=True)
    with Rig(vfs=VFS) as rig, Driver(rig) as driver:
        run = Soak(rig, plan)
        pairs = run.run()
        run.scene.mischief["made anew by the driver"] = driver.made_anew
        return pairs, run


def plan_of(environment: dict[str, str], pairs: int, minutes: float) -> Plan:
    seed = int(environment.get("SOAK_SEED") or random.randrange(1 << 32))
    return Plan(
        seed, int(environment.get("SOAK_PAIRS") or pairs), float(environment.get("SOAK_MINUTES") or minutes)
    )


def main() -> int:
    began = time.monotonic()
    pairs, run = soak(plan_of(dict(os.environ), 3000, 10))
    print(run.report(pairs))
    print("\n".join(dict.fromkeys(run.scene.found)))
    print(
        f"soak: {'failed' if run.scene.found else 'passed'}, {pairs} pairs in {time.monotonic() - began:.0f} s"
    )
    return bool(run.scene.found)


if __name__ == "__main__":
    sys.exit(main())
