"""Who is measured, doing what: the same VF into the same pod with an address of its own, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.measure import Step
from tests.integration.rig import BUNDLE, call, conf, vf_pci

if TYPE_CHECKING:
    from tests.integration.rig import Call

GO = "/usr/lib/cni"
HOST_DEVICE, HOST_LOCAL = f"{GO}/host-device", f"{GO}/host-local"
PYTHON = "/usr/bin/python3"
POD = "/run/netns/pod{}"
POOL = {"subnet": "10.20.0.0/16", "prefixLength": 29}


def missing() -> str:
    """What keeps the bench from running; "" if nothing."""
    for path, remedy in (
        (str(BUNDLE), "run `make build`"),
        (HOST_DEVICE, "install containernetworking-plugins"),
    ):
        if not Path(path).exists():
            return f"{path} is not there: {remedy}"
    return ""


def ours(verb: str, index: int, **keys: Any) -> Call:
    """As a device plugin would call it: the VF is given."""
    return call(verb, f"ours{index}", POD.format(index), conf(deviceID=vf_pci(index)) | keys)


def go(verb: str, index: int) -> Call:
    ipam = {"type": "host-local", "ranges": [[{"subnet": "10.40.0.0/16"}]]}
    asked = {
        "cniVersion": "1.0.0",
        "name": "bench",
        "type": "host-device",
        "device": f"vf{index}",
        "ipam": ipam,
    }
    return call(verb, f"go{index}", POD.format(index), asked, (HOST_DEVICE,))


def bare() -> Call:
    return call("", "", "", {}, (PYTHON, "-I", "-S", "-c", "pass"))


def alone() -> dict[str, list[Step]]:
    """One call at a time. `refused`: a VLAN, which this PF cannot take, is seen after all was read, before any change."""
    return {
        "ours": [Step("ADD", ours("ADD", 0)), Step("DEL", ours("DEL", 0))],
        "go": [Step("ADD", go("ADD", 0)), Step("DEL", go("DEL", 0))],
        "ours version": [Step("VERSION", ours("VERSION", 0))],
        "go version": [Step("VERSION", go("VERSION", 0))],
        "python": [Step("pass", bare())],
        "no ipam": [Step("ADD", ours("ADD", 0, ipam={})), Step("DEL", ours("DEL", 0, ipam={}))],
        "refused": [Step("ADD", ours("ADD", 0, vlan=5), succeeds=False)],
        "nothing": [Step("DEL", ours("DEL", 0))],
    }


def together(count: int) -> dict[str, list[list[Step]]]:
    """`ours picks`: each call finds its VF by itself, so all of them meet at the node's lock."""
    picks = conf()
    return {
        "ours": [[Step(verb, ours(verb, i)) for i in range(count)] for verb in ("ADD", "DEL")],
        "go": [[Step(verb, go(verb, i)) for i in range(count)] for verb in ("ADD", "DEL")],
        "ours picks": [
            [Step(verb, call(verb, f"picks{i}", POD.format(i), picks)) for i in range(count)]
            for verb in ("ADD", "DEL")
        ],
    }
