"""The story as a timeline."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...words.shown import one_line
from ..screen import console_of
from .events import Event
from .teller import Story, Told

_LAST = 200  # of the events; a VF may have had thousands of containers


def told(out: TextIO, found: Told) -> None:
    screen = console_of(out)
    for story in found.stories:
        _story(screen, story)
    for note in found.notes:
        screen.print(Text(one_line(note), style="dim"))


def _story(screen: Console, story: Story) -> None:
    screen.print(Text(one_line(_title(story)), style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("step", no_wrap=True)
    for title in ("what", "result"):
        table.add_column(title, overflow="fold")
    for event in story.events[-_LAST:]:
        table.add_row(*_cells(event))
    screen.print(table)
    left = len(story.events) - _LAST
    if left > 0:
        screen.print(Text(f"{left} earlier ones are left out; --json has them", style="dim"))


def _title(story: Story) -> str:
    who = story.subject.attachment
    if who is None:
        return f"VF {story.subject.vf} ({story.place}): nobody has it"
    has = "on" if story.subject.record is not None else "finished; it was on"
    if story.subject.record is not None and not story.subject.vf:
        return f"{who}: on {story.place}"
    return f"{who}: {has} VF {story.subject.vf} ({story.place})" if story.subject.vf else f"{who}: finished"


def _cells(event: Event) -> tuple[Text, ...]:
    style = "yellow" if event.is_bad else ""
    words = (event.time, event.step, event.what, event.result)
    return tuple(Text(one_line(word) or "-", style=style if word else "dim") for word in words)
