"""What an operator sees of `status`: a row for each VF (each lease, where it has several), a line for each PF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from ...kernel.counters import Counters
from ...words.domain import Link
from ...words.lease import Lease
from ...words.record import VfState
from ...words.shown import short_name
from .. import keepers
from ..node import PfRow, VfRow
from ..owned import pod_of
from ..screen import Column, Screen, amount, cell, clean
from .gather import Status
from .taps import Tap

_STATES = {"free": "green", "attached": ""}
_PLAIN = (
    Column("PF"),
    Column("VF", is_right=True),
    Column("driver"),
    Column("MAC"),
    Column("VLAN", is_right=True),
    Column("container", least=12),
    Column("subnet", least=14),
)
_WIDE = (
    *(Column("PF"), Column("VF", is_right=True), Column("PCI address"), Column("driver"), Column("netdev")),
    *(Column("MAC"), Column("VLAN", is_right=True), Column("link"), Column("MTU", is_right=True)),
    *(Column("spoofchk"), Column("trust"), Column("rate", is_right=True)),
    *(Column("IOMMU", is_right=True), Column("NUMA", is_right=True)),
    *(Column("rx", is_right=True), Column("tx", is_right=True)),
    *(
        Column("container", least=12),
        Column("network", least=8),
        Column("subnet", least=14),
        Column("address"),
    ),
)


def show(screen: Screen, found: Status, is_wide: bool = False) -> None:
    if not found.pfs:
        screen.line("this node has no device that can have VFs (no sriov_totalvfs in /sys/bus/pci/devices)")
    rows = [row for pf in found.pfs for row in _rows(screen, pf, is_wide)]
    if rows:
        screen.table(_WIDE if is_wide else _PLAIN, rows)
    for pf in found.pfs:
        screen.line(pf_line(pf, is_wide))
    for tap in found.taps:
        screen.line(tap_line(tap))
    _show_abandoned(screen, found)
    for one in found.unreadable:
        screen.line(f"{one['file']} cannot be read: {one['reason']}; {one['remedy']}", "red")
    for sentence in found.unseen:
        screen.line(f"could not be looked at: {sentence}", "yellow")


def _show_abandoned(screen: Screen, found: Status) -> None:
    rows: list[VfRow | Tap] = [*(vf for pf in found.pfs for vf in pf.vfs), *found.taps]
    for row in rows:
        if row.record is not None and row.kept_by:
            who = short_name(row.record.attachment)
            screen.line(f"{who}: {keepers.sentence(row.record.attachment, row.kept_by)}", "yellow")


def _rows(screen: Screen, pf: PfRow, is_wide: bool) -> Iterator[list[Text]]:
    """What a line above says, too, is dim."""
    for number, vf in enumerate(pf.vfs):
        for again, lease in enumerate(vf.leases or [None]):
            row = _wide(screen, pf, vf, lease) if is_wide else _plain(pf, vf, lease)
            row[0].stylize("dim" if number or again else "")
            for text in row[1:-2] if again else []:
                text.stylize("dim")
            yield row


def _plain(pf: PfRow, vf: VfRow, lease: Lease | None) -> list[Text]:
    return [
        cell(pf.pf.ifname or pf.pf.pci_address or vf.vf.pci_address),
        cell(vf.vf.index),
        cell(vf.vf.driver),
        cell(vf.mac),
        cell(vf.vlan or ""),
        container(vf),
        cell(lease.subnet if lease else ""),
    ]


def _wide(screen: Screen, pf: PfRow, vf: VfRow, lease: Lease | None) -> list[Text]:
    name, index, driver, mac, vlan, who, subnet = _plain(pf, vf, lease)
    device = vf.more.device if vf.more else None
    link = vf.more.link if vf.more else None
    passed = vf.more.counters if vf.more else None
    is_known = device is not None and device.numa_node >= 0
    return [
        *(name, index, cell(vf.vf.pci_address), driver, cell(vf.netdev), mac, vlan),
        *(link_state(link), cell(link.mtu if link else "")),
        *_knobs(vf.admin),
        *(cell(device.group if device else ""), cell(device.numa_node if device and is_known else "")),
        *map(cell, _passed(screen, passed)),
        *(who, cell(vf.record.network if vf.record else ""), subnet, cell(_address(lease))),
    ]


def _address(lease: Lease | None) -> str:
    return lease.address.partition("/")[0] if lease else ""


def _passed(screen: Screen, counted: Counters | None) -> tuple[str, str]:
    """Bytes: short on a terminal, whole in a pipe."""
    if counted is None:
        return "", ""
    shown = amount if screen.is_terminal else str
    return shown(counted.rx_bytes), shown(counted.tx_bytes)


def _knobs(admin: VfState | None) -> list[Text]:
    if admin is None:
        return [cell(""), cell(""), cell("")]
    words = {True: "on", False: "off", None: ""}
    rates = [str(rate) for rate in (admin.min_tx_rate, admin.max_tx_rate) if rate]
    return [cell(words[admin.spoofchk]), cell(words[admin.trust]), cell("-".join(rates))]


def link_state(link: Link | None) -> Text:
    if link is None:
        return cell("")
    if not link.is_up:
        return cell("down", "dim")
    return cell("up", "green") if link.carrier else cell("no carrier", "yellow")


def container(vf: VfRow) -> Text:
    """Who has it; where nobody has, or not quite, the state instead."""
    style = _STATES.get(vf.state, "yellow")
    if vf.record is None:
        return cell(vf.told, style)
    more = ", ".join(filter(None, [pod_of(vf.record), "" if vf.state == "attached" else vf.told]))
    return cell(short_name(vf.record.attachment) + (f" ({more})" if more else ""), style)


def tap_line(tap: Tap) -> Text:
    """An attachment without a VF has no row."""
    who = short_name(tap.record.attachment)
    subnets = ", ".join(lease.subnet for lease in tap.leases)
    line = Text(clean(f"{who}: a tap of VPP at {tap.socket}, {subnets or 'without a subnet'}"))
    if tap.state != "attached":
        line.append(clean(f"; {tap.reason or tap.state}"), style="yellow")
    return line


def pf_line(row: PfRow, is_wide: bool = False) -> Text:
    pf = row.pf
    taken = _taken(row)
    if not pf.pci_address:
        return Text(f"{taken} whose PF is not visible in this machine", style="dim")
    driver = pf.driver or "no driver"
    name = f"{pf.ifname} ({pf.pci_address}, {driver})" if pf.ifname else f"{pf.pci_address} ({driver})"
    counts = f"{pf.numvfs} of {pf.totalvfs} VFs, {taken}" if pf.numvfs else f"no VFs of {pf.totalvfs}"
    line = Text(clean(f"{name}: {_up(row)}, {counts}"), style="dim" if row.is_up else "yellow")
    if not pf.numvfs:
        line.append(_advice(row))
    elif not row.is_up:
        line.append("; its VFs carry nothing until it is up")
    if is_wide:
        line.append(_more_of_pf(row))
    return line


def _taken(row: PfRow) -> str:
    """Like "2 attached, 1 dead": what is left of a container that is gone is attached to nobody, and who is not root is not
    told who has one.
    """
    counted = Counter(vf.state for vf in row.all_vfs if vf.record is not None or vf.state == "unknown")
    others = [f"{count} {state}" for state, count in sorted(counted.items()) if state != "attached"]
    if counted["attached"] or not others:
        others.insert(0, f"{counted['attached']} attached")
    return ", ".join(others)


def _up(row: PfRow) -> str:
    if not row.is_up:
        return "down"
    return "up" if row.link is None or row.link.carrier else "up without carrier"


def _advice(row: PfRow) -> str:
    """Only what `sriovctl vfs` then does."""
    offer = row.offer
    if offer is None:
        return ""
    return clean(f"; {offer.why or 'create some'}: {offer.command}")


def _more_of_pf(row: PfRow) -> str:
    if row.more is None:
        return ""
    device, counted = row.more.device, row.more.counters
    said = [row.more.model] if row.more.model else []
    said += [f"IOMMU group {device.group}"] if device.group else []
    said += [f"NUMA node {device.numa_node}"] if device.numa_node >= 0 else []
    said += [f"rx {amount(counted.rx_bytes)} tx {amount(counted.tx_bytes)}"] if counted else []
    return clean("".join(f"; {part}" for part in said))
