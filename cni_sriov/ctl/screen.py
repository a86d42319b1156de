"""The way onto a terminal, or into a pipe: lines and tables that are never cut, whatever the width.

In a pipe: no colours, no alignment, two blanks between cells and none within one, so that `awk -F'  '` reads each; a row
is a line. On a terminal: aligned; where a table does not fit, what can be folded is; where that does not do, a row
becomes a block of lines. NO_COLOR and TERM=dumb: no escape at all. Control characters of a name are shown, not obeyed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from rich.console import Console
from rich.text import Text

from ..words.shown import one_line
from .gate import is_plain

_USUAL = 80  # columns, where nobody says
_GAP, _NARROW_GAP = 2, 1
_LEAST = 8  # columns of a line, however narrow the terminal says it is


@dataclass(slots=True, frozen=True)
class Column:
    """`least`: to how many columns it may be folded; 0 = it may not."""

    title: str
    is_right: bool = False
    least: int = 0


def cell(text: object, style: str = "") -> Text:
    """Never empty: who counts columns counts on it."""
    shown = clean(str(text))
    return Text(shown, style=style) if shown else Text("-", style="dim")


def clean(text: str) -> str:
    """Nothing that a terminal would obey, and no two blanks in a row."""
    return re.sub(" {2,}", " ", one_line(text)).strip()


def amount(number: int) -> str:
    """Three digits and a unit of 1000, as `ip -s -h` has it."""
    size, units = float(number), iter(("", "k", "M", "G", "T", "P", "E"))
    unit = next(units)
    while size >= 999.5:
        size, unit = size / 1000, next(units)
    return f"{size:.1f}{unit}" if unit and size < 9.95 else f"{size:.0f}{unit}"


class Screen:
    def __init__(self, out: IO[str], width: int = 0) -> None:
        self.is_terminal = out.isatty()
        self.width = width or _columns(out)  # rich takes 80 for TERM=dumb
        self.console = Console(
            file=out,
            color_system=None if is_plain(out) else "auto",
            force_terminal=self.is_terminal,
            width=self.width,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def line(self, text: str | Text, style: str = "", indent: int = 0, again: str = "  ") -> None:
        """Wrapped at blanks on a terminal; what follows begins with `again`."""
        shown = _tame(text) if isinstance(text, Text) else Text(clean(text), style=style)
        if not self.is_terminal:
            self._put(Text(" " * indent) + shown)
            return
        room = max(self.width - indent - 2, _LEAST)
        for number, part in enumerate(self._folded(shown, room + (2 if shown.cell_len <= room + 2 else 0))):
            self._put(Text(" " * indent + (again if number else "")) + part)

    def command(self, text: str, style: str = "", indent: int = 0) -> None:
        """One line, as it is to be copied: where it is longer than the terminal is wide, that begins a new one."""
        self._put(Text(" " * indent + one_line(text), style=style))

    def ask(self, question: str) -> None:
        """The answer is typed behind it."""
        self.console.print(Text(clean(question)), end=" ", soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> None:
        head = [Text(column.title, style="bold") for column in columns]
        rows = [[_tame(text) for text in row] for row in rows]
        if not self.is_terminal:
            for row in (head, *rows):
                self._put(Text("  ").join(row))
            return
        natural = [max(row[n].cell_len for row in (head, *rows)) for n in range(len(columns))]
        gap = _GAP if sum(natural) + _GAP * (len(columns) - 1) <= self.width else _NARROW_GAP
        widths = _folded_to(natural, columns, self.width - gap * (len(columns) - 1))
        if widths is None:
            self._blocks(head, rows)
            return
        for row in (head, *rows):
            self._row(row, columns, widths, gap)

    def _row(self, row: Sequence[Text], columns: Sequence[Column], widths: list[int], gap: int) -> None:
        parts = [self._folded(text, width) for text, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, parts))):
            line = Text()
            for column, width, part in zip(columns, widths, parts, strict=True):
                shown = part[number] if number < len(part) else Text()
                blanks = " " * (width - shown.cell_len)
                line += Text(blanks) + shown if column.is_right else shown + Text(blanks)
                line.append(" " * gap)
            self._put(line)

    def _blocks(self, head: list[Text], rows: Sequence[Sequence[Text]]) -> None:
        """Each row a paragraph of `title value`; what is empty is left out."""
        for row in rows:
            pieces = [
                title + Text(" ") + text for title, text in zip(head, row, strict=True) if text.plain != "-"
            ]
            self._paragraph(pieces)

    def _paragraph(self, pieces: list[Text]) -> None:
        """As many in a line as there is room for; the lines that follow are further in."""
        line = Text()
        for piece in pieces:
            is_alone = piece.cell_len > self.width - _GAP
            if line and (is_alone or line.cell_len + _GAP + piece.cell_len > self.width):
                self._put(line)
                line = Text(" " * _GAP)
            elif line:
                line.append(" " * _GAP)
            *done, last = self._folded(piece, self.width - _GAP)
            for part in done:
                self._put(Text(" " * _GAP) + part)
            line = Text(" " * _GAP) + last if done else line + last
        self._put(line)

    def _folded(self, text: Text, width: int) -> list[Text]:
        if text.cell_len <= width:
            return [text]
        parts = list(text.wrap(self.console, max(width, 1), overflow="fold"))
        for part in parts:
            part.rstrip()
        return parts

    def _put(self, text: Text) -> None:
        """All that is shown comes by here: whatever made it, no terminal obeys it."""
        text = _tame(text)
        text.rstrip()
        self.console.print(text, soft_wrap=True)


def _tame(text: Text) -> Text:
    return text if text.plain.isprintable() else Text(one_line(text.plain), style=text.style)


def _columns(out: IO[str]) -> int:
    """As shutil has it, but of where it goes: standard output may be a pipe, and standard error a terminal."""
    with suppress(OSError, ValueError):
        if not os.environ.get("COLUMNS") and out.isatty():
            return os.get_terminal_size(out.fileno()).columns or _USUAL
    return shutil.get_terminal_size((_USUAL, 0)).columns


def _folded_to(natural: list[int], columns: Sequence[Column], room: int) -> list[int] | None:
    """Widths that fit: the widest of what can be folded gives first. None if that is not enough."""
    widths = list(natural)
    while sum(widths) > room:
        giving = [n for n, column in enumerate(columns) if column.least and widths[n] > column.least]
        if not giving:
            return None
        widest = max(giving, key=lambda n: widths[n])
        widths[widest] -= 1
    return widths
