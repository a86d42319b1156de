"""What `sriovctl bind`, `unbind` and `restore` tell the operator."""

from __future__ import annotations

from typing import TextIO

from ..decide.planner import Plan
from .bind import Outcome
from .screen import Screen


def done(out: TextIO, outcome: Outcome) -> None:
    screen = Screen(out)
    has = f"{outcome.pci} {_on(outcome.driver)}"
    if outcome.changed:
        text = f"{has}, and was {_on(outcome.before).removeprefix('is ')}"
    else:
        text = f"{has} already: nothing was changed"
    screen.line(text, "bold")
    if outcome.netdev:
        screen.line(f"its netdev is {outcome.netdev}")
    if outcome.loaded:
        screen.line(f"loaded: {', '.join(outcome.loaded)}")
    _notes(out, outcome.notes)


def planned(out: TextIO, pci: str, before: str, plan: Plan | None) -> None:
    screen = Screen(out)
    if plan is None:
        screen.line(f"{pci} {_on(before)}, and no bind or unbind changed it: nothing would be done")
        return
    if not plan.is_change:
        screen.line(f"{pci} {_on(before)} already: nothing would be changed")
    else:
        for driver in plan.loads:
            screen.line(f"would load {driver}")
        screen.line(f"would bind {pci} to {plan.driver}" if plan.driver else f"would unbind {pci}")
        screen.line(f"it {_on(before)} now")
    _notes(out, plan.notes)


def _on(driver: str) -> str:
    return f"is on {driver}" if driver else "is on no driver"


def _notes(out: TextIO, notes: list[str]) -> None:
    for line in notes:
        Screen(out).line(f"note: {line}", "yellow")
