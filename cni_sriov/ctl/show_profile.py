"""`sriovctl profile` as a table."""

from __future__ import annotations

from typing import TextIO

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from . import split
from .profile import Profile
from .screen import console_of

_BAR = 20
_ORDER = {part: n for n, part in enumerate(split.PARTS)}
_COLOURS = dict(zip(split.PARTS, ("blue", "green", "red", "magenta", "yellow", "white"), strict=True))


def table(out: TextIO, file: str, outcome: Profile) -> None:
    """A row for each part, with a bar where it lies in the call; the bars are last, so that awk finds the numbers."""
    screen = console_of(out)
    verbs = {verb: split.middle(calls) for verb, calls in outcome.verbs.items()}
    runs = len(outcome.verbs["ADD"])
    screen.print(Text(f"{file}, network {outcome.network}: {_runs(runs)}", style="bold"))
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("ms", *(cell for verb in verbs for cell in (verb, "%"))):
        rows.add_column(title, justify="left" if title == "ms" else "right", no_wrap=True)
    for verb in verbs:
        rows.add_column(verb, no_wrap=True)
    for part in split.PARTS:
        rows.add_row(part, *_numbers(verbs, part), *(_bar(call, part) for call in verbs.values()))
    whole = (cell for call in verbs.values() for cell in (f"{call.whole:.1f}", "100"))
    rows.add_row(*(Text(cell, style="bold") for cell in ("whole", *whole)))
    screen.print(rows)
    for verb, call in verbs.items():
        held = ", ".join(f"{lock} {spent:.2f}" for lock, spent in call.held.items())
        screen.print(Text(f"{verb} holds locks, ms: {held or 'none'}", style="dim"))


def _runs(number: int) -> str:
    return "one run" if number == 1 else f"medians of {number} runs"


def _numbers(verbs: dict[str, split.Call], part: str) -> list[str]:
    return [
        cell
        for call in verbs.values()
        for cell in (f"{call.parts[part]:.1f}", f"{100 * call.parts[part] / call.whole:.0f}")
    ]


def _bar(call: split.Call, part: str) -> Bar | Text:
    """Where the parts before it end, this one begins; too small to be seen, it has none."""
    begin = sum(spent for name, spent in call.parts.items() if _ORDER[name] < _ORDER[part])
    whole = sum(call.parts.values())
    if call.parts[part] < whole / _BAR / 8:
        return Text("")
    return Bar(whole, begin, begin + call.parts[part], width=_BAR, color=_COLOURS[part])
