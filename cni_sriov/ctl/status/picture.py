"""`status --svg`: card, ports, VFs, containers, VLANs and subnets as one picture. The same node gives the same bytes."""

from __future__ import annotations

import math

from ...words.shown import short_id
from ..node import VfRow
from .drawing import PALETTE, UNTAGGED, Drawing, folded, width_of
from .gather import Status
from .layout import (
    BOX_HEAD,
    BOX_WIDTH,
    BOX_X,
    CARD_WIDTH,
    CARD_X,
    MARGIN,
    PORT_HEIGHT,
    PORT_INSET,
    ROW_HEIGHT,
    VF_HEIGHT,
    VF_WIDTH,
    VF_X,
    WIDTH,
    Box,
    Card,
    Layout,
    Port,
    Spot,
    arrange,
)

_DARK_INK = {"#E69F00", "#56B4E9", "#CC79A7"}  # on these white is hard to read


def draw(found: Status) -> str:
    layout, drawing = arrange(found.pfs), Drawing()
    drawing.box(0, 0, WIDTH, layout.height, "ground", 0)
    title = _head(drawing, found, layout)
    for card in layout.cards:
        _card(drawing, card)
    for box in layout.boxes:
        _wires(drawing, box, layout)
    for card in layout.cards:
        for port in card.ports:
            for spot in port.spots:
                _vf(drawing, spot, layout)
    for box in layout.boxes:
        _container(drawing, box, layout)
    _legend(drawing, layout)
    return drawing.render(WIDTH, layout.height, title)


def _head(drawing: Drawing, found: Status, layout: Layout) -> str:
    name = f"SR-IOV on {found.node}" if found.node else "SR-IOV"
    vfs = [vf for pf in found.pfs for vf in pf.vfs]
    taken = sum(vf.record is not None for vf in vfs)
    free = sum(vf.state == "free" for vf in vfs)
    counts = [
        _count(len(layout.cards), "card"),
        _count(len(found.pfs), "port"),
        _count(len(vfs), "VF"),
        f"{taken} in {_count(len(layout.boxes), 'container')}",
        f"{free} free",
    ]
    drawing.text(MARGIN, 54, name, WIDTH - 2 * MARGIN, 28, "strong")
    drawing.text(MARGIN, 82, " \N{MIDDLE DOT} ".join(counts), WIDTH - 2 * MARGIN, 15, "soft")
    return f"{name}: {', '.join(counts)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _card(drawing: Drawing, card: Card) -> None:
    drawing.box(CARD_X, card.y, CARD_WIDTH, card.height, "card", 14)
    more = card.ports[0].row.more
    pci = card.ports[0].row.pf.pci_address.rpartition(".")[0]
    name = (more.model if more else "") or (f"card {_short(pci)}" if pci else "a PF that is not visible here")
    room = CARD_WIDTH - 2 * PORT_INSET
    for number, line in enumerate(folded(name, 14, room, 2, "strong")):
        drawing.text(CARD_X + PORT_INSET, card.y + 26 + 18 * number, line, room, 14, "strong")
    for port in card.ports:
        _port(drawing, port)


def _port(drawing: Drawing, port: Port) -> None:
    pf, x, width = port.row.pf, CARD_X + PORT_INSET, CARD_WIDTH - 2 * PORT_INSET
    y = port.y + (port.height - PORT_HEIGHT) / 2
    for spot in port.spots:
        drawing.curve(x + width, y + PORT_HEIGHT / 2, VF_X, spot.middle, "lane")
    drawing.box(x, y, width, PORT_HEIGHT, "box")
    is_up = port.row.is_up
    has_carrier = port.row.link is None or port.row.link.carrier
    drawing.dot(x + 20, y + 24, "ok" if is_up and has_carrier else "bad")
    drawing.text(x + 34, y + 30, pf.ifname or "no netdev", width - 44, 17, "strong")
    driver = pf.driver or "no driver"
    drawing.text(
        x + 16, y + 56, f"{_short(pf.pci_address) or '?'} \N{MIDDLE DOT} {driver}", width - 32, 13, "soft"
    )
    state = "down" if not is_up else "up" if has_carrier else "up, no carrier"
    drawing.text(x + 16, y + 78, f"{state}, {pf.numvfs} of {pf.totalvfs} VFs", width - 32, 13, "soft")


