"""SIGKILL on the card: before and after each effect of ADD, DEL and GC, and at other calls by seed; then the next call.

The killing is done in the guest (inside/kill_points.py), by strace as in tests/killing.py: "before" an effect is on
entry to its call, which is then not executed; "after" is on entry to whatever call follows it. CI tries a sample,
`make lab-kill` (LAB_KILL=1/1) every effect; LAB_KILL=2/5 every fifth from the second on, for a machine that others use
meanwhile. `KILL_SEED` replays a sample.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from .node import CONF, PLUGIN, Node

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.stress]

HERE = Path(__file__).parent
PART = [
    int(number) for number in os.environ.get("LAB_KILL", "").split("/") if number
]  # the first of how many
POOLS = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
FULL = CONF | {
    "vlan": 100,
    "vlanQoS": 2,
    "mac": "02:00:00:00:aa:01",
    "spoofchk": "off",
    "trust": "on",
    "max_tx_rate": 100,
    "mtu": 1400,
    "runtimeConfig": {"CNIDeviceInfoFile": "/run/k8s.cni.cncf.io/devinfo/cni/fast-c1_net1"},
    "ipam": {"type": "host-subnet", "pools": POOLS, "onlink": True},
}
USER_SPACE = {key: value for key, value in FULL.items() if key != "mtu"} | {"driver": "vfio-pci"}
# effects, a little less than on 2026-11-23
FLOORS = {"ADD": 70, "DEL": 46, "GC": 46}
WITH_VFIO = {"ADD": 55, "DEL": 45}


@pytest.mark.timeout(7200 if PART else 600)
@pytest.mark.parametrize(
    ("verb", "conf", "floor"),
    [
        *(pytest.param(verb, FULL, floor, id=verb) for verb, floor in FLOORS.items()),
        *(pytest.param(verb, USER_SPACE, floor, id=f"{verb} vfio-pci") for verb, floor in WITH_VFIO.items()),
    ],
)
def test_killed_before_and_after_effects_the_next_call_puts_it_right(
    node: Node, verb: str, conf: dict[str, Any], floor: int
) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(1 << 32))
    print(f"KILL_SEED={seed}")
    node.add_netns("c1")
    for name in ("checker.py", "killing.py"):
        node.vm.put(f"/root/tests/{name}", (HERE.parent / name).read_bytes())
    node.vm.put("/root/kill_points.py", (HERE / "inside" / "kill_points.py").read_bytes())
    asked: dict[str, Any] = {"verb": verb, "conf": conf, "plugin": PLUGIN, "container": "c1", "seed": seed}
    asked |= {
        "netns": "/run/netns/c1",
        "part": PART,
        "effects": 2,
        "others": max(1, 10 // PART[1]) if PART else 1,
        "drivers": 0,
    }
    if conf is USER_SPACE and not PART:
        asked |= {"effects": 1, "others": 1, "drivers": 2}
    began = time.monotonic()

    done = node.vm.run(
        ["python3", "-B", "kill_points.py"],
        input=json.dumps(asked),
        timeout=7000 if PART else 550,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    print(
        f"{verb} on the card: {told['points']} points, {told['effects']} effects, {told['kills']} kills in "
        f"{time.monotonic() - began:.0f} s, {len(told['astray'])} not where they were meant to be"
    )
    assert not told["faults"], "\n".join(told["faults"])
    assert len(told["astray"]) <= 1 + told["kills"] // 20, "\n".join(told["astray"])
    assert told["effects"] >= floor, "the trace, or the plugin, does less than it did"
