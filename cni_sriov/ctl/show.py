"""What the operator sees. Costs 60 ms to import, for rich; --json does without."""

from __future__ import annotations

from typing import Any, TextIO

from rich.text import Text

from ..conf.hostsubnet import SCOPE
from ..words.shown import short_id
from .baseline import Row
from .importer import Imported
from .screen import Column, Screen, cell, clean
from .validate import Report
from .verdict import Verdict

_FOLDED = {"container": 12, "subnet": 14, "kept for": 8}  # with what they shrink to in a narrow terminal


def _columns(*titles: str) -> list[Column]:
    return [Column(title, least=_FOLDED.get(title, 0)) for title in titles]


# leases and gc -------------------------------------------------------------------------------------------------------


def leases(out: TextIO, found: list[dict[str, Any]]) -> None:
    screen = Screen(out)
    if not found:
        screen.line("no leases")
        return
    columns = ["subnet", "address", "gateway", "network", "container"]
    if any(lease["sticky"] for lease in found):
        columns.append("kept for")
    if any(lease["scope"] != SCOPE for lease in found):
        columns.append("scope")
    rows = []
    for lease in found:
        who = f"{short_id(lease['containerID'])}/{lease['ifname']}" if lease["containerID"] else ""
        address = lease["address"].partition("/")[0]
        cells = lease | {"container": who, "kept for": lease["sticky"], "address": address}
        rows.append([cell(cells[column]) for column in columns])
    screen.table(_columns(*columns), rows)


def gc(out: TextIO, items: list[Verdict], dry_run: bool) -> None:
    """A line for each, so that the numbers are those of the lines."""
    screen = Screen(out)
    taken, left = [item for item in items if item.taken], [item for item in items if not item.taken]
    verb = "would be taken back" if dry_run else "taken back"
    screen.line(f"{len(taken) or 'nothing'} {verb}", "bold")
    for item in taken:
        screen.line(_verdict(item), indent=2)
    if left:
        screen.line(f"{len(left)} left", "bold")
    for item in left:
        screen.line(_verdict(item), "dim", indent=2)


def _verdict(item: Verdict) -> str:
    owner = f" of {item.owner}" if item.owner else ""
    return f"{item.what}{owner}: {item.reason}"


def imported(out: TextIO, outcome: Imported) -> None:
    screen = Screen(out)
    new = [item for item in outcome.items if not item.done]
    verb = "would be leased" if outcome.dry_run else "leased"
    screen.line(
        f"{len(new) or 'nothing'} {verb}, {len(outcome.items) - len(new)} leased before", style="bold"
    )
    for item in new:
        screen.line(f"{', '.join(lease.subnet for lease in item.leases)} to {item.attachment}", indent=2)
    if outcome.blocks:
        verb = "would be claimed" if outcome.dry_run else "claimed"
        screen.line(f"{verb} of the shared pool: {', '.join(outcome.blocks)}", indent=2)
    _skipped(screen, outcome)
    if not outcome.dry_run:
        screen.line(
            "host-local's files are left as they are. When the new configuration is in place:", style="dim"
        )
        screen.command(f"rm -r {outcome.directory}", "dim", indent=2)


def _skipped(screen: Screen, outcome: Imported) -> None:
    if not outcome.skipped:
        return
    screen.line(f"{_count(len(outcome.skipped), 'file')} skipped, whose address nobody else gets:", "yellow")
    for skipped in outcome.skipped:
        screen.line(f"{skipped.unclear.file} {skipped.unclear.why}; {skipped.kept}", indent=2)
    remedy = "Where no container has such an address any more: remove the file, and import again."
    screen.line(remedy, "dim")


# baseline ------------------------------------------------------------------------------------------------------------


def baseline(out: TextIO, rows: list[Row]) -> None:
    """Of one VF all that is kept, of more what differs."""
    screen = Screen(out)
    for row in rows:
        state = row.note or ("differs" if row.differs else "as it was")
        name = f"{row.pf.ifname or row.pf.pci_address} vf {row.index} {row.vf}"
        screen.line(f"{name}: {state}", "" if row.note else "red" if row.differs else "green")
        for line in row.differs:
            screen.line(line, "red", indent=2)
    for row in rows if len(rows) == 1 else []:
        for key, value in row.kept():
            screen.line(f"{key}: {value}", "dim", indent=2)


# validate ------------------------------------------------------------------------------------------------------------


_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def findings(out: TextIO, report: Report) -> None:
    """FILE:LINE:COLUMN first, as compilers have it: editors and people know what to do with that."""
    screen = Screen(out)
    for finding in report.findings:
        where = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file
        line = Text(f"{clean(where)}: ")
        line.append(f"{finding.severity}: ", style=_STYLES[finding.severity])
        document = clean(finding.document.removeprefix(finding.file.rpartition("/")[2]))
        line.append(f"{document}: " if document else "")
        line.append(clean(finding.path), style="bold")
        told = [" = "] * bool(finding.path and finding.value) + [clean(finding.value)]
        line.append("".join(told) + (": " if finding.path or finding.value else ""))
        line.append(clean(finding.rule))
        screen.line(line)
    errors, warnings = report.number("error"), report.number("warning")
    verdict = f"{report.name}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    screen.line(verdict, "red" if errors else "green")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
