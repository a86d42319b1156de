"""What `sriovctl` wants to know of a PCI device beyond the plugin's own needs: who has it open.

Reads below the Sysfs's root and /proc, changes nothing. What is missing counts as unknown (None, "", []); InputOutput
where it cannot be seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EACCES
from typing import TypeVar

from ..kernel.sysfs import Sysfs
from ..words.domain import PF
from ..words.errors import InputOutput
from ..words.gone import is_gone

T = TypeVar("T")


def probes_drivers(sysfs: Sysfs, pf: PF) -> bool:
    """Whether the kernel binds drivers to new VFs: sriov_drivers_autoprobe."""
    return read(f"{_device(sysfs, pf.pci_address)}/sriov_drivers_autoprobe") != "0"


def openers(sysfs: Sysfs, pci_address: str, proc: str) -> list[str]:
    """Processes that have the device open through vfio or uio, as "qemu (pid 12)"."""
    nodes = _nodes(sysfs, pci_address)
    if not nodes:
        return []
    pids = [name for name in _list(proc) if name.isdigit() and _holds(f"{proc}/{name}/fd", nodes)]
    return [f"{read(f'{proc}/{pid}/comm') or '?'} (pid {pid})" for pid in sorted(pids, key=int)]


def _nodes(sysfs: Sysfs, pci_address: str) -> set[str]:
    """Its device files: the vfio group's, the vfio device's own, uio's."""
    device = _device(sysfs, pci_address)
    nodes = {f"/dev/vfio/devices/{name}" for name in _list(f"{device}/vfio-dev")}
    nodes |= {f"/dev/{name}" for name in _list(f"{device}/uio")}
    group = _look(os.readlink, f"{device}/iommu_group")  # none without an IOMMU
    return nodes | {f"/dev/vfio/{os.path.basename(group)}"} if group else nodes


def _holds(directory: str, nodes: set[str]) -> bool:
    return any(_look(os.readlink, f"{directory}/{name}") in nodes for name in _list(directory))


def _device(sysfs: Sysfs, pci_address: str) -> str:
    return f"{sysfs.root}/bus/pci/devices/{pci_address}"


def read(path: str) -> str:
    return _look(_text, path) or ""


def _list(path: str) -> list[str]:
    return _look(os.listdir, path) or []


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _look(look: Callable[[str], T], path: str) -> T | None:
    """None if nothing is there, or no more; else whoever uses a VF might be passed over. A process that is shown to nobody
    (a security module's EACCES) would be in the way for ever.
    """
    try:
        return look(path)
    except OSError as error:
        if is_gone(error) or error.errno == EACCES:
            return None
        raise InputOutput(f"look at {path}: {error.strerror}") from error
