"""ADD and DEL of a real VF, on the lab's emulated card. The guest runs measure.py itself, so nothing of ours is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import measure
from tests.bench.contenders import HOST_DEVICE, POOL
from tests.bench.measure import Sample, Samples
from tests.integration.rig import BUNDLE, call
from tests.lab import ready

if TYPE_CHECKING:
    from tests.integration.rig import Call
    from tests.lab.vm import Vm

PORT, POD, INSTALLED = "enp1s0f0", "/run/netns/pod0", "/opt/bundle/sriov"
GAP_S = 0.5  # udev names a netdev that came back, and it is slow in emulation
MAKE_VFS = f"""
cp -r /mnt/host /opt/bundle
echo 2 > /sys/class/net/{PORT}/device/sriov_numvfs
ip link set {PORT} up
udevadm settle
ip netns add pod0
readlink /sys/class/net/{PORT}/device/virtfn0
ls /sys/class/net/{PORT}/device/virtfn0/net
"""
RUN = """
import json, sys
from types import SimpleNamespace
sys.path.insert(0, "/root")
import measure
asked = json.load(sys.stdin)
tasks = {
    task: [measure.Step(s["name"], SimpleNamespace(argv=s["argv"], env=s["env"], stdin=s["stdin"].encode()), s["succeeds"])
           for s in steps]
    for task, steps in asked["tasks"].items()
}
measure.rounds(1, tasks, measure.one, 0, asked["gap"])
print(json.dumps(measure.rounds(asked["rounds"], tasks, measure.one, asked["seed"], asked["gap"])))
"""


def run(rounds: int, seed: int) -> dict[str, Any] | None:
    """None: the lab is not prepared, and a bench is no time to build it."""
    lab = ready.find()
    if lab is None:
        return None
    with lab.restore(BUNDLE.parent) as vm:
        pci, netdev = vm.run(MAKE_VFS).stdout.split()
        vm.put("/root/measure.py", Path(measure.__file__).read_text())
        asked = {
            "rounds": rounds,
            "seed": seed,
            "gap": GAP_S,
            "tasks": _tasks(pci.rpartition("/")[2], netdev),
        }
        said = vm.run(["python3", "-c", RUN], input=json.dumps(asked), timeout=1800).stdout
        return {
            "accelerator": lab.accelerator,
            "guest": _about(vm),
            "rounds": rounds,
            "samples": _samples(said),
        }


def _samples(said: str) -> Samples:
    return {name: [Sample(*sample) for sample in samples] for name, samples in json.loads(said).items()}


def _about(vm: Vm) -> str:
    return vm.run("echo Linux $(uname -r), $(python3 --version)").stdout.strip()


def _tasks(pci: str, netdev: str) -> dict[str, list[dict[str, Any]]]:
    """As contenders.alone, and an ADD that sets what a veth end has not: VLAN and MAC. `refused`: an MTU igb has not."""
    plain = {"cniVersion": "1.0.0", "name": "bench", "type": "sriov", "deviceID": pci}
    mine = plain | {"ipam": {"type": "host-subnet", "pools": [POOL]}}
    knobs = mine | {"vlan": 100, "mac": "02:00:00:00:00:11"}
    ranges = {"type": "host-local", "ranges": [[{"subnet": "10.40.0.0/16"}]]}
    theirs = plain | {"type": "host-device", "device": netdev, "ipam": ranges}
    return {
        "ours": [_step("ADD", mine), _step("DEL", mine)],
        "ours vlan mac": [_step("ADD", knobs), _step("DEL", knobs)],
        "go": [_step("ADD", theirs, HOST_DEVICE), _step("DEL", theirs, HOST_DEVICE)],
        "ours version": [_step("VERSION", mine)],
        "go version": [_step("VERSION", theirs, HOST_DEVICE)],
        "no ipam": [_step("ADD", plain), _step("DEL", plain)],
        "refused": [_step("ADD", mine | {"mtu": 65535}, succeeds=False)],
        "nothing": [_step("DEL", mine)],
    }


def _step(verb: str, conf: dict[str, Any], path: str = INSTALLED, succeeds: bool = True) -> dict[str, Any]:
    made: Call = call(verb, "bench", POD, conf, (path,))
    return {"name": verb, **made._asdict(), "stdin": made.stdin.decode(), "succeeds": succeeds}
