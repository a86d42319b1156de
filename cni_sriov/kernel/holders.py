"""Which processes have a device open, by vfio's and uio's nodes. Looks only."""

from __future__ import annotations

from .devices import DEVICES
from .files import Files


def holders(files: Files, address: str) -> list[str]:
    """As "dpdk-testpmd (pid 12)". A process of another PID namespace is seen where /proc is the node's."""
    nodes = nodes_of(files, address)
    if not nodes:
        return []
    pids = [name for name in files.names("/proc") if name.isdigit() and _holds(files, name, nodes)]
    return [named(files, pid) for pid in sorted(pids, key=int)]


def named(files: Files, pid: str) -> str:
    return f"{files.text(f'/proc/{pid}/comm') or '?'} (pid {pid})"


def nodes_of(files: Files, address: str) -> set[str]:
    """The vfio group's, with or without an IOMMU, the vfio device's own, uio's."""
    device = f"{DEVICES}/{address}"
    nodes = {f"/dev/vfio/devices/{name}" for name in files.names(f"{device}/vfio-dev")}
    nodes |= {f"/dev/{name}" for name in files.names(f"{device}/uio")}
    group = files.target(f"{device}/iommu_group").rpartition("/")[2]
    return nodes | ({f"/dev/vfio/{group}", f"/dev/vfio/noiommu-{group}"} if group else set())


def _holds(files: Files, pid: str, nodes: set[str]) -> bool:
    where = f"/proc/{pid}/fd"
    return any(files.target(f"{where}/{name}") in nodes for name in files.names(where))
