"""What `dpdk-devbind --status` shows: the devices that DPDK can drive, by what they are for and who drives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...kernel.replies import KernelRoute
from ...words.device import Device
from .classes import DPDK_DRIVERS, KINDS, kinds_of
from .naming import Naming

_LOCAL = ("169.254.", "fe80:", "ff")  # link-local and multicast: every interface has such
_TITLES = {
    "dpdk": "{} devices using DPDK-compatible driver",
    "kernel": "{} devices using kernel driver",
    "none": "Other {} devices",
}


@dataclass(slots=True)
class Bound:
    """One device in one section. `is_active`: the main table has a route over it, so taking its driver away cuts the
    machine off.
    """

    kind: str
    device: Device
    naming: Naming
    is_active: bool

    @property
    def model(self) -> str:
        return self.naming.model(self.device)

    @property
    def unused(self) -> list[str]:
        return self.naming.unused(self.device)

    @property
    def bound_to(self) -> str:
        if not self.device.driver:
            return "none"
        return "dpdk" if self.device.driver in DPDK_DRIVERS else "kernel"

    def to_json(self) -> dict[str, Any]:
        device = self.device
        return {
            "kind": self.kind,
            "pci": device.address,
            "model": self.model,
            "vendor": f"{device.vendor:04x}",
            "device": f"{device.device:04x}",
            "class": f"{device.kind:04x}",
            "driver": device.driver,
            "boundTo": self.bound_to,
            "netdevs": device.netdevs,
            "unused": self.unused,
            "active": self.is_active,
            "iommuGroup": int(device.group) if device.group.isdigit() else None,
            "numaNode": device.numa_node if device.numa_node >= 0 else None,
        }


@dataclass(slots=True)
class Section:
    title: str
    rows: list[Bound]


def bound(devices: Iterable[Device], naming: Naming, active: set[str]) -> list[Bound]:
    """By section and address. `active` are the names of netdevs with a route."""
    rows = [
        Bound(kind, device, naming, kind == "network" and not active.isdisjoint(device.netdevs))
        for device in devices
        for kind in kinds_of(device)
    ]
    order = list(KINDS)
    return sorted(rows, key=lambda row: (order.index(row.kind), row.device.address))


def sections(rows: list[Bound]) -> Iterator[Section]:
    """In the order of dpdk-devbind, with its titles; those without devices are left out."""
    for kind, (name, _) in KINDS.items():
        for bound_to, title in _TITLES.items():
            found = [row for row in rows if (row.kind, row.bound_to) == (kind, bound_to)]
            if found:
                yield Section(title.format(name), found)


def active_indices(routes: Iterable[KernelRoute]) -> set[int]:
    """Of the links that the main table leads over. dpdk-devbind looks at IPv4 alone, and leaves out 169.254 too."""
    return {found.ifindex for found in routes if not found.route.dst.startswith(_LOCAL)} - {0}
