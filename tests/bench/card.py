"""ADD and DEL of a real VF, on the lab's emulated card. The guest runs measure.py itself, so nothing of ours is in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests import bundle
from tests.bench import measure
from tests.bench.contenders import HOST_DEVICE, PEER, POOL, RANGES
from tests.bench.measure import TIMES, Sample, Samples
from tests.integration.rig import Call, call
from tests.lab import ready
from tests.lab.vm import Vm

PORT, POD, INSTALLED = "enp1s0f0", "/run/netns/pod0", "/opt/bundle/sriov"
PEER_INSTALLED = "/opt/peer/sriov"
GAP_S = 0.5  # udev names a netdev that came back, and it is slow in emulation
MAKE_VFS = f"""
cp -r /mnt/host/cni-sriov /opt/bundle
[ ! -d /mnt/host/peer ] || cp -r /mnt/host/peer /opt/peer
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


# One ADD and its DEL; what went wrong, or nothing.
TRY = """
import json, subprocess, sys
for step in json.load(sys.stdin):
    done = subprocess.run(step["argv"], env=step["env"], input=step["stdin"].encode(), capture_output=True)
    if done.returncode:
        print(f"its {step['name']} fails here: {done.stdout.decode(errors='replace').strip()}")
"""


def run(rounds: int, seed: int, peer: str) -> dict[str, Any] | None:
    """None: the lab is not prepared, and a bench is no time to build it. `peer`: path of PEER_SRIOV, "" without."""
    lab = ready.find()
    if lab is None:
        return None
    share = bundle.directory()
    if peer:
        _stage(Path(peer), share / "peer")
    with lab.restore(share) as vm:
        link, netdev = vm.run(MAKE_VFS).stdout.split()
        pci = link.rpartition("/")[2]
        vm.put("/root/measure.py", Path(measure.__file__).read_text())
        tasks = _tasks(pci, netdev)
        no_peer = _why_not(vm, pci, peer)
        if not no_peer:
            tasks |= _peer_tasks(pci)
        asked = {"rounds": rounds, "seed": seed, "gap": GAP_S, "tasks": tasks}
        said = vm.run(["python3", "-c", RUN], input=json.dumps(asked), timeout=1800).stdout
        return {
            "accelerator": lab.accelerator,
            "guest": _about(vm),
            "rounds": rounds,
            "samples": _samples(said),
            "no peer": no_peer,
        }


def _stage(peer: Path, directory: Path) -> None:
    """The peer's executable; a one-dir bundle, like ours, has its libraries beside it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    shutil.copy(peer, directory / "sriov")
    if (peer.parent / "lib").is_dir():
        shutil.copytree(peer.parent / "lib", directory / "lib", symlinks=True)


def _why_not(vm: Vm, pci: str, peer: str) -> str:
    if not peer:
        return f"{PEER} is not given"
    steps = _peer_tasks(pci)["peer vlan"]
    return vm.run(["python3", "-c", TRY], input=json.dumps(steps)).stdout.strip()


def _samples(said: str) -> Samples:
    return {name: [Sample(*sample) for sample in samples] for name, samples in json.loads(said).items()}


def _about(vm: Vm) -> str:
    return vm.run("echo Linux $(uname -r), $(python3 --version)").stdout.strip()


KNOBS = {
    "vlan": 100
}  # no "mac": sriov-cni fails with it when it has the VF a second time (igb: EADDRNOTAVAIL)


def _tasks(pci: str, netdev: str) -> dict[str, list[dict[str, Any]]]:
    """As contenders.alone, and an ADD that sets what a veth end has not: a VLAN."""
    mine = _plain(pci) | {"ipam": {"type": "host-subnet", "pools": [POOL]}}
    theirs = _plain(pci) | {"type": "host-device", "device": netdev, "ipam": RANGES}
    return {
        "ours": _both(mine),
        "ours vlan": _both(mine | KNOBS),
        "ours timed": [step | {"env": step["env"] | {TIMES: "1"}} for step in _both(mine)],
        "ours version": [_step("VERSION", mine)],
        "go": _both(theirs, HOST_DEVICE),
        "go no ipam": _both(theirs | {"ipam": {}}, HOST_DEVICE),
        "go version": [_step("VERSION", theirs, HOST_DEVICE)],
    }


def _peer_tasks(pci: str) -> dict[str, list[dict[str, Any]]]:
    asked = _plain(pci) | {"ipam": RANGES}
    return {
        "peer": _both(asked, PEER_INSTALLED),
        "peer vlan": _both(asked | KNOBS, PEER_INSTALLED),
        "peer no ipam": _both(asked | {"ipam": {}}, PEER_INSTALLED),
        "peer version": [_step("VERSION", asked, PEER_INSTALLED)],
    }


def _plain(pci: str) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": "bench", "type": "sriov", "deviceID": pci}


def _both(conf: dict[str, Any], path: str = INSTALLED) -> list[dict[str, Any]]:
    return [_step("ADD", conf, path), _step("DEL", conf, path)]


def _step(verb: str, conf: dict[str, Any], path: str = INSTALLED) -> dict[str, Any]:
    made: Call = call(verb, "bench", POD, conf, (path,))
    return {"name": verb, **made._asdict(), "stdin": made.stdin.decode(), "succeeds": True}
