"""What the operator sees: tables by rich, in a pipe without colours. Costs 60 ms to import; --json does without."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..conf.hostsubnet import SCOPE
from ..words.shown import short_id
from .baseline import Row
from .finding import Finding
from .importer import Imported
from .screen import cell, console_of
from .verdict import Verdict
from .vfs import Provision

_WIDE = 100
_FOLDED = {"container": 12, "subnet": 14}  # with what they shrink to in a narrow terminal


def _table(console: Console, *columns: str) -> Table:
    """No lines, so that a table of the usual names fits 80 columns and `awk` reads it."""
    gap = 2 if console.width >= _WIDE else 1
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for title in columns:
        if title in _FOLDED:
            table.add_column(title, overflow="fold", min_width=_FOLDED[title])
        else:
            table.add_column(title, justify="right" if title in {"VF", "VLAN"} else "left", no_wrap=True)
    return table


# vfs ------------------------------------------------------------------------------------------------------


def vfs(out: TextIO, outcome: Provision) -> None:
    row = outcome.pf
    console = console_of(out)
    name = row.pf.ifname or row.pf.pci_address
    done = "now has" if outcome.changed else "has"
    console.print(Text(f"{name} {done} {row.pf.numvfs} of {row.pf.totalvfs} VFs", style="bold"))
    if row.vfs:
        table = _table(console, "VF", "PCI address", "driver", "netdev", "MAC")
        for vf in row.vfs:
            cells = (vf.vf.pci_address, vf.vf.driver, vf.netdev, vf.mac)
            table.add_row(str(vf.vf.index), *map(cell, cells))
        console.print(table)
    for line in outcome.missing:
        console.print(Text(f"not ready: {line}", style="red"))
    for line in outcome.notes:
        console.print(Text(f"note: {line}", style="yellow"))


# leases and gc -------------------------------------------------------------------------------------------------------


def leases(out: TextIO, found: list[dict[str, Any]]) -> None:
    console = console_of(out)
    if not found:
        console.print("no leases")
        return
    columns = ["subnet", "address", "gateway", "network", "container"]
    if any(lease["sticky"] for lease in found):
        columns.append("kept for")
    if any(lease["scope"] != SCOPE for lease in found):
        columns.append("scope")
    table = _table(console, *columns)
    for lease in found:
        who = f"{short_id(lease['containerID'])}/{lease['ifname']}" if lease["containerID"] else ""
        address = lease["address"].partition("/")[0]
        cells = lease | {"container": who, "kept for": lease["sticky"], "address": address}
        table.add_row(*(cell(cells[column]) for column in columns))
    console.print(table)


def gc(out: TextIO, items: list[Verdict], dry_run: bool) -> None:
    """A line for each, so that the numbers are those of the lines."""
    console = console_of(out)
    taken, left = [item for item in items if item.taken], [item for item in items if not item.taken]
    verb = "would be taken back" if dry_run else "taken back"
    console.print(Text(f"{len(taken) or 'nothing'} {verb}", style="bold"))
    for item in taken:
        console.print(_verdict(item))
    if left:
        console.print(Text(f"{len(left)} left", style="bold"))
    for item in left:
        console.print(_verdict(item, "dim"))


def _verdict(item: Verdict, style: str = "") -> Text:
    owner = f" of {item.owner}" if item.owner else ""
    return Text(f"  {item.what}{owner}: {item.reason}", style=style)


def imported(out: TextIO, outcome: Imported) -> None:
    console = console_of(out)
    new = [item for item in outcome.items if not item.done]
    verb = "would be leased" if outcome.dry_run else "leased"
    console.print(
        Text(f"{len(new) or 'nothing'} {verb}, {len(outcome.items) - len(new)} leased before", style="bold")
    )
    for item in new:
        console.print(Text(f"  {', '.join(lease.subnet for lease in item.leases)} to {item.attachment}"))
    _skipped(console, outcome)
    if not outcome.dry_run:
        console.print(
            Text(
                "host-local's files are left as they are. When the new configuration is in place:",
                style="dim",
            )
        )
        console.print(Text(f"  rm -r {outcome.directory}", style="dim"))


def _skipped(console: Console, outcome: Imported) -> None:
    if not outcome.skipped:
        return
    console.print(
        Text(
            f"{_count(len(outcome.skipped), 'file')} skipped, whose address nobody else gets:", style="yellow"
        )
    )
    for skipped in outcome.skipped:
        console.print(Text(f"  {skipped.unclear.file} {skipped.unclear.why}; {skipped.kept}"))
    remedy = "Where no container has such an address any more: remove the file, and import again."
    console.print(Text(remedy, style="dim"))


# baseline ------------------------------------------------------------------------------------------------------------


def baseline(out: TextIO, rows: list[Row]) -> None:
    """Of one VF all that is kept, of more what differs."""
    console = console_of(out)
    for row in rows:
        state = row.note or ("differs" if row.differs else "as it was")
        name = f"{row.pf.ifname or row.pf.pci_address} vf {row.index} {row.vf}"
        console.print(Text(f"{name}: {state}", style="" if row.note else "red" if row.differs else "green"))
        for line in row.differs:
            console.print(Text(f"  {line}", style="red"))
    for row in rows if len(rows) == 1 else []:
        for key, value in row.kept():
            console.print(Text(f"  {key}: {value}", style="dim"))


# validate ------------------------------------------------------------------------------------------------------------


_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def findings(out: TextIO, file: str, found: list[Finding]) -> None:
    console = console_of(out)
    for finding in found:
        line = Text(finding.severity.ljust(8), style=_STYLES[finding.severity])
        line.append(f"{finding.document}: " if finding.document else "")
        line.append(f"{finding.path or '(the whole)'}", style="bold")
        line.append(f"{' = ' + finding.value if finding.value else ''}: {finding.rule}")
        console.print(line)
    errors, warnings = (sum(f.severity == severity for f in found) for severity in ("error", "warning"))
    verdict = f"{file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    console.print(Text(verdict, style="red" if errors else "green"))


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