def _vf(drawing: Drawing, spot: Spot, layout: Layout) -> None:
    vf, y = spot.vfs[0], spot.y
    base = y + 23
    if len(spot.vfs) > 1:
        drawing.box(VF_X, y, VF_WIDTH, VF_HEIGHT, "free")
        last = spot.vfs[-1].vf.index
        said = f"VF {vf.vf.index} to {last}: {len(spot.vfs)} free"
        drawing.text(VF_X + 16, base, said, VF_WIDTH - 32, 13, "soft")
        return
    drawing.box(VF_X, y, VF_WIDTH, VF_HEIGHT, "box" if vf.record is not None else "free")
    if vf.record is not None:
        drawing.box(VF_X, y, 7, VF_HEIGHT, "", 3, _colour(vf, layout)[0])
    drawing.text(VF_X + 18, base, f"VF {vf.vf.index}", 56, 14, "strong")
    drawing.text(VF_X + 76, base, _short(vf.vf.pci_address), 66, 13, "soft")
    kind = {"free": "ok", "attached": "soft"}.get(vf.state, "bad")
    said = vf.vf.driver or "no driver" if vf.state == "attached" else vf.told
    if vf.state == "free" and "vfio" in vf.vf.driver:
        said = f"free, {vf.vf.driver}"
    drawing.text(VF_X + VF_WIDTH - 12, base, said, VF_WIDTH - 160, 13, kind, anchor="end")


def _short(pci_address: str) -> str:
    """As lspci has it, where the node has one domain."""
    return pci_address.removeprefix("0000:")


def _wires(drawing: Drawing, box: Box, layout: Layout) -> None:
    for number, spot in enumerate(box.spots):
        colour, dashes = _colour(spot.vfs[0], layout)
        drawing.curve(VF_X + VF_WIDTH, spot.middle, BOX_X, box.middle_of(number), "wire", colour, dashes)


def _container(drawing: Drawing, box: Box, layout: Layout) -> None:
    drawing.box(BOX_X, box.y, BOX_WIDTH, box.height, "box", 10)
    drawing.text(BOX_X + 18, box.y + 26, short_id(box.container_id), BOX_WIDTH - 36, 16, "strong")
    for number, spot in enumerate(box.spots):
        _interface(drawing, spot.vfs[0], box.y + BOX_HEAD + ROW_HEIGHT * number, layout)


def _interface(drawing: Drawing, vf: VfRow, y: float, layout: Layout) -> None:
    """`ifname`, its VLAN, the network's name; below them its subnets, or its MAC where it has none."""
    if vf.record is None:
        return
    colour, _ = _colour(vf, layout)
    drawing.box(BOX_X, y, 7, ROW_HEIGHT - 8, "", 3, colour)
    drawing.text(BOX_X + 18, y + 17, vf.record.attachment.ifname, 96, 14, "strong")
    _tag(drawing, BOX_X + 120, y + 3, f"VLAN {vf.vlan}" if vf.vlan else "untagged", colour)
    drawing.text(BOX_X + BOX_WIDTH - 14, y + 17, vf.record.network, BOX_WIDTH - 232, 13, "soft", anchor="end")
    said = ", ".join(lease.subnet for lease in vf.leases) or vf.mac
    drawing.text(BOX_X + 18, y + 36, said, BOX_WIDTH - 32, 13)


def _tag(drawing: Drawing, x: float, y: float, text: str, colour: str) -> float:
    width = math.ceil(width_of(text, 12, "tag")) + 16
    drawing.box(x, y, width, 19, "", 9, colour)
    drawing.text(
        x + width / 2, y + 14, text, width - 16, 12, "ink" if colour in _DARK_INK else "tag", "middle"
    )
    return width


def _colour(vf: VfRow, layout: Layout) -> tuple[str, str]:
    """A VLAN's, and the dashes of its line where there are more VLANs than colours."""
    if not vf.vlan or vf.vlan not in layout.vlans:
        return UNTAGGED, ""
    again, number = divmod(layout.vlans.index(vf.vlan), len(PALETTE))
    return PALETTE[number], "" if not again else f"{6 * again} 5"


def _legend(drawing: Drawing, layout: Layout) -> None:
    x, y = float(MARGIN), layout.height - 46.0
    for number, vlan in enumerate(layout.vlans):
        if x > WIDTH - 240:
            drawing.text(x, y + 14, "...", 20, 13, "soft")
            break
        x += _tag(drawing, x, y, f"VLAN {vlan}", PALETTE[number % len(PALETTE)]) + 10
    if any(not spot.vfs[0].vlan for box in layout.boxes for spot in box.spots):
        x += _tag(drawing, x, y, "untagged", UNTAGGED) + 10
    drawing.box(x, y, 34, 19, "free", 6)
    drawing.text(x + 44, y + 14, "nobody has it", 140, 13, "soft")
