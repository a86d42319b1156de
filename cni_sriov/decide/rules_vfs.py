"""The doctor's rules about a PF's VFs: how many it has and may have, whether they have drivers and carry anything."""

from __future__ import annotations

from collections.abc import Iterator

from ..words.modules import ModuleOption, plain
from . import oracle
from .facts import Facts, Rule
from .facts_card import Card, CardVf
from .trouble import Evidence, Trouble, by_hand, quoted

_VF_MODULES = {"igbvf", "ixgbevf", "iavf", "i40evf", "mlx5_core", "mlx4_core", "bnxt_en", "cxgb4vf", "qede"}
_OF_SLOT = {
    "gone",
    "firmware",
    "bus",
    "memory",
    "window",
}  # the oracle's rules that no other one of the doctor tells
_SHOWN = 8  # VFs that are named in a sentence


def no_vfs(facts: Facts) -> Iterator[Trouble]:
    """A PF could have VFs and has none.

    note: `sriovctl vfs PF N`
    """
    for card in facts.cards:
        device = card.device
        room = _room(card)
        if room and not device.numvfs and device.driver and not card.is_userspace:
            yield Trouble(
                "no-vfs",
                "note",
                card.name,
                f"{card.name} has no VFs; it can have {room}",
                f"sriovctl vfs {quoted(card.name)} {room}",
                _numbers(card),
            )


def numvfs_busy(facts: Facts) -> Iterator[Trouble]:
    """A PF has fewer VFs than it can have, and the number cannot be changed while some of them are in use.

    note: end their use, then `sriovctl gc` and `sriovctl vfs PF N`
    """
    for card in facts.cards:
        room = _room(card)
        if card.users and card.device.numvfs < room:
            yield Trouble(
                "numvfs-busy",
                "note",
                card.name,
                f"{card.name} has {card.device.numvfs} of {room} VFs, and {len(card.users)} of them in"
                " use: another number would take them away from who uses them",
                "\n".join(
                    [
                        "# end these uses:",
                        *(by_hand(f"  {line}") for line in card.users),
                        "# what dead containers left goes by:",
                        "sriovctl gc",
                        f"sriovctl vfs {quoted(card.name)} {room}",
                    ]
                ),
                [*_numbers(card), *(Evidence("in use", line) for line in card.users)],
            )


def totalvfs_exceeded(facts: Facts) -> Iterator[Trouble]:
    """A module's max_vfs asks for more VFs than its card can have.

    warning: not more than sriov_totalvfs
    """
    for option in _max_vfs(facts):
        wanted = max((int(text) for text in option.value.split(",") if text.isdigit()), default=0)
        for card in facts.cards:
            if plain(card.device.driver) == option.module and 0 < card.device.totalvfs < wanted:
                yield Trouble(
                    "totalvfs-exceeded",
                    "warning",
                    card.name,
                    f"{option.module} is told to give {card.name} {wanted} VFs, and it can have"
                    f" {card.device.totalvfs} at most: it gets none, or fewer",
                    f"{by_hand(f'in {option.source}: no max_vfs; then')}\n{_most(card)}",
                    [Evidence(option.source, option.line), *_numbers(card)],
                )


def slot_too_small(facts: Facts) -> Iterator[Trouble]:
    """The slot cannot carry all VFs that the card can have: bus numbers, memory, or firmware (as `sriovctl oracle` says).

    error, warning: another slot, the BIOS, a boot option; error if it carries none at all
    """
    for card in facts.cards:
        if card.slot is None or not card.device.totalvfs or card.device.numvfs == card.device.totalvfs:
            continue
        limits = [one for one in oracle.capacity(card.slot).limits if one.rule in _OF_SLOT]
        limits = [one for one in limits if one.count < card.device.totalvfs]
        if limits:
            count = limits[0].count
            yield Trouble(
                "slot-too-small",
                "warning" if count else "error",
                card.name,
                f"the slot of {card.name} can carry {count or 'none'} of its {card.device.totalvfs} VFs: {limits[0].reason}",
                "\n".join(by_hand(line) for one in limits for line in one.remedy.splitlines()),
                [*(Evidence(f"sriovctl oracle {card.name}", one.reason) for one in limits), *_numbers(card)],
            )


def _room(card: Card) -> int:
    """How many VFs `sriovctl vfs` would not refuse for their number."""
    return card.device.totalvfs if card.slot is None else oracle.capacity(card.slot).count


def _most(card: Card) -> str:
    name, room = quoted(card.name), _room(card)
    return f"sriovctl vfs {name} {room}" if room else f"sriovctl oracle {name}"


def _max_vfs(facts: Facts) -> list[ModuleOption]:
    return [option for option in facts.machine.options if option.name == "max_vfs"]


