"""What the operator sees of `sriovctl vfs`: the PFs with counts, one PF's VFs, and what became of a number."""

from __future__ import annotations

from collections import Counter
from typing import Any, TextIO

from rich.text import Text

from .node import PfRow, VfRow
from .screen import Column, Screen, cell
from .status import table
from .vfs import Provision

_PFS = (
    *(Column("PF"), Column("PCI address"), Column("driver"), Column("link")),
    *(Column("VFs", is_right=True), Column("of", is_right=True)),
    *(Column("attached", is_right=True), Column("free", is_right=True), Column("other", is_right=True)),
)
_VFS = (
    *(Column("VF", is_right=True), Column("PCI address"), Column("driver"), Column("netdev")),
    *(Column("MAC"), Column("container", least=12)),
)


def ports(out: TextIO, rows: list[PfRow], notes: list[str]) -> None:
    screen = Screen(out)
    if not rows:
        screen.line("this node has no device that can have VFs (no sriov_totalvfs in /sys/bus/pci/devices)")
        return
    screen.table(_PFS, [_port(row) for row in rows])
    for row in rows:
        if row.offer is not None:
            name = row.pf.ifname or row.pf.pci_address
            screen.line(f"{name} has no VFs; {row.offer.why or 'create some'}: {row.offer.command}", "yellow")
    _notes(screen, notes)


def _port(row: PfRow) -> list[Text]:
    counts = Counter(vf.state for vf in row.vfs)
    attached, free = counts.pop("attached", 0), counts.pop("free", 0)
    up = table.link_state(row.link)
    numbers = (row.pf.numvfs, row.pf.totalvfs, attached, free, sum(counts.values()))
    return [*map(cell, (row.pf.ifname, row.pf.pci_address, row.pf.driver)), up, *map(cell, numbers)]


def port(out: TextIO, row: PfRow, notes: list[str]) -> None:
    screen = Screen(out)
    _head(screen, row, "has")
    _table(screen, row)
    if row.offer is not None:
        screen.line(f"{row.offer.why or 'create some'}: {row.offer.command}", "yellow")
    _notes(screen, notes)


def _head(screen: Screen, row: PfRow, has: str) -> None:
    name = row.pf.ifname or row.pf.pci_address
    screen.line(f"{name} {has} {row.pf.numvfs} of {row.pf.totalvfs} VFs", "bold")


def _table(screen: Screen, row: PfRow) -> None:
    if row.vfs:
        screen.table(_VFS, [_vf(vf) for vf in row.vfs])


def _vf(vf: VfRow) -> list[Text]:
    texts = (vf.vf.index, vf.vf.pci_address, vf.vf.driver, vf.netdev, vf.mac)
    return [*map(cell, texts), table.container(vf)]


def provision(out: TextIO, outcome: Provision) -> None:
    screen = Screen(out)
    if outcome.is_dry:
        _planned(screen, outcome)
    else:
        _head(screen, outcome.pf, "now has" if outcome.changed else "has")
        _table(screen, outcome.pf)
    for line in outcome.missing:
        screen.line(f"not ready: {line}", "red")
    _notes(screen, outcome.notes)
    if outcome.boot is not None:
        _boot(screen, outcome.boot, "would be " if outcome.is_dry else "")


def _notes(screen: Screen, notes: list[str]) -> None:
    for line in notes:
        screen.line(f"note: {line}", "yellow")


def _planned(screen: Screen, outcome: Provision) -> None:
    for line in outcome.plan:
        screen.line(f"would {line}", "bold")
    if not outcome.plan:
        row = outcome.pf.pf
        screen.line(f"{row.ifname or row.pci_address} has {row.numvfs} VFs already: nothing to do", "bold")


def _boot(screen: Screen, boot: dict[str, Any], would: str) -> None:
    for path in boot["written"]:
        screen.line(f"{would}written: {path}")
    for unit in boot["disabled"]:
        screen.line(f"{would}disabled, since {boot['file']} has its port: {unit}")
    screen.line(f"{would}enabled for each boot: {boot['unit']}")
