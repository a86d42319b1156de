"""Fourteen VFs of the card, waves of calls at a time, some of them killed: in the end nobody has lost anything.

The larger one, with more runtimes and GC, is in tests/integration/test_races.py. `RACES_SEED` replays the choices.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from typing import Any

import pytest

from tests import checker

from .node import CNI_PATH, CONF, PLUGIN, Node, Reply
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.stress]

CONTAINERS, WAVES = 10, 4
KILLED = -9
CONF_OF_BOTH = CONF | {
    "master": None,
    "pf": {"names": list(PORTS)},
    "vlan": 100,
    "mtu": 1400,
    "ipam": {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}]},
}


def look(node: Node, pods: list[str]) -> checker.Facts:
    found: checker.Facts = node.vm.json(["python3", "-c", checker.program(pods)])
    return found


def wave(
    node: Node, calls: dict[str, tuple[str, float]], results: dict[str, Any]
) -> dict[str, tuple[int, Reply]]:
    """One call for each container, all at once: container -> (verb, after which time to kill it; 0 = not). The answers
    are CNI codes, or KILLED, and what was said.
    """
    running = {}
    for container, (verb, kill_after) in calls.items():
        mine = {key: value for key, value in CONF_OF_BOTH.items() if value is not None}
        mine |= {"prevResult": results[container]} if verb == "CHECK" else {}
        env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_IFNAME": "net1", "CNI_PATH": CNI_PATH}
        env |= {"CNI_NETNS": f"/run/netns/{container}"}
        argv = [*(("timeout", "-s", "KILL", f"{kill_after:.3f}") if kill_after else ()), PLUGIN]
        running[container] = node.vm.spawn(argv, check=False, input=json.dumps(mine), env=env)
    ended = {container: one.wait() for container, one in running.items()}
    killed = {container for container, done in ended.items() if done.returncode in {137, KILLED}}
    replies = {container: Reply(done) for container, done in ended.items()}
    return {c: (KILLED if c in killed else reply.code, reply) for c, reply in replies.items()}


def test_calls_at_a_time_with_kills_leave_the_card_as_it_was(node: Node) -> None:
    seed = int(os.environ.get("RACES_SEED") or random.randrange(1 << 32))
    print(f"RACES_SEED={seed}")
    chance = random.Random(seed)
    containers = [f"c{number}" for number in range(CONTAINERS)]
    pods = [f"/run/netns/{container}" for container in containers]
    node.add_netns(*containers)
    before, began = look(node, pods), time.monotonic()
    state, results = dict.fromkeys(containers, "detached"), dict[str, Any]()
    answers: Counter[str] = Counter()

    for _ in range(WAVES):
        calls = {}
        for container in containers:
            verb = {"detached": "ADD", "attached": chance.choice(["CHECK", "DEL"])}.get(
                state[container], chance.choice(["ADD", "DEL"])
            )
            calls[container] = verb, chance.uniform(0.1, 2.0) if chance.random() < 0.3 else 0.0
        for container, (code, reply) in wave(node, calls, results).items():
            verb, was = calls[container][0], state[container]
            answers[f"{verb} {code}"] += 1
            if code == KILLED:
                state[container] = was if verb == "CHECK" else "unknown"
            elif (verb, code) == ("ADD", 0):
                state[container], results[container] = "attached", reply.document
            elif (verb, code) == ("DEL", 0):
                state[container] = "detached"
            else:
                assert (verb, code) == ("CHECK", 0) or (verb, code, was) == ("ADD", 106, "unknown"), (
                    reply.text
                )
        now = look(node, pods)
        live = {f"{c}@net1": f"/run/netns/{c}" for c in containers if state[c] == "attached"}
        found = checker.missing(before, now, live) + checker.doubled(now)
        assert not found, "\n".join(found)

    last = wave(node, dict.fromkeys(containers, ("DEL", 0.0)), results)
    after = look(node, pods)

    print(
        f"{answers.total() + len(last)} calls in {time.monotonic() - began:.0f} s: {dict(sorted(answers.items()))}"
    )
    assert [container for container, (code, _) in last.items() if code] == []
    if checker.unfinished(after):  # whoever comes next
        assert node.cni("ADD", CONF_OF_BOTH, "c0").code == 0
        assert node.cni("DEL", CONF_OF_BOTH, "c0").code == 0
        after = look(node, pods)
    found = checker.missing(before, after, {}) + checker.doubled(after) + checker.stale(after, {})
    found += checker.unfinished(after) + checker.changed(before, after)
    assert not found, "\n".join(found)
    assert answers["ADD 0"] >= 5
