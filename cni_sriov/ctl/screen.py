"""Where all of sriovctl's tables and lines go."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

_PIPE_WIDTH = 1000  # a pipe wraps nothing


def console(out: TextIO) -> Console:
    width = None if out.isatty() else _PIPE_WIDTH
    return Console(file=out, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
