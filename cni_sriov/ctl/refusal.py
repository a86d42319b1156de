"""Why the kernel refused a number of VFs, in a sentence, and what to do about it. Every case was seen (kernels.md 3)."""

from __future__ import annotations

import errno

from ..kernel.sysfs import Sysfs
from ..words.domain import PF
from ..words.errors import BadConfig, CniError, KernelRefused, PfUnusable
from ..words.pci import is_userspace
from . import facts

_SLOT = (
    "put the card into another slot (one behind a bridge that supports ARI),"
    " look for SR-IOV and ARI in the BIOS, or boot with pci=realloc"
)


def explain(sysfs: Sysfs, pf: PF, count: int, refused: KernelRefused) -> CniError:
    name = pf.ifname or pf.pci_address
    what = f"give {name} {count} VFs" if count else f"remove the VFs of {name}"
    if refused.errno == errno.ENOMEM:
        return PfUnusable(f"{what}: {_no_room(sysfs, pf, count)}", _room_remedy(sysfs, pf, count))
    if refused.errno == errno.ENOENT:
        return PfUnusable(f"{what}: {_driver(pf)}", _driver_remedy(pf))
    if refused.errno == errno.ERANGE:
        return BadConfig(f"{what}: the card has {pf.totalvfs} at most", f"sriovctl vfs {name} {pf.totalvfs}")
    if refused.errno == errno.EBUSY:
        return PfUnusable(
            f"{what}: somebody gave it VFs meanwhile, or its driver is busy", "run the same command again"
        )
    if refused.errno == errno.EINVAL:
        return PfUnusable(
            f"{what}: driver {pf.driver} refuses that number",
            "an XDP program, a bond or switchdev mode on the PF, or the card's firmware may forbid it;"
            " dmesg says what the driver thinks",
        )
    if refused.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return PfUnusable(
            f"{what}: /sys is not writable here", "run it as root on the host, not in a container"
        )
    return PfUnusable(f"{what}: {refused}", "dmesg says what the driver thinks")


def _no_room(sysfs: Sysfs, pf: PF, count: int) -> str:
    need = facts.bus_need(sysfs, pf, count)
    if need is None or not need.is_out_of_range:
        return "no room in the memory windows of the bridge above it (ENOMEM)"
    return (
        f"the VFs need bus {need.bus:02x} but the bridge above ({need.bridge}) ends at bus {need.last_bus:02x}"
        f" (VF offset {need.offset}, stride {need.stride})"
    )


def _room_remedy(sysfs: Sysfs, pf: PF, count: int) -> str:
    need = facts.bus_need(sysfs, pf, count)
    if need is not None and need.is_out_of_range:
        return (
            f"{_SLOT} or pci=assign-busses (which renumbers other cards' buses, and so renames their interfaces)."
            f' dmesg says "can\'t enable {count} VFs"; "{count} VFs allocated" before that is no sign of success'
        )
    return (
        f"switch on SR-IOV and Above-4G decoding in the BIOS, {_SLOT}, or try fewer VFs;"
        " dmesg says which BAR found no room"
    )


def _driver(pf: PF) -> str:
    if not pf.driver:
        return "no driver is bound to the PF, and only a driver can make VFs"
    if is_userspace(pf.driver):
        return f"its driver {pf.driver} hands the PF to user space and cannot make VFs"
    return f"its driver {pf.driver} cannot make VFs"


def _driver_remedy(pf: PF) -> str:
    device = f"/sys/bus/pci/devices/{pf.pci_address}"
    steps = [f"echo > {device}/driver_override", f"echo {pf.pci_address} > /sys/bus/pci/drivers_probe"]
    if pf.driver:
        steps.insert(1, f"echo {pf.pci_address} > {device}/driver/unbind")
    return "\n".join(
        [
            "make the VFs with the PF on its kernel driver; DPDK and VPP then take the VFs. To give it back:",
            *steps,
        ]
    )
