"""`status --devices`: dpdk-devbind's sections, a line for each device, in its words."""

from __future__ import annotations

from rich.text import Text

from ..node import PfRow, VfRow
from ..screen import Screen, clean
from .classes import KINDS
from .gather import Status
from .sections import Bound, sections
from .table import container


def show(screen: Screen, found: Status) -> None:
    owners = {vf.vf.pci_address: (pf, vf) for pf in found.pfs for vf in pf.vfs}
    for number, section in enumerate(sections(found.devices)):
        if number and screen.is_terminal:
            screen.line("")
        screen.line(section.title, "bold")
        for row in section.rows:
            screen.line(_line(row, owners.get(row.device.address)), indent=2 if screen.is_terminal else 0)
    there = {row.kind for row in found.devices}
    missing = [title for kind, (title, _) in KINDS.items() if kind not in there]
    if missing and not found.is_part:
        screen.line(f"No {', '.join(missing)} devices", "dim")


def _line(row: Bound, owner: tuple[PfRow, VfRow] | None) -> Text:
    device = row.device
    name = f"{row.model} {device.device:04x}" if row.model else f"{device.vendor:04x}:{device.device:04x}"
    said = [device.address, f"'{name}'"]
    if device.netdevs:
        said.append(f"if={','.join(device.netdevs)}")
    if device.driver:
        said.append(f"drv={device.driver}")
    said.append(f"unused={','.join(row.unused)}")
    if device.group:
        said.append(f"group={device.group}")
    if device.numa_node >= 0:
        said.append(f"numa={device.numa_node}")
    line = Text(clean(" ".join(said)))
    if owner is not None:
        pf, vf = owner
        line.append(f" vf={clean(pf.pf.ifname or pf.pf.pci_address)}/{vf.vf.index}")
        line += Text(" ") + container(vf) if vf.record is not None else Text()
    if row.is_active:
        line.append(" *Active*", style="bold red")
    return line
