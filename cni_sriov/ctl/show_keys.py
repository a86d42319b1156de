"""What the operator sees of a configuration's key."""

from __future__ import annotations

from typing import TextIO

from .keyhelp import Found
from .screen import Screen


def show(out: TextIO, found: Found, notes: list[str]) -> None:
    screen = Screen(out)
    for one in found.meanings:
        screen.line(f"{one.key.name}, of {one.file}", "bold")
        screen.line(one.key.about, indent=2)
        screen.line(f"value: {one.key.value}", indent=2)
        screen.line(f"default: {one.key.default or 'none'}", indent=2)
        if one.below:
            screen.line(f"keys: {', '.join(one.below)}", indent=2)
        for code, when in one.key.errors:
            screen.line(f"error {code}: {when}", indent=2)
    for note in [*found.notes, *notes]:
        screen.line(note, "dim")
