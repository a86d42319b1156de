"""How many VFs a PF can have in its slot, and why not more: pure. Said before numvfs is written, and after a failure.

What the kernel looks at when numvfs is written, in its order (sriov_numvfs_store and sriov_enable, drivers/pci/iov.c):
the driver's limit, the driver, InitialVFs, the memory for the VFs' BARs, the bus of the last VF.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import oracle_room
from .slot import Capacity, Limit, Port, Region, Slot, vfs

__all__ = ["Capacity", "Limit", "Port", "Region", "Slot", "capacity"]


def capacity(slot: Slot) -> Capacity:
    """Whatever is not known limits nothing, and stands in the notes."""
    limits = list(_never(slot)) or [
        *_driver(slot),
        *_total(slot),
        *_firmware(slot),
        *oracle_room.bus(slot),
        *oracle_room.memory(slot),
        *oracle_room.windows(slot),
    ]
    limits.sort(key=lambda limit: (limit.count, not limit.is_certain))
    return Capacity(limits[0].count, limits, list(_notes(slot)))


# no VFs at all -------------------------------------------------------------------------------------------------------


def _never(slot: Slot) -> Iterator[Limit]:
    if not slot.is_there:
        yield Limit(
            0,
            f"there is no PCI device {slot.pci}",
            "gone",
            "ls /sys/bus/pci/devices shows those that are there",
        )
    elif slot.space is not None and slot.space.is_gone:
        yield Limit(
            0,
            "the card does not answer (each byte of its configuration space is ff): it was pulled, or has lost its link",
            "gone",
            f"reseat the card, then\necho 1 > /sys/bus/pci/devices/{slot.pci}/remove\necho 1 > /sys/bus/pci/rescan",
        )
    elif slot.total is None:
        why, remedy = _not_offered(slot)
        yield Limit(0, why, "capability", remedy)


def _not_offered(slot: Slot) -> tuple[str, str]:
    """Why sysfs has no sriov_totalvfs for it."""
    space = slot.space
    firmware = (
        "switch SR-IOV on in the card's own firmware settings (mlxconfig, bnxtnvm, the adapter's page in the BIOS setup)"
        " and in the BIOS, then power the machine off and on"
    )
    if space is None or not space.is_whole:
        why = "the kernel offers no VFs for it (no sriov_totalvfs); its configuration space says why, to root alone"
        return why, f"sudo sriovctl oracle {slot.pci}"
    if space.sriov is None:
        return "the card has no SR-IOV capability", f"{firmware}; a card without such a setting has no VFs"
    found = space.sriov
    if not found.total_vfs:
        return (
            "the card's SR-IOV capability offers none (TotalVFs is 0): its firmware has them switched off",
            firmware,
        )
    if not found.offset or (found.total_vfs > 1 and not found.stride):
        numbers = f"VF offset {found.offset}, stride {found.stride}"
        why = f"the card's SR-IOV capability is broken ({numbers}), and the kernel refuses it"
        return why, "newer firmware for the card"
    numbers = f"TotalVFs {found.total_vfs}, page sizes {found.page_sizes:#x}"
    why = f"the kernel refuses the card's SR-IOV capability ({numbers}), or was built without CONFIG_PCI_IOV"
    return why, f"dmesg | grep {slot.pci}"


# driver and card -----------------------------------------------------------------------------------------------------


def _driver(slot: Slot) -> Iterator[Limit]:
    if not slot.driver:
        why = "no driver is bound to the PF, and only a driver can make VFs"
    elif slot.hands_over:
        why = f"its driver {slot.driver} hands the PF to user space and cannot make VFs"
    else:
        return
    yield Limit(0, why, "driver", driver_remedy(slot))


def driver_remedy(slot: Slot) -> str:
    """The first line is for people, the other a command."""
    return (
        "make the VFs with the PF on its kernel driver; DPDK and VPP then take the VFs. To give it back:\n"
        f"sriovctl bind {slot.pci} kernel"
    )


def _total(slot: Slot) -> Iterator[Limit]:
    if slot.total is None:
        return
    card = slot.space.sriov if slot.space else None
    raised = "some cards raise the limit in their firmware settings"
    remedy = f"sriovctl vfs {slot.name or slot.pci} {slot.total}; {raised}" if slot.total else raised
    if card is None or card.total_vfs <= slot.total:
        yield Limit(slot.total, f"it can have at most {slot.total} (TotalVFs of the card)", "total", remedy)
        return
    driver = f"driver {slot.driver}" if slot.driver else "the driver"
    why = f"it can have at most {slot.total} ({driver} allows no more of the card's {card.total_vfs})"
    yield Limit(slot.total, why, "total", remedy)


def _firmware(slot: Slot) -> Iterator[Limit]:
    """sriov_enable: without VF migration, which no card has, both numbers must be the same, or it answers EIO."""
    card = slot.space.sriov if slot.space else None
    if card is None or card.initial_vfs == card.total_vfs:
        return
    if card.has_migration and card.initial_vfs < card.total_vfs:
        why = f"the card begins with {card.initial_vfs} of its {vfs(card.total_vfs)} (InitialVFs)"
        yield Limit(card.initial_vfs, why, "firmware", is_certain=False)
        return
    yield Limit(
        0,
        f"the card's firmware contradicts itself (InitialVFs {card.initial_vfs}, TotalVFs {card.total_vfs}), and the"
        " kernel then makes none (EIO)",
        "firmware",
        "set the number of VFs anew in the card's firmware settings, or update its firmware; then power off and on",
    )


# notes ---------------------------------------------------------------------------------------------------------------


def _notes(slot: Slot) -> Iterator[str]:
    if slot.numvfs:
        yield (
            f"it has {vfs(slot.numvfs)} now: the kernel takes another number only from 0 on (EBUSY), which takes all of"
            " them away first"
        )
    card = slot.space.sriov if slot.space else None
    if card is not None and not slot.numvfs and slot.offset not in {None, card.offset}:
        yield f"the kernel reckons with VF offset {slot.offset}, while the card says {card.offset}"
    if not slot.ports and slot.offset is not None:
        yield "no bridge is above it, so where its buses end is not to be seen"
    yield from slot.unseen
