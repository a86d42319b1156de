"""The doctor's findings as text: severity, sentence, what was seen where, what to do; the last line counts."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from ...decide.doctor import About
from ...decide.trouble import Trouble
from ..screen import Column, Screen, cell, clean

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_WIDTH = max(map(len, _STYLES))


def troubles(out: TextIO, found: list[Trouble]) -> None:
    screen = Screen(out)
    for trouble in found:
        shown = trouble.severity.ljust(_WIDTH) if screen.is_terminal else trouble.severity
        line = Text(f"{shown} ", style=_STYLES[trouble.severity])
        if trouble.subject not in trouble.why:
            line.append(clean(f"{trouble.subject}:") + " ", style="bold")
        line.append(clean(trouble.why), style="default")
        line.append(f" [{trouble.rule}]", style="dim")
        screen.line(line)
        for one in trouble.evidence:
            screen.line(f"{one.source}: {one.said}", "dim", indent=2)
        for command in trouble.remedy.split("\n"):
            if command.startswith("#"):
                screen.line(command, indent=4, again="# ")
            else:
                screen.command(command, "bold", indent=4)
    screen.line(_verdict(found))


def _verdict(found: list[Trouble]) -> Text:
    numbers = {severity: sum(one.severity == severity for one in found) for severity in _STYLES}
    worst = next((severity for severity in ("error", "warning") if numbers[severity]), "")
    words = (f"{number or 'no'} {name}{'' if number == 1 else 's'}" for name, number in numbers.items())
    return Text(", ".join(words), style=_STYLES.get(worst, "green"))


def rules(out: TextIO, known: list[About]) -> None:
    """A line each."""
    columns = (Column("rule"), Column("severity"), Column("when", least=20))
    Screen(out).table(columns, [list(map(cell, _cells(about))) for about in known])


def _cells(about: About) -> tuple[str, str, str]:
    return about.name, about.severities.replace(", ", "|"), about.when
