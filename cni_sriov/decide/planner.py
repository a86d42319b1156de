"""Which driver a PCI device shall have: pure. Facts in; out comes the driver with what must be loaded for it, or why not.

What takes something from somebody (a container, a process, the host's own addresses) is refused whatever is asked.
What only the operator can judge needs his word: --force for a PF and for an IOMMU group that is not viable yet, the
driver's name for UIO and for vfio-pci without an IOMMU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..words.device import Device
from ..words.errors import BadConfig, CniError, PfUnusable
from ..words.jsontext import words
from ..words.pci import is_userspace

AUTO, KERNEL, NONE = "auto", "kernel", ""  # NONE: no driver at all
VFIO = "vfio-pci"
UIO = ("uio_pci_generic", "igb_uio")
# the data path of DPDK runs beside them (doc/guides/linux_gsg/linux_drivers.rst, "Bifurcated Driver")
BIFURCATED = frozenset({"mlx4_core", "mlx5_core", "mana"})
LOADED, LOADABLE, MISSING = "loaded", "loadable", "missing"
_LOCKED = frozenset({"integrity", "confidentiality"})
# they leave DMA to others of their IOMMU group (driver_managed_dma in drivers/pci/pcie/portdrv.c, pci-stub.c, vfio)
_HARMLESS = frozenset({"", "pcieport", "pci-stub"})


@dataclass(slots=True)
class Facts:
    """`members`: the others of its IOMMU group. `has_iommu`: that group is one, and no stand-in of vfio's no-IOMMU mode;
    `noiommu`: that mode is on. `lockdown` "" and `secure_boot` None = this kernel, or firmware, has no such thing.
    `modules`: loaded, loadable or missing by driver. `holders`: processes that have its vfio or uio node open. `kernels`:
    drivers of the kernel's that know the device, the one to prefer first. `uses`: what it is in use for otherwise, each
    a line. `release` is the running kernel's.
    """

    device: Device
    members: list[Device] = field(default_factory=list)
    has_iommu: bool = False
    noiommu: bool = False
    lockdown: str = ""
    secure_boot: bool | None = None
    modules: dict[str, str] = field(default_factory=dict)
    holders: list[str] = field(default_factory=list)
    kernels: list[str] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)
    release: str = ""

    @property
    def is_pf(self) -> bool:
        return self.device.totalvfs > 0 and not self.device.pf


@dataclass(slots=True)
class Plan:
    """`driver` "" = none shall be bound. `loads`: modules to load first, by the driver's name. `notes` are sentences."""

    driver: str
    is_change: bool
    loads: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {"driver": self.driver, "change": self.is_change, "loads": self.loads, "notes": self.notes}


def plan(facts: Facts, wanted: str, force: bool = False) -> Plan:
    """`wanted`: a driver, "auto", "kernel", or "" for none. BadConfig or PfUnusable say why not, and what to do."""
    raise NotImplementedError
