"""Who is measured, doing what: the same VF into the same pod with an address of its own, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.bench.measure import TIMES, BenchError, Step
from tests.integration.rig import BUNDLE, Call, Rig, call, conf, vf_pci

GO = "/usr/lib/cni"
HOST_DEVICE, HOST_LOCAL = f"{GO}/host-device", f"{GO}/host-local"
PYTHON = "/usr/bin/python3"
POD = "/run/netns/pod{}"
POOL = {"subnet": "10.20.0.0/16", "prefixLength": 29}
PEER = "PEER_SRIOV"
RANGES = {"type": "host-local", "ranges": [[{"subnet": "10.40.0.0/16"}]]}
Tasks = dict[str, list[Step]]
Bursts = dict[str, list[list[Step]]]


def missing() -> str:
    """What keeps the bench from running; "" if nothing."""
    for path, remedy in (
        (str(BUNDLE), "run `make build`"),
        (HOST_DEVICE, "install containernetworking-plugins"),
    ):
        if not Path(path).exists():
            return f"{path} is not there: {remedy}"
    return ""


def peer_path() -> str:
    """The other SR-IOV plugin, "" if none is given."""
    path = os.environ.get(PEER, "")
    if path and not os.access(path, os.X_OK):
        raise BenchError(f"{PEER}={path}: it is not there, or cannot be executed")
    return os.path.realpath(path) if path else ""


def ours(verb: str, index: int, **keys: Any) -> Call:
    """As a device plugin would call it: the VF is given."""
    return call(verb, f"ours{index}", POD.format(index), conf(deviceID=vf_pci(index)) | keys)


def timed(made: Call) -> Call:
    return made._replace(env=made.env | {TIMES: "1"})


def go(verb: str, index: int, **keys: Any) -> Call:
    asked = {"cniVersion": "1.0.0", "name": "bench", "type": "host-device", "device": f"vf{index}"}
    return call(verb, f"go{index}", POD.format(index), asked | {"ipam": RANGES} | keys, (HOST_DEVICE,))


def peer(path: str, verb: str, index: int, **keys: Any) -> Call:
    """The same conf as ours, with host-local: that is what sriov-cni has for addresses."""
    asked = {"cniVersion": "1.0.0", "name": "bench", "type": "sriov", "deviceID": vf_pci(index)}
    return call(verb, f"peer{index}", POD.format(index), asked | {"ipam": RANGES} | keys, (path,))


def why_not(rig: Rig, path: str) -> str:
    """Why the peer cannot be measured in the rig, "" if it can: its ADD is tried once, and taken back."""
    if not path:
        return f"{PEER} is not given"
    status, answer = rig.answer(peer(path, "ADD", 0))
    undone, _ = rig.answer(peer(path, "DEL", 0))
    if status:
        return f"its ADD fails here: {answer.get('msg', answer) if answer else f'exit status {status}'}"
    return f"its DEL fails here, with exit status {undone}" if undone else ""


def bare() -> Call:
    """The interpreter and nothing else; it ends as ours does, without the 2 ms of tidying up."""
    return call("", "", "", {}, (PYTHON, "-I", "-S", "-c", "import posix; posix._exit(0)"))


def alone(path: str) -> Tasks:
    """One call at a time; `path` is the peer's, "" without one. `no ipam` is what the others' IPAM is told by."""
    tasks = {
        "ours": [Step("ADD", ours("ADD", 0)), Step("DEL", ours("DEL", 0))],
        "ours timed": [Step("ADD", timed(ours("ADD", 0))), Step("DEL", timed(ours("DEL", 0)))],
        "ours version": [Step("VERSION", ours("VERSION", 0))],
        "ours status": [Step("STATUS", ours("STATUS", 0, cniVersion="1.1.0"))],
        "go": [Step("ADD", go("ADD", 0)), Step("DEL", go("DEL", 0))],
        "go no ipam": [Step("ADD", go("ADD", 0, ipam={})), Step("DEL", go("DEL", 0, ipam={}))],
        "go version": [Step("VERSION", go("VERSION", 0))],
        "python": [Step("exit", bare())],
    }
    if path:
        tasks |= {
            "peer": [Step(verb, peer(path, verb, 0)) for verb in ("ADD", "DEL")],
            "peer no ipam": [Step(verb, peer(path, verb, 0, ipam={})) for verb in ("ADD", "DEL")],
            "peer version": [Step("VERSION", peer(path, "VERSION", 0))],
        }
    return tasks


def together(count: int) -> Bursts:
    """`ours picks`: each call finds its VF by itself, so all of them meet at the node's lock."""

    def picks(verb: str, index: int) -> Call:
        return call(verb, f"picks{index}", POD.format(index), conf())

    makers = {"ours": ours, "go": go, "ours picks": picks, "ours timed": lambda *given: timed(picks(*given))}
    return {
        who: [[Step(verb, make(verb, index)) for index in range(count)] for verb in ("ADD", "DEL")]
        for who, make in makers.items()
    }


def beside_peer(path: str, count: int) -> Bursts:
    """A burst of ours and of the peer."""
    return {
        "ours": [[Step(verb, ours(verb, i)) for i in range(count)] for verb in ("ADD", "DEL")],
        "peer": [[Step(verb, peer(path, verb, i)) for i in range(count)] for verb in ("ADD", "DEL")],
    }


def among(vfs: int) -> Tasks:
    """The last VF of the PF by its address, and one that the call finds by itself. The names say which rig."""
    given = {verb: ours(verb, vfs - 1) for verb in ("ADD", "DEL")}
    given = {verb: made._replace(env=made.env | {"CNI_NETNS": POD.format(0)}) for verb, made in given.items()}
    picks = {verb: call(verb, "picks", POD.format(0), conf()) for verb in ("ADD", "DEL")}
    return {
        f"{who} {vfs}": [Step(f"{verb} {vfs}", made) for verb, made in calls.items()]
        for who, calls in (("given", given), ("picks", picks))
    }
