"""What `sriovctl bind`, `unbind` and `restore` tell the operator."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from ..decide.planner import Plan
from .bind import Outcome
from .screen import console_of


def done(out: TextIO, outcome: Outcome) -> None:
    console = console_of(out)
    has = f"{outcome.pci} {_on(outcome.driver)}"
    if outcome.changed:
        text = f"{has}, and was {_on(outcome.before).removeprefix('is ')}"
    else:
        text = f"{has} already: nothing was changed"
    console.print(Text(text, style="bold"))
    if outcome.netdev:
        console.print(f"its netdev is {outcome.netdev}")
    if outcome.loaded:
        console.print(f"loaded: {', '.join(outcome.loaded)}")
    _notes(out, outcome.notes)


def planned(out: TextIO, pci: str, before: str, plan: Plan | None) -> None:
    console = console_of(out)
    if plan is None:
        console.print(f"{pci} {_on(before)}, and no bind or unbind changed it: nothing would be done")
        return
    if not plan.is_change:
        console.print(f"{pci} {_on(before)} already: nothing would be changed")
    else:
        for driver in plan.loads:
            console.print(f"would load {driver}")
        console.print(f"would bind {pci} to {plan.driver}" if plan.driver else f"would unbind {pci}")
        console.print(f"it {_on(before)} now")
    _notes(out, plan.notes)


def _on(driver: str) -> str:
    return f"is on {driver}" if driver else "is on no driver"


def _notes(out: TextIO, notes: list[str]) -> None:
    for line in notes:
        console_of(out).print(Text(f"note: {line}", style="yellow"))
