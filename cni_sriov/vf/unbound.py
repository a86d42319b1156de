"""Why a device did not get its driver, in a sentence, and what to do about it."""

from __future__ import annotations

import errno

from ..decide.planner import Facts
from ..words.errors import CniError, KernelRefused, PfUnusable
from ..words.modules import VFIO
from ..words.pci import is_userspace
from .host import Host

_DMESG = "dmesg says what the driver thinks"


def explain(host: Host, facts: Facts, driver: str, refused: KernelRefused) -> CniError:
    """What the kernel's errno means, of a write or of a look that came between."""
    address = facts.device.address
    what = _what(address, driver)
    again = (
        f"what was begun is kept: `sriovctl restore {address}` ends it, and so does the same command again"
    )
    if not host.sysfs.exists(address):
        return vanished(address, driver)
    if refused.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return PfUnusable(
            f"{what}: /sys is not writable here", "run it as root on the host, not in a container"
        )
    if refused.errno in {errno.ENODEV, errno.ENOENT}:
        return PfUnusable(f"{what}: the driver went while it was asked ({refused})", again)
    if refused.errno == errno.EBUSY:
        return PfUnusable(f"{what}: the device or its IOMMU group is busy ({refused})", f"{_DMESG}; {again}")
    if refused.errno == errno.EINVAL:
        return PfUnusable(f"{what}: the kernel takes no such word ({refused})", f"{_DMESG}; {again}")
    return PfUnusable(f"{what}: {refused}", f"{_DMESG}; {again}")


def vanished(address: str, driver: str) -> CniError:
    remedy = "a VF goes with its PF's numvfs; lspci -D lists all"
    return PfUnusable(f"{_what(address, driver)}: the device has vanished", remedy)


def _what(address: str, driver: str) -> str:
    return f"bind {address} to {driver}" if driver else f"unbind {address}"


def no_driver(facts: Facts, driver: str, got: str) -> CniError:
    """The write to drivers_probe succeeded and bound nothing, or something else was quicker."""
    address, group = facts.device.address, facts.device.group
    if got:
        return PfUnusable(
            f"bind {address} to {driver}: {got} has it instead",
            "another tool binds it, too (driverctl, a udev rule, VPP): end that, or use its driver",
        )
    why, remedy = "its probe refused the device", _DMESG
    if driver == VFIO and not facts.has_iommu:
        why = "its probe refused the device, which is in no IOMMU group (EINVAL)"
        remedy = "switch VT-d or AMD-Vi on in the BIOS, and boot with intel_iommu=on (AMD needs no option)"
    elif group and not is_userspace(driver):
        remedy = (
            f"while a process has IOMMU group {group} open no kernel driver may have a device of it; {_DMESG}"
        )
    return PfUnusable(f"bind {address} to {driver}: nothing bound: {why}", remedy)
