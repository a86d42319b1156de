"""Why the kernel refused a number of VFs, in a sentence with the numbers of this slot, and what to do about it.

Every case was seen (kernels.md 3), or stands in drivers/pci/iov.c and the drivers.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ..decide import oracle
from ..decide.slot import Capacity, Limit, Slot, vfs
from ..kernel.files import Files
from ..words.errors import BadConfig, CniError, InputOutput, KernelRefused, PfUnusable
from . import slot as slots


def beforehand(slot: Slot, count: int) -> tuple[CniError | None, str]:
    """(error, warning): what the kernel would refuse for certain, and what it most likely would. None and "" = neither."""
    limit = oracle.capacity(slot).against(count)
    if limit is None:
        return None, ""
    if not limit.is_certain:
        return None, limit.reason
    return _as_error(f"{_give(slot, count)}: {limit.reason}", limit), ""


def no_room(slot: Slot) -> CniError:
    """Where there is room for no VF at all."""
    limit = oracle.capacity(slot).limits[0]
    return _as_error(f"give {slot.name or slot.pci} VFs: {limit.reason}", limit)


def after(files: Files, pci: str, count: int, refused: KernelRefused) -> CniError:
    """By the slot as it is now; where that cannot be seen, what the kernel said alone."""
    try:
        return explain(slots.look(files, pci), count, refused)
    except InputOutput as error:
        return PfUnusable(str(refused), f"why cannot be told: {error.msg}")


def explain(slot: Slot, count: int, refused: KernelRefused) -> CniError:
    """`slot` as it is after the failure."""
    if refused.errno in {errno.EROFS, errno.EACCES}:
        why, remedy = "/sys is not writable here", "run it as root on the host, not in a container"
        return PfUnusable(f"{_give(slot, count)}: {why}", remedy)
    limit = _broken(oracle.capacity(slot), refused.errno, count)
    if limit is not None:
        return _as_error(f"{_give(slot, count)}: {limit.reason}", limit)
    tell = _TOLD.get(refused.errno, _unknown)
    why, remedy = tell(slot, count, refused)
    return PfUnusable(f"{_give(slot, count)}: {why}", remedy)


_RULES = {  # which limits answer with which number: sriov_numvfs_store and sriov_enable, drivers/pci/iov.c
    errno.ENOMEM: ("bus", "memory", "window"),
    errno.ENOENT: ("driver", "capability", "gone"),
    errno.ERANGE: ("total", "capability"),
    errno.EIO: ("firmware",),
}


def _broken(found: Capacity, number: int, count: int) -> Limit | None:
    gone = next((limit for limit in found.limits if limit.rule == "gone"), None)
    if gone is not None:  # whatever was asked of it: no VFs, too
        return gone
    rules = _RULES.get(number, ())
    return Capacity(0, [limit for limit in found.limits if limit.rule in rules]).against(count)


def _as_error(why: str, limit: Limit) -> CniError:
    remedy = limit.remedy
    if limit.rule == "bus":
        remedy += '\ndmesg says "can\'t enable N VFs"; "N VFs allocated" before that is no sign of success'
    return BadConfig(why, remedy) if limit.rule == "total" else PfUnusable(why, remedy)


def _give(slot: Slot, count: int) -> str:
    name = slot.name or slot.pci
    return f"give {name} {vfs(count)}" if count else f"remove the VFs of {name}"


# what no limit explains ----------------------------------------------------------------------------------------------

Told = tuple[str, str]


def _no_room(slot: Slot, _: int, __: KernelRefused) -> Told:
    limits = [limit.reason for limit in oracle.capacity(slot).limits if limit.rule in _RULES[errno.ENOMEM]]
    known = (
        f"though by this slot's numbers there is: {'; '.join(limits)}"
        if limits
        else "and its numbers are not seen"
    )
    remedy = (
        f"dmesg | grep {slot.pci} says whether bus numbers or memory ran out\n"
        "switch on SR-IOV and Above 4G Decoding in the BIOS, or try another slot"
    )
    return f"no room for the VFs (ENOMEM), {known}", remedy


def _busy(slot: Slot, count: int, _: KernelRefused) -> Told:
    if slot.numvfs:
        why = f"it has {vfs(slot.numvfs)} already, and the kernel takes another number only from 0 on"
        return why, f"somebody gave it VFs meanwhile: sriovctl vfs {slot.name or slot.pci} {count}"
    return (
        f"driver {slot.driver} is busy (a reset, or another change of its VFs)",
        "run the same command again",
    )


def _again(slot: Slot, _: int, __: KernelRefused) -> Told:
    why = f"driver {slot.driver} has another operation on its VFs under way (it has {slot.numvfs} now)"
    return why, "run the same command again, in some seconds"


def _no_driver(slot: Slot, _: int, __: KernelRefused) -> Told:
    return f"its driver {slot.driver or '(none)'} cannot make VFs by sysfs", oracle.driver_remedy(slot)


def _range(slot: Slot, _: int, __: KernelRefused) -> Told:
    return f"it can have at most {slot.total}", f"sriovctl vfs {slot.name or slot.pci} {slot.total}"


def _failed(slot: Slot, _: int, __: KernelRefused) -> Told:
    card = slot.space.sriov if slot.space else None
    numbers = f" (InitialVFs {card.initial_vfs}, TotalVFs {card.total_vfs}: these agree)" if card else ""
    return f"the card, or its driver {slot.driver}, failed (EIO){numbers}", f"dmesg | grep {slot.pci}"


def _invalid(slot: Slot, _: int, __: KernelRefused) -> Told:
    remedy = (
        "an XDP program, a bond or switchdev mode on the PF, or the card's firmware may forbid it;"
        f" dmesg | grep {slot.pci} says what the driver thinks"
    )
    return f"driver {slot.driver} refuses that number", remedy


def _forbidden(slot: Slot, _: int, __: KernelRefused) -> Told:
    why = f"driver {slot.driver} does not permit it (igb answers so without MSI-X; ixgbe with too many traffic classes)"
    return why, f"dmesg | grep {slot.pci} says what the driver thinks"


def _no_partner(slot: Slot, _: int, __: KernelRefused) -> Told:
    card = slot.space.sriov if slot.space else None
    beside = f"function {card.link} of the card" if card else "another function of the card"
    return (
        f"its VFs depend on {beside} (Function Dependency Link), which has none",
        f"dmesg | grep {slot.pci}",
    )


def _unknown(slot: Slot, _: int, refused: KernelRefused) -> Told:
    return str(refused), f"dmesg | grep {slot.pci} says what the driver thinks"


_TOLD: dict[int, Callable[[Slot, int, KernelRefused], Told]] = {
    errno.ENOMEM: _no_room,
    errno.EBUSY: _busy,
    errno.EAGAIN: _again,  # i40e_pci_sriov_configure, ionic_sriov_configure
    errno.ENOENT: _no_driver,
    errno.ERANGE: _range,
    errno.EIO: _failed,
    errno.EINVAL: _invalid,
    errno.EPERM: _forbidden,  # igb_enable_sriov
    errno.ENODEV: _no_partner,
    errno.ENOSYS: _no_partner,
}
