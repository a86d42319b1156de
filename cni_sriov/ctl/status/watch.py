"""`status --watch`: on a terminal the same table again and again, in a pipe a document a line."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ...words.failures import Failures
from ..arguments import Usage
from ..gate import is_plain
from ..screen import Screen
from ..tool import Tool, write_line
from . import devices, table
from .gather import Status


@dataclass(slots=True)
class View:
    """What of it is shown."""

    is_wide: bool = False
    only_devices: bool = False
    only_names: bool = False
    only_free: bool = False

    def show(self, screen: Screen, found: Status) -> None:
        if self.only_names:
            for vf in (vf for pf in found.pfs for vf in pf.vfs):
                screen.line(vf.vf.pci_address)
            return
        if self.only_free and not any(pf.vfs for pf in found.pfs):
            screen.line("no VF is free")
        if not self.only_devices:
            table.show(screen, found, self.is_wide)
        if self.is_wide and found.devices:
            screen.line("")
        if self.is_wide or self.only_devices:
            devices.show(screen, found)


def run(
    tool: Tool,
    look: Callable[[], Status],
    seconds: float,
    as_json: bool,
    view: View,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Until Ctrl-C, which is the caller's to answer. On a terminal a look that fails is told, and the next one is tried; with
    --json it is the last document.
    """
    if as_json:
        _documents(tool, look, seconds, pause)
    elif not is_plain(tool.out):
        _frames(tool, look, seconds, view, pause)
    elif tool.out.isatty():
        _pages(tool, look, seconds, view, pause)
    else:
        raise Usage(
            "watch the status: standard output is no terminal",
            "`sriovctl status --watch --json` prints a document a line",
        )


def _documents(
    tool: Tool, look: Callable[[], Status], seconds: float, pause: Callable[[float], None]
) -> None:
    while True:
        write_line(tool, look().to_json())
        pause(seconds)


def _pages(
    tool: Tool, look: Callable[[], Status], seconds: float, view: View, pause: Callable[[float], None]
) -> None:
    """One below the other, where no escape may be written."""
    screen = Screen(tool.out)
    while True:
        failures = Failures()
        with failures.of():
            view.show(screen, look())
        for sentence in failures.told:
            screen.line(f"could not be looked at: {sentence}")
        screen.line(_foot(seconds))
        screen.line("")
        pause(seconds)


def _foot(seconds: float) -> str:
    return f"{time.strftime('%H:%M:%S')}, every {seconds:g} s; Ctrl-C ends it"


def _frames(
    tool: Tool, look: Callable[[], Status], seconds: float, view: View, pause: Callable[[float], None]
) -> None:
    screen = Screen(tool.out)
    with Live(console=screen.console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_frame(screen, look, seconds, view), refresh=True)
            pause(seconds)


class _Drawn(io.StringIO):
    def isatty(self) -> bool:
        return True


def _frame(screen: Screen, look: Callable[[], Status], seconds: float, view: View) -> Group:
    """As high as the terminal: what does not fit is counted in the last line."""
    drawn, failures = _Drawn(), Failures()
    with failures.of():
        view.show(Screen(drawn, screen.width), look())
    lines = [Text.from_ansi(line) for line in drawn.getvalue().splitlines()]
    lines += [Text(f"could not be looked at: {sentence}", style="red") for sentence in failures.told]
    foot = _foot(seconds)
    room = screen.console.height - 2
    if len(lines) > room:
        foot = f"{len(lines) - room} more lines do not fit here; {foot}"
    return Group(*lines[:room], Text(foot, style="dim"))
