"""What `sriovctl apply` tells: each step while it is done, on standard error; what was done and what was not, at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from ..decide.wanted import Step
from ..words.errors import CniError
from .apply import Applied, PfOutcome, Reporter, Silent
from .gate import is_plain
from .screen import Screen, clean


class Lines(Silent):
    """A line a step, for a log."""

    def __init__(self, err: TextIO) -> None:
        self._screen = Screen(err)
        self._say = ""

    def waits(self, missing: list[str], wait_s: float) -> None:
        self._screen.line(f"waiting {wait_s:g} s at most: {'; '.join(missing)}")

    def begin(self, step: Step) -> None:
        self._say = step.say

    def end(self, error: CniError | None) -> None:
        told = self._say if error is None else f"failed: {self._say}"
        self._screen.line(told)


class Bars(Silent):
    """A bar a step, for who watches: 256 VFs that change their driver take half a minute."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen = screen
        self._progress = progress
        self._task = TaskID(0)

    def waits(self, missing: list[str], wait_s: float) -> None:
        for line in missing:
            self._screen.line(f"{line}; waiting {wait_s:g} s at most")

    def begin(self, step: Step) -> None:
        self._task = self._progress.add_task(clean(step.say), total=len(step.vfs) or None)

    def tick(self) -> None:
        self._progress.advance(self._task)

    def end(self, error: CniError | None) -> None:
        if error is not None:
            self._progress.stop_task(self._task)
            return
        total = self._progress.tasks[self._task].total or 1
        self._progress.update(self._task, total=total, completed=total)


@contextmanager
def reporter(err: TextIO, as_json: bool) -> Iterator[Reporter]:
    if as_json:
        yield Silent()
    elif is_plain(err):
        yield Lines(err)
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
            BarColumn(20),
            TimeElapsedColumn(),
        )
        screen = Screen(err)
        with Progress(*columns, console=screen.console) as progress:
            yield Bars(screen, progress)


def applied(out: TextIO, outcome: Applied) -> None:
    screen = Screen(out)
    for pf in outcome.pfs:
        _pf(screen, pf, outcome.dry_run)
    for trouble in outcome.troubles:
        _error(screen, trouble)
    if not outcome.pfs and not outcome.troubles:
        screen.line(f"{outcome.file} asks for nothing that this node has")


def _pf(screen: Screen, pf: PfOutcome, dry_run: bool) -> None:
    made = pf.plan
    where = "" if made.name == made.pf.pci_address else f" ({made.pf.pci_address})"
    screen.line(f"{made.name}{where}: {_verdict(pf, dry_run)}", "bold" if pf.is_good else "bold red")
    for step in made.steps if dry_run else pf.done:
        screen.line(f"{'would ' if dry_run else ''}{step.say}", "" if dry_run else "green", indent=2)
    for error in [*made.refused, *([pf.failed] if pf.failed else [])]:
        _error(screen, error, 2)
    for step in pf.undone[1:]:
        screen.line(f"not done: {step.say}", "yellow", indent=2)
    for line in made.left:
        screen.line(f"left: {line}", "yellow", indent=2)
    for line in made.notes:
        screen.line(f"note: {line}", "dim", indent=2)


def _verdict(pf: PfOutcome, dry_run: bool) -> str:
    if pf.plan.refused:
        return "nothing is done to it"
    if pf.failed is not None:
        return f"stopped after {len(pf.done)} steps" if pf.done else "stopped at its first step"
    if dry_run:
        return f"{len(pf.plan.steps)} to do" if pf.plan.steps else "as the file says"
    return f"{len(pf.done)} done" if pf.done else "as the file says"


def _error(screen: Screen, error: CniError, indent: int = 0) -> None:
    screen.line(error.msg, "red", indent)
    for line in error.details.splitlines():
        screen.line(line, indent=indent + 2)
