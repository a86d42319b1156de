"""The machine below the cards: CPU, IOMMU, locks, modules, huge pages, accelerators."""

from __future__ import annotations

from ...decide.facts_machine import Machine
from ...kernel import devices, lockdown, modules
from ...kernel.files import Files
from ...words.failures import Failures
from . import hugepages
from .processes import Process

ACPI_TABLES = "/sys/firmware/acpi/tables"
IOMMU_TABLES = {"DMAR", "IVRS", "IORT", "VIOT"}  # Intel, AMD, Arm, virtio: ACPI 6.5, 5.2.6
GROUPS = "/sys/kernel/iommu_groups"
DRIVERS = ("vfio-pci", "uio_pci_generic", "igb_uio")
# Intel's QAT as the kernel's table has it (drivers/crypto/intel/qat/qat_common/adf_accel_devices.h, adf_pf of each):
# C62x, C3xxx, DH895xCC, D15xx (6xxx), 4xxx, 401xx, 402xx, 420xx; then their VFs
QAT = {
    *(0x37C8, 0x19E2, 0x0435, 0x6F54, 0x4940, 0x4942, 0x4944, 0x4946),
    *(0x37C9, 0x19E3, 0x0443, 0x6F55, 0x4941, 0x4943, 0x4945, 0x4947),
}
INTEL = 0x8086


def look(files: Files, failures: Failures, processes: list[Process], hugetlbfs: list[str]) -> Machine:
    """Each thing by itself: what fails goes to `failures`, and is as if it were not there."""
    found = Machine(hugetlbfs=hugetlbfs)
    with failures.of(what="the processor"):
        found.vendor = _vendor(files)
        found.release = files.text(modules.RELEASE) or ""
        found.cmdline = files.text("/proc/cmdline") or ""
    with failures.of(what="the IOMMU"):
        found.groups = len(files.names(GROUPS))
        found.iommus = files.names("/sys/class/iommu")
        found.iommu_tables = [name for name in files.names(ACPI_TABLES) if name in IOMMU_TABLES]
    with failures.of(what="vfio's no-IOMMU mode"):
        found.noiommu = lockdown.noiommu(files)
    with failures.of(what="the kernel's lockdown"):
        found.lockdown = lockdown.lockdown(files)
    with failures.of(what="secure boot"):
        found.secure_boot = lockdown.secure_boot(files)
    with failures.of(what="kernel modules"):
        found.modules = {name: modules.state(files, name) for name in DRIVERS}
    with failures.of(what="modprobe.d"):
        found.options = modules.options(files)
    with failures.of(what="huge pages"):
        found.hugepages = hugepages.pages(files)
        found.hugefiles = hugepages.kept(files, hugetlbfs, processes)
    with failures.of(what="crypto accelerators"):
        found.accelerators = [
            one for one in devices.devices(files) if one.vendor == INTEL and one.device in QAT
        ]
    return found


def _vendor(files: Files) -> str:
    for line in (files.text("/proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == "vendor_id":
            return value.strip()
    return ""
