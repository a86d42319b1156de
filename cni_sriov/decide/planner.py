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
from ..words.modules import LOADABLE, LOADED, MISSING, UIO, VFIO
from ..words.pci import is_userspace

AUTO, KERNEL, NONE = "auto", "kernel", ""  # NONE: no driver at all
# the data path of DPDK runs beside them (doc/guides/linux_gsg/linux_drivers.rst, "Bifurcated Driver")
BIFURCATED = frozenset({"mlx4_core", "mlx5_core", "mana"})
_OF_MACHINE = {
    0x01: "disk controller",
    0x03: "display controller",
    0x0C: "USB or serial bus controller",
}  # as NETWORK
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
    driver, notes = _chosen(facts, wanted)
    if not _is_change(facts, driver):
        return Plan(driver, False, notes=notes)
    _refuse_bridge(facts, driver)
    _refuse_in_use(facts, driver)
    _refuse_kind(facts, driver, force)
    notes += _judged_pf(facts, driver, force)
    if driver in UIO:
        notes += _judged_uio(facts, driver)
    elif is_userspace(driver):
        notes += _judged_vfio(facts, driver, force)
    return Plan(driver, True, _loads(facts, driver), notes)


def _is_change(facts: Facts, driver: str) -> bool:
    """A driver_override that somebody left is one too: the next probe would follow it."""
    device = facts.device
    if device.driver != driver:
        return True
    return not is_userspace(driver) and device.override not in {"", driver}


# which ----------------------------------------------------------------------------------------------------------------


def _chosen(facts: Facts, wanted: str) -> tuple[str, list[str]]:
    device = facts.device
    if wanted == AUTO:
        return _automatic(facts)
    if wanted == KERNEL:
        return _of_kernel(facts), []
    if wanted == NONE or is_userspace(wanted) or wanted in {*facts.kernels, device.driver}:
        return wanted, []
    known = ", ".join(facts.kernels) or "none that is known here"
    raise BadConfig(
        f"bind {device.address} to {words(wanted)}: it is no driver of that device",
        f"its kernel drivers: {known}. For user space: {', '.join((VFIO, *UIO))}",
    )


def _automatic(facts: Facts) -> tuple[str, list[str]]:
    device = facts.device
    beside = next((name for name in (device.driver, *facts.kernels) if name in BIFURCATED), "")
    if beside:
        return beside, [f"{beside} keeps the device: DPDK drives it beside that driver, and nothing is bound"]
    if facts.has_iommu:
        return (device.driver, []) if "vfio" in device.driver else (VFIO, [])
    raise PfUnusable(
        f"choose a driver for {device.address}: it is in no IOMMU group, and vfio-pci wants one",
        "\n".join(
            [
                "switch VT-d or AMD-Vi on in the BIOS, and boot with intel_iommu=on (AMD needs no option).",
                "Without an IOMMU the device can write to all memory, so that must be asked for by name:",
                f"sriovctl bind {device.address} {UIO[0]}",
            ]
        ),
    )


def _of_kernel(facts: Facts) -> str:
    if facts.device.driver and not is_userspace(facts.device.driver):
        return facts.device.driver
    if facts.kernels:
        return facts.kernels[0]
    raise PfUnusable(
        f"bind {facts.device.address} to its kernel driver: no module of kernel {facts.release or '?'} knows it"
        f" ({facts.device.modalias or 'it has no modalias'})",
        "name the driver, or install the package that has its module",
    )


# why not --------------------------------------------------------------------------------------------------------------


def _refuse_bridge(facts: Facts, driver: str) -> None:
    if facts.device.is_bridge:
        raise BadConfig(
            f"{_what(facts, driver)}: it is a bridge, and all behind it would go",
            "name a device behind it",
        )


def _refuse_kind(facts: Facts, driver: str, force: bool) -> None:
    """Disks, screens, USB: what the machine itself lives on is mostly not in use by anything that is looked at here."""
    device = facts.device
    if not force and device.driver and device.base_class in _OF_MACHINE and not is_userspace(device.driver):
        raise PfUnusable(
            f"{_what(facts, driver)}: it is a {_OF_MACHINE[device.base_class]}, and nobody looks who uses that",
            "if it is meant, and nothing on it is in use: --force",
        )


def _refuse_in_use(facts: Facts, driver: str) -> None:
    """By nobody's word. What has its node open would have the write to driver/unbind wait for its end."""
    if facts.holders:
        raise PfUnusable(
            f"{_what(facts, driver)}: it is open in {', '.join(facts.holders)}",
            "end that first: the kernel waits for it, without a limit, before it lets go of the device",
        )
    if facts.uses:
        raise in_use(facts, driver, facts.uses)


