"""What the kernel and the firmware forbid to user space, root included. Looks only."""

from __future__ import annotations

from .files import Files

LOCKDOWN = "/sys/kernel/security/lockdown"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
_ATTRIBUTES = 4  # bytes before a variable's value: Documentation/filesystems/efivarfs.rst


def lockdown(files: Files) -> str:
    """none, integrity or confidentiality; "" where the kernel has no lockdown, or securityfs is not mounted."""
    said = files.text(LOCKDOWN) or ""  # none [integrity] confidentiality
    return said.partition("[")[2].partition("]")[0]


def secure_boot(files: Files) -> bool | None:
    """None: not booted by UEFI, or the variable is not there."""
    value = (files.data(SECURE_BOOT) or b"")[_ATTRIBUTES:]
    return bool(value[0]) if value else None


def noiommu(files: Files) -> bool:
    """Whether vfio gives devices away without an IOMMU."""
    return files.text(NOIOMMU) == "Y"
