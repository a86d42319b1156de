"""What `sriovctl apply` tells: each step while it is done, on standard error; what was done and what was not, at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..decide.wanted import Step
from ..words.errors import CniError
from ..words.shown import one_line
from .apply import Applied, PfOutcome, Reporter, Silent
from .screen import console_of


class Lines(Silent):
    """A line a step, for a log."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._say = ""

    def waits(self, missing: list[str], wait_s: float) -> None:
        self._err.write(f"waiting {wait_s:g} s at most: {'; '.join(missing)}\n")
        self._err.flush()

    def begin(self, step: Step) -> None:
        self._say = step.say

    def end(self, error: CniError | None) -> None:
        told = self._say if error is None else f"failed: {self._say}"
        self._err.write(f"{one_line(told)}\n")
        self._err.flush()


class Bars(Silent):
    """A bar a step, for who watches: 256 VFs that change their driver take half a minute."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = TaskID(0)

    def waits(self, missing: list[str], wait_s: float) -> None:
        for line in missing:
            self._progress.console.print(Text(f"{line}; waiting {wait_s:g} s at most"))

    def begin(self, step: Step) -> None:
        self._task = self._progress.add_task(step.say, total=len(step.vfs) or None)

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
    elif not err.isatty():
        yield Lines(err)
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(file=err)) as progress:
            yield Bars(progress)


def applied(out: TextIO, outcome: Applied) -> None:
    screen = console_of(out)
    for pf in outcome.pfs:
        _pf(screen, pf, outcome.dry_run)
    for trouble in outcome.troubles:
        _error(screen, trouble)
    if not outcome.pfs and not outcome.troubles:
        screen.print(Text(f"{outcome.file} asks for nothing that this node has"))


def _pf(screen: Console, pf: PfOutcome, dry_run: bool) -> None:
    made = pf.plan
    where = "" if made.name == made.pf.pci_address else f" ({made.pf.pci_address})"
    screen.print(
        Text(f"{made.name}{where}: {_verdict(pf, dry_run)}", style="bold" if pf.is_good else "bold red")
    )
    for step in made.steps if dry_run else pf.done:
        screen.print(Text(f"  {'would ' if dry_run else ''}{step.say}", style="" if dry_run else "green"))
    for error in [*made.refused, *([pf.failed] if pf.failed else [])]:
        _error(screen, error, "  ")
    for step in pf.undone[1:]:
        screen.print(Text(f"  not done: {step.say}", style="yellow"))
    for line in made.left:
        screen.print(Text(f"  left: {line}", style="yellow"))
    for line in made.notes:
        screen.print(Text(f"  note: {line}", style="dim"))


def _verdict(pf: PfOutcome, dry_run: bool) -> str:
    if pf.plan.refused:
        return "nothing is done to it"
    if pf.failed is not None:
        return f"stopped after {len(pf.done)} steps" if pf.done else "stopped at its first step"
    if dry_run:
        return f"{len(pf.plan.steps)} to do" if pf.plan.steps else "as the file says"
    return f"{len(pf.done)} done" if pf.done else "as the file says"


def _error(screen: Console, error: CniError, indent: str = "") -> None:
    screen.print(Text(f"{indent}{error.msg}", style="red"))
    for line in error.details.splitlines():
        screen.print(Text(f"{indent}  {line}"))
