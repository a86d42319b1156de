"""What the operator sees of the oracle: a line for each limit, those that bind first."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from .foretell import Foretold
from .screen import console_of


def oracle(out: TextIO, told: list[Foretold]) -> None:
    console = console_of(out)
    if not told:
        console.print("this node has no device that can have VFs (no sriov_totalvfs in /sys/bus/pci/devices)")
    for one in told:
        slot, found = one.slot, one.capacity
        name = (
            f"{slot.name} ({slot.pci}, {slot.driver})"
            if slot.name
            else f"{slot.pci} ({slot.driver or 'no driver'})"
        )
        style = "bold green" if one.is_enough else "bold red"
        total = "" if slot.total is None else f" of {slot.total}"
        console.print(
            Text(f"{name}: this slot carries {found.count}{total} VFs, {slot.numvfs} are there", style=style)
        )
        for limit in found.limits:
            is_short = limit.count < (slot.total or 1)
            sure = "" if limit.is_certain else ", most likely"
            console.print(Text(f"  {limit.count:>5}{sure}: {limit.reason}", style="red" if is_short else ""))
            for line in limit.remedy.splitlines() if is_short else []:
                console.print(Text(f"         {line}", style="yellow"))
        for note in found.notes:
            console.print(Text(f"  note: {note}", style="dim"))