def _numbers(card: Card) -> list[Evidence]:
    return [
        Evidence(f"{card.sysfs}/sriov_numvfs", str(card.device.numvfs)),
        Evidence(f"{card.sysfs}/sriov_totalvfs", str(card.device.totalvfs)),
    ]


# do they carry anything ----------------------------------------------------------------------------------------------


def pf_down(facts: Facts) -> Iterator[Trouble]:
    """A PF that has VFs is down: they carry nothing.

    error, warning: `ip link set PF up`; error if a VF of it is in use
    """
    for card in facts.cards:
        if card.device.numvfs and card.ifname and not card.is_up:
            yield Trouble(
                "pf-down",
                "error" if card.users else "warning",
                card.name,
                f"{card.name} is down, and its {card.device.numvfs} VFs carry nothing until it is up",
                f"ip link set {quoted(card.ifname)} up\n# for good: in this machine's network configuration",
                [Evidence(f"ip link show {card.ifname}", "not UP"), *_numbers(card)[:1]],
            )


def no_carrier(facts: Facts) -> Iterator[Trouble]:
    """A PF that has VFs is up and has no carrier.

    warning: its cable, and the switch's port
    """
    for card in facts.cards:
        if card.device.numvfs and card.is_up and not card.has_carrier:
            yield Trouble(
                "no-carrier",
                "warning",
                card.name,
                f"{card.name} has no carrier: its VFs reach nothing beyond the card",
                f"# plug in its cable, or bring up the switch's port; then\nip link show {quoted(card.ifname)}",
                [Evidence(f"ip link show {card.ifname}", "UP, NO-CARRIER")],
            )


# their drivers -------------------------------------------------------------------------------------------------------


def vf_without_driver(facts: Facts) -> Iterator[Trouble]:
    """VFs have no driver, though the kernel is meant to bind one to each.

    error, warning: load and bind it; error if no VF of that PF has one
    """
    for card in facts.cards:
        bare = [vf for vf in card.vfs if not vf.device.driver and not vf.is_meant]
        if not (bare and card.probes_drivers):
            continue
        off = [one for one in facts.machine.options if one.name == "blacklist" and one.module in _VF_MODULES]
        yield Trouble(
            "vf-without-driver",
            "error" if len(bare) == len(card.vfs) else "warning",
            card.name,
            f"{len(bare)} of the {len(card.vfs)} VFs of {card.name} have no driver: {_named(bare)}",
            "\n".join(
                [
                    *(by_hand(f"take this line out of {one.source}: {one.line}") for one in off),
                    f'modprobe "$(cat /sys/bus/pci/devices/{bare[0].device.address}/modalias)"',
                    *(f"echo {vf.device.address} > /sys/bus/pci/drivers_probe" for vf in bare),
                ]
            ),
            [
                *(Evidence(f"/sys/bus/pci/devices/{vf.device.address}/driver", "not there") for vf in bare),
                Evidence(f"{card.sysfs}/sriov_drivers_autoprobe", "1"),
                *(Evidence(one.source, one.line) for one in off),
            ],
        )


def driver_not_bound(facts: Facts) -> Iterator[Trouble]:
    """A VF shall have a driver for user space (driver_override) and has none: the kernel did not bind it.

    warning: an IOMMU, and the driver's module; then bind it again
    """
    for card in facts.cards:
        for vf in card.vfs:
            if vf.is_meant and not vf.device.driver:
                device = vf.device
                sysfs = f"/sys/bus/pci/devices/{device.address}"
                iommu = "" if facts.machine.has_iommu else "; without an IOMMU vfio-pci takes no device"
                yield Trouble(
                    "driver-not-bound",
                    "warning",
                    f"{card.name} vf {vf.index}",
                    f"{device.address} shall be on {device.override} and has no driver{iommu}",
                    f"modprobe {quoted(device.override)}\necho {device.address} > /sys/bus/pci/drivers_probe\n"
                    f"# still none: dmesg says why. Back to its network driver:\n"
                    f"# echo > {sysfs}/driver_override; echo {device.address} > /sys/bus/pci/drivers_probe",
                    [
                        Evidence(f"{sysfs}/driver_override", device.override),
                        Evidence(f"{sysfs}/driver", "not there"),
                    ],
                )


def _named(vfs: list[CardVf]) -> str:
    shown = ", ".join(f"{vf.index} ({vf.device.address})" for vf in vfs[:_SHOWN])
    return shown + (", ..." if len(vfs) > _SHOWN else "")


RULES: tuple[Rule, ...] = (
    no_vfs,
    numvfs_busy,
    totalvfs_exceeded,
    slot_too_small,
    pf_down,
    no_carrier,
    vf_without_driver,
    driver_not_bound,
)
