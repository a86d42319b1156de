"""The doctor's rules about one card each: whether it can have VFs, and what keeps it from having them."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .facts_card import Card
from .trouble import Evidence, Trouble, by_hand

# drivers of cards that have SR-IOV, unless their firmware hides it
_CAPABLE = {
    *(
        "igb",
        "ixgbe",
        "i40e",
        "ice",
        "fm10k",
        "mlx4_core",
        "mlx5_core",
        "bnx2x",
        "bnxt_en",
        "be2net",
        "cxgb4",
    ),
    *("qede", "qed", "sfc", "sfc_siena", "hns3", "liquidio", "nfp", "enic", "ionic", "octeontx2", "funeth"),
}
_FIRMWARE = {
    "mlx5_core": "mstconfig -d {pci} set SRIOV_EN=1 NUM_OF_VFS=8\n# then boot again (mstconfig: package mstflint)",
    "mlx4_core": "mstconfig -d {pci} set SRIOV_EN=1 NUM_OF_VFS=8\n# then boot again (mstconfig: package mstflint)",
    "bnxt_en": "# in the card's set-up at boot (Ctrl-S): Multi-Function Mode SR-IOV; then boot again",
}
_BIOS = "# switch on SR-IOV in the BIOS and in the card's own set-up at boot, then boot again"


def no_sriov_capability(facts: Facts) -> Iterator[Trouble]:
    """A network card has no SR-IOV capability.

    error, note: another card; error if no card of the node has one, or that card was asked for
    """
    none = not any(card.device.totalvfs for card in facts.cards)
    for card in facts.cards:
        if _hides(card) or card.device.totalvfs or card.capability not in {None, -1}:
            continue
        said = "no SR-IOV capability in it" if card.capability is not None else "not readable so far"
        yield Trouble(
            "no-sriov-capability",
            "error" if none or facts.wanted == card.device.address else "note",
            card.name,
            f"{card.name} ({_ids(card)}, driver {card.device.driver or 'none'}) cannot have VFs:"
            " it has no SR-IOV capability",
            "# VFs need a card with SR-IOV: `lspci -vv` then shows Single Root I/O Virtualization",
            [Evidence(f"{card.sysfs}/sriov_totalvfs", "not there"), Evidence(f"{card.sysfs}/config", said)],
        )


def no_network_card(facts: Facts) -> Iterator[Trouble]:
    """The node has no network card on PCI at all.

    error: a card with SR-IOV
    """
    if not facts.cards and not facts.wanted and facts.has_all_cards:
        yield Trouble(
            "no-network-card",
            "error",
            "",
            "this node has no network card on PCI, so nothing that could have VFs",
            "# is this the host? A container or a virtual machine sees only what it was given",
            [Evidence("/sys/bus/pci/devices", "no device of class 02 (network)")],
        )


def sriov_off_in_firmware(facts: Facts) -> Iterator[Trouble]:
    """A card that knows SR-IOV does not offer it: its firmware or the BIOS has switched it off.

    error, warning: mstconfig, or the set-up of card and BIOS; error if no card of the node offers it
    """
    none = not any(card.device.totalvfs for card in facts.cards)
    for card in facts.cards:
        if not _hides(card):
            continue
        has_one = card.capability == 0
        config = "SR-IOV capability with TotalVFs 0" if has_one else "no SR-IOV capability"
        yield Trouble(
            "sriov-off-in-firmware",
            "error" if none or facts.wanted == card.device.address else "warning",
            card.name,
            f"{card.name} ({_ids(card)}, driver {card.device.driver or 'none'}) knows SR-IOV,"
            " but its firmware offers no VFs",
            _FIRMWARE.get(card.device.driver, _BIOS).format(pci=card.device.address),
            [Evidence(f"{card.sysfs}/sriov_totalvfs", "not there"), Evidence(f"{card.sysfs}/config", config)],
        )


def _hides(card: Card) -> bool:
    """TotalVFs 0 makes the kernel pass the capability over: sriov_init in drivers/pci/iov.c."""
    is_capable = card.capability == -1 and card.device.driver in _CAPABLE
    return not card.device.totalvfs and (card.capability == 0 or is_capable)


def _ids(card: Card) -> str:
    return f"{card.device.address}, {card.device.vendor:04x}:{card.device.device:04x}"


# drivers -------------------------------------------------------------------------------------------------------------


def pf_in_userspace(facts: Facts) -> Iterator[Trouble]:
    """A PF is on a driver for user space (vfio-pci, uio_pci_generic, ...), and a PF that such a driver has cannot make VFs.

    error: back to its kernel driver; DPDK and VPP then take the VFs
    """
    for card in facts.cards:
        if card.device.totalvfs and card.is_userspace and not card.device.numvfs:
            driver = card.device.driver
            yield Trouble(
                "pf-in-userspace",
                "error",
                card.name,
                f"{card.name} is on {driver}: a PF that a user-space driver has cannot make VFs;"
                " make them with the PF on its kernel driver, and give VFs to DPDK or VPP",
                "\n".join([*_ends(card), _take_back(card)]),
                [Evidence(f"{card.sysfs}/driver", driver)],
            )


def pf_held(facts: Facts) -> Iterator[Trouble]:
    """A process (VPP, DPDK, a virtual machine) has a PF open from user space.

    error: end it, and give it VFs instead
    """
    for card in facts.cards:
        if not (card.device.totalvfs and card.holders):
            continue
        who = ", ".join(f"{holder.kind or 'a process'}, {holder}" for holder in card.holders)
        remedy = _ends(card)
        if any(holder.kind == "VPP" for holder in card.holders):
            remedy += [
                "# VPP takes every supported interface that is down: in the part dpdk of /etc/vpp/startup.conf name the",
                "# VFs that it shall have (dev 0000:01:10.0), and keep the PF up",
            ]
        yield Trouble(
            "pf-held",
            "error",
            card.name,
            f"{card.name} is in the hands of {who}: no other program can use it, and it makes no VFs",
            "\n".join(remedy),
            [Evidence(source, said) for holder in card.holders for source, said in holder.by],
        )


def pf_without_driver(facts: Facts) -> Iterator[Trouble]:
    """A PF has no driver, and only a driver can make VFs.

    error: load and bind its kernel driver
    """
    for card in facts.cards:
        if card.device.totalvfs and not card.device.driver:
            override = card.device.override
            yield Trouble(
                "pf-without-driver",
                "error",
                card.name,
                f"{card.name} has no driver, and only a driver can make VFs",
                _take_back(card),
                [
                    Evidence(f"{card.sysfs}/driver", "not there"),
                    *([Evidence(f"{card.sysfs}/driver_override", override)] if override else []),
                ],
            )


def _ends(card: Card) -> list[str]:
    """Two rules say it, and the second time they are gone."""
    if any(holder.kind == "VPP" for holder in card.holders):
        pids = " ".join(str(holder.pid) for holder in card.holders)
        return [f"systemctl stop vpp || kill {pids} || true"]
    return [f"kill {holder.pid} || true  {by_hand(holder.name)}" for holder in card.holders]


def _take_back(card: Card) -> str:
    """It loads the driver, clears driver_override, and looks whether it is bound."""
    return f"sriovctl bind {card.device.address} kernel"


RULES: tuple[Rule, ...] = (
    no_network_card,
    no_sriov_capability,
    sriov_off_in_firmware,
    pf_in_userspace,
    pf_held,
    pf_without_driver,
)