def in_use(facts: Facts, driver: str, uses: list[str]) -> CniError:
    return PfUnusable(f"{_what(facts, driver)}: it is in use", "\n".join([*uses, _END_USE]))


_END_USE = "end that use first; what is left of dead containers, `sriovctl gc` takes back"


def _judged_pf(facts: Facts, driver: str, force: bool) -> list[str]:
    device = facts.device
    is_away = bool(device.driver) and not is_userspace(device.driver) and driver != device.driver
    if not (facts.is_pf and is_away):
        return []
    lost = f"its {device.numvfs} VFs go" if device.numvfs else "it can have no VFs"
    if not force:
        first = "" if device.numvfs else f"`sriovctl vfs {device.address} max`, then "
        raise PfUnusable(
            f"{_what(facts, driver)}: it is a PF, and without {device.driver} {lost}",
            f"bind its VFs instead, like {first}`sriovctl bind {device.address}:0 {driver or VFIO}`."
            " If the PF itself is meant: --force",
        )
    return [f"{device.address} is a PF: without {device.driver} {lost}"]


def _judged_uio(facts: Facts, driver: str) -> list[str]:
    why = ""
    if facts.lockdown in _LOCKED:
        why = f"the kernel is locked down ({facts.lockdown}): it gives no device's memory to user space but by vfio"
    elif facts.secure_boot:
        why = "this machine was started by UEFI secure boot, which forbids UIO"
    if why:
        raise PfUnusable(
            f"{_what(facts, driver)}: {why}", f"use {VFIO}: sriovctl bind {facts.device.address} {VFIO}"
        )
    return [f"{driver} keeps no IOMMU between the device and memory: whoever drives it can write everywhere"]


def _judged_vfio(facts: Facts, driver: str, force: bool) -> list[str]:
    if driver in {"pci-stub", "pciback", "xen-pciback"}:
        return []
    if not facts.has_iommu:
        return _judged_noiommu(facts, driver)
    notes, others = [], []
    for member in facts.members:
        if member.is_bridge and member.driver in _HARMLESS:
            notes.append(f"bridge {member.address} is in IOMMU group {facts.device.group}, too, and may stay")
        elif not (member.driver in _HARMLESS or "vfio" in member.driver):
            others.append(member)
    if not others:
        return notes
    told = ", ".join(f"{other.address} ({other.driver})" for other in others)
    if not force:
        raise PfUnusable(
            f"{_what(facts, driver)}: IOMMU group {facts.device.group} is shared with {told}",
            "nobody can open the group while a kernel driver has one of it. Bind them all:\n"
            + "\n".join(f"sriovctl bind {one.address} {VFIO} --force" for one in (facts.device, *others)),
        )
    return [
        *notes,
        f"nobody can open IOMMU group {facts.device.group} until these are on {VFIO}, too: {told}",
    ]


def _judged_noiommu(facts: Facts, driver: str) -> list[str]:
    if facts.noiommu:
        return [f"{driver} without an IOMMU is as unsafe as UIO: the device can write to all memory"]
    raise PfUnusable(
        f"{_what(facts, driver)}: it is in no IOMMU group, and vfio's no-IOMMU mode is off",
        "switch VT-d or AMD-Vi on in the BIOS, and boot with intel_iommu=on (AMD needs no option).\n"
        "Where the kernel has that mode (CONFIG_VFIO_NOIOMMU; Debian's has not), as unsafe as UIO:\n"
        "modprobe vfio enable_unsafe_noiommu_mode=1",
    )


def _what(facts: Facts, driver: str) -> str:
    address = facts.device.address
    return f"bind {address} to {driver}" if driver else f"unbind {address}"


# modules --------------------------------------------------------------------------------------------------------------


def _loads(facts: Facts, driver: str) -> list[str]:
    state = facts.modules.get(driver, MISSING) if driver else LOADED
    if state == MISSING:
        raise PfUnusable(
            f"{_what(facts, driver)}: kernel {facts.release or '?'} has no module for it",
            _package(driver, facts.release or "$(uname -r)"),
        )
    return [driver] if state == LOADABLE else []


def _package(driver: str, release: str) -> str:
    if driver == "igb_uio":
        return (
            "Debian, Ubuntu: apt install dpdk-kmods-dkms (older ones: dpdk-igb-uio-dkms)\n"
            "others: build it from DPDK's dpdk-kmods"
        )
    return (
        f"Ubuntu: apt install linux-modules-extra-{release}\n"
        "Debian: apt install linux-image-amd64 (its cloud kernels have fewer modules)\n"
        f"Fedora: dnf install kernel-modules-{release} kernel-modules-extra-{release}"
    )
