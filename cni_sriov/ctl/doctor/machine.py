"""The machine below the cards: CPU, IOMMU, locks, modules, huge pages, accelerators."""

from __future__ import annotations

import re
from itertools import pairwise

from ...decide.facts_machine import Group, Machine
from ...kernel import hugepages, modprobe, modules
from ...kernel.files import Files
from ...vf import driverfacts
from ...words.device import NETWORK, Device
from ...words.failures import Failures
from ...words.modules import UIO, VFIO
from . import hugefiles
from .processes import Process

ACPI_TABLES = "/sys/firmware/acpi/tables"
IOMMU_TABLES = {"DMAR", "IVRS", "IORT", "VIOT"}  # Intel, AMD, Arm, virtio: ACPI 6.5, 5.2.6
GROUPS = "/sys/kernel/iommu_groups"
VPP_CONF = "/etc/vpp/startup.conf"
QAT = 0x8086, 0x0B40  # Intel's co-processors, as dpdk-devbind of DPDK has them


def look(
    files: Files, failures: Failures, known: list[Device], processes: list[Process], hugetlbfs: list[str]
) -> Machine:
    """Each thing by itself: what fails goes to `failures`, and is as if it were not there."""
    found = Machine(hugetlbfs=hugetlbfs)
    with failures.of(what="the processor"):
        found.vendor, flags = (_processor(files, key) for key in ("vendor_id", "flags"))
        found.is_guest = "hypervisor" in flags.split()
        found.release = modules.release(files)
        found.cmdline = files.text("/proc/cmdline") or ""
    with failures.of(what="the IOMMU"):
        found.groups = sum(
            driverfacts.group_name(files, name) != driverfacts.STANDS_IN for name in files.names(GROUPS)
        )
        found.iommus = files.names("/sys/class/iommu")
        found.iommu_tables = [name for name in files.names(ACPI_TABLES) if name in IOMMU_TABLES]
    with failures.of(what="vfio's no-IOMMU mode"):
        found.noiommu = files.text(driverfacts.NOIOMMU) == "Y"
    with failures.of(what="the kernel's lockdown"):
        found.lockdown = driverfacts.lockdown(files)
    with failures.of(what="secure boot"):
        found.secure_boot = driverfacts.secure_boot(files)
    with failures.of(what="kernel modules"):
        found.modules = modules.states(files, (VFIO, *UIO))
    with failures.of(what="modprobe.d"):
        found.options = modprobe.options(files)
    with failures.of(what="huge pages"):
        found.hugepages = hugepages.pages(files)
        found.hugefiles = hugefiles.kept(files, hugetlbfs, processes)
    with failures.of(what="VPP"):
        found.vpp_conf = VPP_CONF if _takes_all(files.text(VPP_CONF)) else ""
    found.accelerators = [one for one in known if (one.vendor, one.kind) == QAT]
    found.shared = _shared(known)
    return found


def _processor(files: Files, wanted: str) -> str:
    """What the first processor says of itself."""
    for line in (files.text("/proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == wanted:
            return value.strip()
    return ""


def _takes_all(text: str | None) -> bool:
    """Whether VPP with that startup.conf takes each supported device that it finds down."""
    if text is None:
        return False
    words = re.findall(r"[{}]|[^\s{}]+", "\n".join(line.partition("#")[0] for line in text.splitlines()))
    named = [after for word, after in pairwise(words) if word == "dev" and after != "default"]
    at = words.index("dpdk_plugin.so") if "dpdk_plugin.so" in words else len(words)
    return not (named or "no-pci" in words or words[at + 1 : at + 3] == ["{", "disable"])


def _shared(known: list[Device]) -> list[Group]:
    """The IOMMU groups of network devices in which there is more than one device, bridges not counted."""
    members: dict[str, list[Device]] = {}
    for one in known:
        if one.group and not one.is_bridge:
            members.setdefault(one.group, []).append(one)
    return [
        Group(number, found)
        for number, found in members.items()
        if len(found) > 1 and any(one.base_class == NETWORK for one in found)
    ]
