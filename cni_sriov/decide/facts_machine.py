"""What the machine below the cards is like, for the doctor's rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..words.device import Device
from ..words.hugepages import HugePages
from ..words.modules import ModuleOption


@dataclass(slots=True)
class HugeFile:
    """A file on a hugetlbfs, which keeps its pages while it is there; `users`: who has it mapped, as "vpp (pid 12)"."""

    path: str
    users: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """An IOMMU group with more than one device, bridges left out: only all of it together can go to user space."""

    number: str
    members: list[Device]


@dataclass(slots=True)
class Machine:
    """`vendor` is the CPU's own word (GenuineIntel), "" where it has none. `is_guest`: of a hypervisor.

    `groups`: how many IOMMU groups there are, those of vfio's no-IOMMU mode left out; `iommus`: what the kernel drives (dmar0, ivhd0), `iommu_tables`: what the
    firmware tells of (DMAR, IVRS, IORT, VIOT). `lockdown` is "" where the kernel has none; `secure_boot` None = no UEFI,
    or not known. `modules`: loaded, loadable or missing, of vfio-pci, uio_pci_generic and igb_uio. `options`: of all modules. `hugetlbfs`: where it is
    mounted. `shared`: groups with a network device. `accelerators`: QAT. `vpp_conf`: VPP's startup.conf, where
    it lets VPP take what it finds.
    """

    vendor: str = ""
    is_guest: bool = False
    release: str = ""
    cmdline: str = ""
    groups: int = 0
    iommus: list[str] = field(default_factory=list)
    iommu_tables: list[str] = field(default_factory=list)
    noiommu: bool = False
    lockdown: str = ""
    secure_boot: bool | None = None
    modules: dict[str, str] = field(default_factory=dict)
    options: list[ModuleOption] = field(default_factory=list)
    hugepages: list[HugePages] = field(default_factory=list)
    hugetlbfs: list[str] = field(default_factory=list)
    hugefiles: list[HugeFile] = field(default_factory=list)
    vpp_conf: str = ""
    shared: list[Group] = field(default_factory=list)
    accelerators: list[Device] = field(default_factory=list)

    @property
    def has_iommu(self) -> bool:
        return bool(self.groups or self.iommus)
