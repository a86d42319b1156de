"""Which processes have a device open, by vfio's and uio's nodes. Looks only."""

from __future__ import annotations

import re
from collections.abc import Collection

from .devices import DEVICES
from .files import Files

_DEVICE = "anon_inode:[vfio-device]"  # what VFIO_GROUP_GET_DEVICE_FD gives (drivers/vfio/vfio_main.c)
_GROUP = re.compile(r"/dev/vfio/(noiommu-)?[0-9]+|/dev/vfio/devices/")


Processes = dict[str, dict[str, str]]  # by pid: what it has open, by descriptor


def processes(files: Files) -> Processes:
    """All of them, for who asks about many devices."""
    found = {}
    for pid in sorted((name for name in files.names("/proc") if name.isdigit()), key=int):
        where = f"/proc/{pid}/fd"
        found[pid] = {name: files.target(f"{where}/{name}") for name in files.names(where)}
    return found


def holders(files: Files, address: str, known: Processes | None = None) -> list[str]:
    """As "dpdk-testpmd (pid 12)". A process of another PID namespace is seen where /proc is the node's. `known`: what
    `processes` found.
    """
    nodes = nodes_of(files, address)
    if not nodes:
        return []
    numbers = {files.number(node) for node in nodes} - {0}
    running = processes(files) if known is None else known
    return [
        named(files, pid) for pid, targets in running.items() if _holds(files, pid, targets, nodes, numbers)
    ]


def named(files: Files, pid: str) -> str:
    """Fit for a terminal: a process may call itself anything."""
    comm = files.text(f"/proc/{pid}/comm") or "?"
    return f"{''.join(char if char.isprintable() else '?' for char in comm)} (pid {pid})"


def nodes_of(files: Files, address: str) -> set[str]:
    """The vfio group's, with or without an IOMMU, the vfio device's own, uio's."""
    device = f"{DEVICES}/{address}"
    nodes = {f"/dev/vfio/devices/{name}" for name in files.names(f"{device}/vfio-dev")}
    nodes |= {f"/dev/{name}" for name in files.names(f"{device}/uio")}
    group = files.target(f"{device}/iommu_group").rpartition("/")[2]
    return nodes | ({f"/dev/vfio/{group}", f"/dev/vfio/noiommu-{group}"} if group else set())


def _holds(files: Files, pid: str, targets: dict[str, str], nodes: set[str], numbers: set[int]) -> bool:
    """A container's name for a node may be another one; its number is the same."""
    if not nodes.isdisjoint(targets.values()) or _holds_some(targets.values()):
        return True
    return bool(numbers) and any(
        target.startswith("/dev/") and files.number(f"/proc/{pid}/fd/{name}") in numbers
        for name, target in targets.items()
    )


def _holds_some(targets: Collection[str]) -> bool:
    """A vfio device, and no group to tell which: it has closed that since, and any may be the one."""
    return _DEVICE in targets and not any(_GROUP.match(target) for target in targets)
