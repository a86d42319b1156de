"""A PCI device as found, for who decides about its driver or tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field

NETWORK, BRIDGE = 0x02, 0x06  # base class, the upper byte of `kind`: PCI Code and ID Assignment 1.1


@dataclass(slots=True)
class Device:
    """`kind` is the class code without its programming interface, 0x0200 for Ethernet. `driver` "" = none is bound.

    `group` is the IOMMU group's number, "" without an IOMMU; `members` are all addresses in it, this one among them.
    `numa_node` -1 = not known. `pf` is the PF's address, "" for what is no VF. `override` is what
    driver_override says; `modalias` is what a module's aliases are compared with.
    """

    address: str
    kind: int = 0
    vendor: int = 0
    device: int = 0
    driver: str = ""
    override: str = ""
    netdevs: list[str] = field(default_factory=list)
    pf: str = ""
    totalvfs: int = 0
    numvfs: int = 0
    group: str = ""
    members: list[str] = field(default_factory=list)
    numa_node: int = -1
    modalias: str = ""

    @property
    def base_class(self) -> int:
        return self.kind >> 8

    @property
    def is_bridge(self) -> bool:
        return self.base_class == BRIDGE
