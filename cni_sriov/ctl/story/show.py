"""The story as a timeline."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from ..screen import Column, Screen, cell
from .events import Event
from .teller import Story, Told

_COLUMNS = (Column("time (UTC)"), Column("step"), Column("what", least=12), Column("result", least=12))
_LAST = 200  # of the events; a VF may have had thousands of containers


def told(out: TextIO, found: Told) -> None:
    screen = Screen(out)
    for story in found.stories:
        _story(screen, story)
    for note in found.notes:
        screen.line(note, "dim")


def _story(screen: Screen, story: Story) -> None:
    screen.line(_title(story), "bold")
    screen.table(_COLUMNS, [_cells(event) for event in story.events[-_LAST:]])
    left = len(story.events) - _LAST
    if left > 0:
        screen.line(f"{left} earlier ones are left out; --json has them", "dim")


def _title(story: Story) -> str:
    who = story.subject.attachment
    if who is None:
        return f"VF {story.subject.vf} ({story.place}): nobody has it"
    has = "on" if story.subject.record is not None else "finished; it was on"
    if story.subject.record is not None and not story.subject.vf:
        return f"{who}: on {story.place}"
    return f"{who}: {has} VF {story.subject.vf} ({story.place})" if story.subject.vf else f"{who}: finished"


def _cells(event: Event) -> list[Text]:
    style = "yellow" if event.is_bad else ""
    return [cell(word, style) for word in (event.time, event.step, event.what, event.result)]
