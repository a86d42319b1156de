"""`sriovctl profile` as a table."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from . import split
from .profile import Profile
from .screen import Column, Screen, cell

_BAR = 20
_WIDE = 44  # of a terminal, for what stands before the bars
_ORDER = {part: n for n, part in enumerate(split.PARTS)}
_COLOURS = dict(zip(split.PARTS, ("blue", "green", "red", "magenta", "yellow", "white"), strict=True))


def table(out: TextIO, file: str, outcome: Profile) -> None:
    """A row for each part, on a wide terminal with a bar where it lies in the call."""
    screen = Screen(out)
    verbs = {verb: split.middle(calls) for verb, calls in outcome.verbs.items()}
    runs = len(outcome.verbs["ADD"])
    screen.line(f"{file}, network {outcome.network}: {_runs(runs)}", "bold")
    has_bars = screen.is_terminal and screen.width >= _WIDE + (_BAR + 2) * len(verbs)
    columns = [Column("ms")]
    columns += [Column(title, is_right=True) for verb in verbs for title in (verb, "%")]
    columns += [Column(verb) for verb in verbs if has_bars]
    rows = []
    for part in split.PARTS:
        bars = [_bar(call, part) for call in verbs.values() if has_bars]
        rows.append([cell(part), *map(cell, _numbers(verbs, part)), *bars])
    whole = ["whole", *(text for call in verbs.values() for text in (f"{call.whole:.1f}", "100"))]
    none = [Text("") for _ in verbs if has_bars]
    screen.table(columns, [*rows, [*(cell(text, "bold") for text in whole), *none]])
    for verb, call in verbs.items():
        held = ", ".join(f"{lock} {spent:.2f}" for lock, spent in call.held.items())
        screen.line(f"{verb} holds locks, ms: {held or 'none'}", "dim")


def _runs(number: int) -> str:
    return "one run" if number == 1 else f"medians of {number} runs"


def _numbers(verbs: dict[str, split.Call], part: str) -> list[str]:
    return [
        cell
        for call in verbs.values()
        for cell in (f"{call.parts[part]:.1f}", f"{100 * call.parts[part] / call.whole:.0f}")
    ]


def _bar(call: split.Call, part: str) -> Text:
    """Where the parts before it end, this one begins; too small to be seen, it has none."""
    before = sum(spent for name, spent in call.parts.items() if _ORDER[name] < _ORDER[part])
    whole = sum(call.parts.values())
    begin, end = (round(_BAR * spent / whole) for spent in (before, before + call.parts[part]))
    if call.parts[part] < whole / _BAR / 8:
        return Text("")
    begin = min(begin, _BAR - 1)
    return Text(" " * begin + "\N{FULL BLOCK}" * max(end - begin, 1), style=_COLOURS[part])
