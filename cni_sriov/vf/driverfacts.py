"""What the planner (decide/planner.py) asks of a device, gathered. Looks only."""

from __future__ import annotations

from collections.abc import Iterable

from ..decide.planner import AUTO, Facts
from ..kernel import devices, holders, modules
from ..kernel.files import Files
from ..state import bound
from ..words.device import Device
from ..words.modules import UIO, VFIO
from ..words.pci import is_userspace
from .host import Host

_SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"  # UEFI 2.10, 3.3
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
STANDS_IN = "vfio-noiommu"  # the name of the group that vfio makes in that mode (drivers/vfio/group.c)


def gather(host: Host, files: Files, address: str, wanted: str = "") -> Facts:
    """`wanted`: a driver that the planner may not know, whose module is looked for too. What uses it is not among them."""
    device = devices.device(files, address)
    kernels = _kernels(host, files, device)
    return _facts(files, device, kernels, filter(None, dict.fromkeys((VFIO, *UIO, *kernels, wanted))))


def of_vf(files: Files, address: str, wanted: str) -> Facts:
    """Of a VF that `wanted`, a driver for user space or "auto", is to have: depmod's lists, of two megabytes, are read only
    where that is not loaded.
    """
    device = devices.device(files, address)
    kernels = [device.driver] if device.driver and not is_userspace(device.driver) else []
    return _facts(files, device, kernels, [VFIO if wanted == AUTO else wanted])


def _facts(files: Files, device: Device, kernels: list[str], drivers: Iterable[str]) -> Facts:
    address, is_held = device.address, is_userspace(device.driver)
    return Facts(
        device,
        [devices.device(files, member) for member in device.members if member != address],
        bool(device.group) and group_name(files, device.group) != STANDS_IN,
        files.text(NOIOMMU) == "Y",
        lockdown(files),
        secure_boot(files),
        modules.states(files, drivers),
        holders.holders(files, address) if is_held else [],
        kernels,
        release=modules.release(files),
    )


def others_use(host: Host, facts: Facts, driver: str) -> str:
    """A group is opened as a whole, by one process: what else is in it must not be another container's."""
    if facts.holders:
        return f"it is open in {', '.join(facts.holders)}"
    if not facts.members or driver in UIO:
        return ""
    claimed, group = host.ledger.claimed(), f"IOMMU group {facts.device.group}"
    theirs = [member.address for member in facts.members if member.address in claimed]
    if theirs:
        return f"{group} has {', '.join(theirs)}, which is claimed"
    held = holders.holders(
        host.files, facts.device.address
    )  # by another member's driver: the group is the same
    return f"{group} is open in {', '.join(held)}" if held else ""


def group_name(files: Files, group: str) -> str:
    return files.text(f"/sys/kernel/iommu_groups/{group}/name") or ""


def lockdown(files: Files) -> str:
    """The word in brackets; "" where this kernel has no lockdown, or securityfs is not mounted."""
    said = files.text("/sys/kernel/security/lockdown") or ""
    return said.partition("[")[2].partition("]")[0]


def secure_boot(files: Files) -> bool | None:
    """None where no firmware tells of it. Four bytes of attributes, then the value (Documentation/filesystems/efivarfs.rst)."""
    said = files.data(_SECURE_BOOT)
    return None if said is None or len(said) < 5 else said[4] == 1


def _kernels(host: Host, files: Files, device: Device) -> list[str]:
    """The one that it has or had comes first."""
    kept = bound.of(host.ledger.run_dir, device.address, host.sysfs.inode(device.address))
    names = [device.driver, kept.driver if kept is not None else "", *modules.knowing(files, device)]
    return [name for name in dict.fromkeys(names) if name and not is_userspace(name)]
