"""The doctor's findings as text: severity, sentence, what was seen where, what to do; the last line counts."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from ...decide.doctor import About
from ...decide.trouble import Trouble
from ...words.shown import one_line
from ..screen import console_of

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def troubles(out: TextIO, found: list[Trouble]) -> None:
    console = console_of(out)
    for trouble in found:
        line = Text(trouble.severity.ljust(8), style=_STYLES[trouble.severity])
        if trouble.subject not in trouble.why:
            line.append(one_line(f"{trouble.subject}: "), style="bold")
        line.append(one_line(trouble.why), style="default")
        line.append(f" [{trouble.rule}]", style="dim")
        console.print(line)
        for one in trouble.evidence:
            console.print(Text(one_line(f"  {one.source}: {one.said}"), style="dim"), soft_wrap=True)
        for command in trouble.remedy.split("\n"):
            style = "" if command.startswith("#") else "bold"
            console.print(Text(one_line(f"    {command}"), style=style), soft_wrap=True)
    console.print(_verdict(found))


def _verdict(found: list[Trouble]) -> Text:
    numbers = {severity: sum(one.severity == severity for one in found) for severity in _STYLES}
    worst = next((severity for severity in ("error", "warning") if numbers[severity]), "")
    words = (f"{number or 'no'} {name}{'' if number == 1 else 's'}" for name, number in numbers.items())
    return Text(", ".join(words), style=_STYLES.get(worst, "green"))


def rules(out: TextIO, known: list[About]) -> None:
    """A line each."""
    console = console_of(out)
    widths = [max(len(cell) for cell in column) for column in zip(*map(_cells, known), strict=True)]
    for about in known:
        name, severities, when = _cells(about)
        console.print(Text(f"{name.ljust(widths[0])}  {severities.ljust(widths[1])}  {when}"))


def _cells(about: About) -> tuple[str, str, str]:
    return about.name, about.severities.replace(", ", "|"), about.when
