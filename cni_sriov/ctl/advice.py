"""What a good configuration for a program in user space leaves to its runtime, and `sriovctl validate` says beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..conf import netconf
from ..conf.netconf import NetConf
from .finding import Finding, note

_OPEN = (
    "ADD picks the VF, and a CNI plugin gives no container a device node: what does not see all of /dev/vfio cannot open"
    " it. Name the VF (deviceID), and pass its node (drivers.md)"
)
_ONE_DIRECTORY = (
    "it is the same for every container: put {containerID}, or {namespace} and {pod}, into it, unless only one container"
    " has this network"
)


def of(path: str, plugin: dict[str, Any]) -> list[Finding]:
    """Of a plugin of type sriov that the parser takes."""
    told = _notes(netconf.parse(plugin, {}))
    return [note(f"{path}.{key}".removeprefix("."), said) for key, said in told]


def _notes(conf: NetConf) -> Iterator[tuple[str, str]]:
    plane = conf.plane
    if plane.driver not in {"", "kernel"} and not conf.device:
        yield "driver" if plane.vpp is None else "vpp", _OPEN
    if plane.vpp is not None and not plane.is_vpp_host and "{" not in plane.vpp["directory"]:
        yield "vpp.directory", _ONE_DIRECTORY
