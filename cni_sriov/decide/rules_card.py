"""The doctor's rules about one card each: whether it can have VFs, has them, and whether they carry anything."""

from __future__ import annotations

from collections.abc import Iterator

from .facts import Facts, Rule
from .trouble import Evidence, Trouble


def pf_down(facts: Facts) -> Iterator[Trouble]:
    """A PF that has VFs is down: they carry nothing.

    error, warning: `ip link set PF up`
    """
    for card in facts.cards:
        if card.device.numvfs and card.ifname and not card.is_up:
            yield Trouble(
                "pf-down",
                "error" if card.users else "warning",
                card.name,
                f"{card.name} is down, and its {card.device.numvfs} VFs carry nothing until it is up",
                f"ip link set {card.ifname} up\n# for good: the network configuration of this machine",
                [
                    Evidence(f"/sys/class/net/{card.ifname}/flags", "not up"),
                    Evidence(f"{card.sysfs}/sriov_numvfs", str(card.device.numvfs)),
                ],
            )


RULES: tuple[Rule, ...] = (pf_down,)
