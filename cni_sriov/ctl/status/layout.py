"""Where everything of the picture lies: cards with their ports at the left, VFs in the middle, containers at the right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..node import PfRow, VfRow

WIDTH, MARGIN, TOP = 1240, 40, 112
CARD_X, CARD_WIDTH, CARD_HEAD, PORT_HEIGHT, PORT_INSET = 40, 310, 62, 96, 18
VF_X, VF_WIDTH, VF_HEIGHT, VF_PITCH = 436, 364, 36, 44
BOX_X, BOX_WIDTH, BOX_HEAD, ROW_HEIGHT, BOX_GAP = 880, 320, 38, 48, 18
PORT_GAP, CARD_GAP = 26, 40
_MANY = 16  # VFs of a port; of more, those that are free in a row become one box
_FEW = 3


@dataclass(slots=True)
class Spot:
    """One VF, or several free ones in a row, and where its box begins."""

    vfs: list[VfRow]
    y: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + VF_HEIGHT / 2


@dataclass(slots=True)
class Port:
    row: PfRow
    spots: list[Spot]
    y: float = 0.0

    @property
    def height(self) -> float:
        return max(PORT_HEIGHT, len(self.spots) * VF_PITCH - (VF_PITCH - VF_HEIGHT))


@dataclass(slots=True)
class Card:
    """The PFs of one slot: equal but for the function's number."""

    ports: list[Port]
    y: float = 0.0
    height: float = 0.0


@dataclass(slots=True)
class Box:
    """A container, with a row for each VF that it has."""

    container_id: str
    spots: list[Spot]
    y: float = 0.0

    @property
    def height(self) -> float:
        return BOX_HEAD + len(self.spots) * ROW_HEIGHT

    def middle_of(self, number: int) -> float:
        return self.y + BOX_HEAD + ROW_HEIGHT * number + ROW_HEIGHT / 2 - 4


@dataclass(slots=True)
class Layout:
    cards: list[Card]
    boxes: list[Box]
    height: int
    vlans: list[int] = field(default_factory=list)


def arrange(pfs: Iterable[PfRow]) -> Layout:
    slots: dict[str, list[Port]] = {}
    for pf in pfs:
        slots.setdefault(pf.pf.pci_address.rpartition(".")[0], []).append(Port(pf, _spots(pf.vfs)))
    cards = [Card(ports) for ports in slots.values()]
    bottom = _stack_cards(cards)
    spots = [spot for card in cards for port in card.ports for spot in port.spots]
    boxes = _stack_boxes(spots)
    bottom = max([bottom, *(box.y + box.height for box in boxes)])
    vlans = sorted({vf.vlan for spot in spots for vf in spot.vfs if vf.vlan and vf.record is not None})
    return Layout(cards, boxes, round(bottom + 90), vlans)


def _spots(vfs: list[VfRow]) -> list[Spot]:
    spots: list[Spot] = []
    run: list[VfRow] = []
    for vf in vfs:
        if len(vfs) > _MANY and vf.state == "free":
            run.append(vf)
            continue
        spots += _run(run)
        run = []
        spots.append(Spot([vf]))
    return spots + _run(run)


def _run(free: list[VfRow]) -> list[Spot]:
    return [Spot(free)] if len(free) >= _FEW else [Spot([vf]) for vf in free]


def _stack_cards(cards: list[Card]) -> float:
    """The answer is where the lowest one ends."""
    y = float(TOP)
    for card in cards:
        card.y = y
        y += CARD_HEAD
        for port in card.ports:
            port.y = y
            for number, spot in enumerate(port.spots):
                used = len(port.spots) * VF_PITCH - (VF_PITCH - VF_HEIGHT)
                spot.y = y + (port.height - used) / 2 + number * VF_PITCH
            y += port.height + PORT_GAP
        card.height = y - PORT_GAP + PORT_INSET - card.y
        y = card.y + card.height + CARD_GAP
    return y - CARD_GAP if cards else y


def _stack_boxes(spots: list[Spot]) -> list[Box]:
    """Each beside its VFs, as far as the one above leaves room."""
    owned: dict[str, Box] = {}
    for spot in spots:
        record = spot.vfs[0].record
        if record is not None:
            who = record.attachment.container_id
            owned.setdefault(who, Box(who, [])).spots.append(spot)
    boxes = sorted(owned.values(), key=lambda box: (_centre(box), box.container_id))
    below = 0.0
    for box in reversed(boxes):  # how much room those below need
        below += box.height + BOX_GAP
    lowest = max((spot.y + VF_HEIGHT for spot in spots), default=0.0)
    y, left = float(TOP), below
    for box in boxes:
        latest = max(lowest + BOX_GAP - left, y)
        box.y = min(max(y, _centre(box) - box.height / 2), latest)
        y = box.y + box.height + BOX_GAP
        left -= box.height + BOX_GAP
    return boxes


def _centre(box: Box) -> float:
    return sum(spot.middle for spot in box.spots) / len(box.spots)
