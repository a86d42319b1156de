"""Show the stages of `prepare`: a live list on a terminal, one plain line per stage anywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .ready import Note

QUICK_S = 0.15  # a stage that was in the cache is not worth a line on paper


@dataclass
class Row:
    """One stage as it is shown."""

    title: str
    started: float = field(default_factory=time.monotonic)
    took: float | None = None
    note: str = ""
    failed: bool = False
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return self.took if self.took is not None else time.monotonic() - self.started

    def mark(self) -> Text | Spinner:
        """Its state in one character."""
        if self.failed:
            return Text("✗", style="red")
        return self.spinner if self.took is None else Text("✓", style="green")


class Progress:
    """Call it with a title to open a stage; leave the stage to end it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rows: list[Row] = []
        self._live: Live | None = None
        self._started = time.monotonic()

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._render, console=self._console, refresh_per_second=12)
        return self

    def __exit__(self, *_problem: object) -> None:
        if self._live is not None and self._rows:
            self._live.stop()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    @property
    def shown(self) -> bool:
        """Whether there was anything to do."""
        return bool(self._rows)

    @contextlib.contextmanager
    def __call__(self, title: str) -> Iterator[Note]:
        """One stage; the value is a function that says something about it."""
        row = Row(title)
        if self._live is not None and not self._rows:
            self._console.print(
                Text("cni-sriov lab", style="bold"),
                Text("a machine with a two-port SR-IOV card", style="dim"),
            )
            self._live.start()
        self._rows.append(row)

        def note(text: str) -> None:
            row.note = text

        try:
            yield note
        except BaseException:
            row.failed = True
            raise
        finally:
            row.took = row.seconds
            self._print(row)

    def _print(self, row: Row) -> None:
        if self._live is None and (row.failed or row.seconds > QUICK_S):
            state = "failed" if row.failed else "done"
            self._console.print(
                f"lab: {row.title:<14} {state} {row.seconds:6.1f} s  {row.note}",
                highlight=False,
                soft_wrap=True,
            )

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=2, justify="right")
        table.add_column(min_width=14)
        table.add_column(justify="right", min_width=8, style="cyan")
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
        for row in self._rows:
            title = Text(row.title, style="bold" if row.took is None else "")
            table.add_row(row.mark(), title, f"{row.seconds:.1f} s", row.note)
        return table
