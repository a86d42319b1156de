"""What the operator sees of the oracle: a line for each limit, those that bind first."""

from __future__ import annotations

from typing import TextIO

from ..decide.slot import vfs
from ..words.errors import CniError
from .foretell import Foretold
from .screen import Screen


def oracle(out: TextIO, told: list[Foretold], failed: list[str]) -> None:
    screen = Screen(out)
    if not (told or failed):
        screen.line("this node has no device that can have VFs (no sriov_totalvfs in /sys/bus/pci/devices)")
    for one in told:
        _pf(screen, one)
    for reason in failed:
        screen.line(f"cannot be looked at: {reason}", "red")


def _pf(screen: Screen, one: Foretold) -> None:
    slot, found = one.slot, one.capacity
    total = vfs(found.count) if slot.total is None else f"{found.count} of {vfs(slot.total)}"
    style = "bold green" if one.is_enough else "bold red"
    screen.line(f"{_name(one)}: this slot carries {total}, and has {slot.numvfs} now", style)
    for limit in found.limits:
        is_short = limit.count < (slot.total or 1)
        sure = "" if limit.is_certain else ", most likely"
        screen.line(f"{limit.count}{sure}: {limit.reason}", "red" if is_short else "", indent=2)
        for line in limit.remedy.splitlines() if is_short else []:
            screen.line(line, "yellow", indent=6)
    for note in found.notes:
        screen.line(f"note: {note}", "dim", indent=2)


def _name(one: Foretold) -> str:
    slot = one.slot
    driver = slot.driver or "no driver"
    return f"{slot.name} ({slot.pci}, {driver})" if slot.name else f"{slot.pci} ({driver})"


def refusal(out: TextIO, told: CniError) -> None:
    screen = Screen(out)
    screen.line(told.msg, "bold")
    for line in told.details.splitlines():
        screen.line(line, "yellow", indent=2)
