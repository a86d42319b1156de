"""Nothing lies on anything else, and everything in its place."""

from __future__ import annotations

import itertools
import random

import pytest

from cni_sriov.ctl.node import PfRow, VfRow
from cni_sriov.ctl.status import layout
from cni_sriov.words.domain import PF, VF, Attachment
from cni_sriov.words.record import Record


def vf(index: int, owner: str = "", vlan: int = 0) -> VfRow:
    record = Record(Attachment(owner, f"net{index}"), "n", "", "", index, "", [], "") if owner else None
    state = VF(index, f"0000:01:10.{index % 8}", "igbvf", "")
    return VfRow(state, "", "", vlan, record, [], "attached" if owner else "free")


def port(address: str, vfs: list[VfRow]) -> PfRow:
    return PfRow(PF(address, "x", 1, "igb", len(vfs), 256), True, vfs)


def random_node(dice: random.Random) -> list[PfRow]:
    return [
        port(
            f"0000:{card:02x}:00.{function}",
            [vf(i, dice.choice(["", "", "a", "b", "c", "d"]), i) for i in range(dice.randrange(40))],
        )
        for card in range(1, dice.randrange(2, 4))
        for function in range(dice.randrange(1, 4))
    ]


@pytest.mark.parametrize("seed", range(60))
def test_boxes_lie_apart_and_below_each_other(seed: int) -> None:
    found = layout.arrange(random_node(random.Random(seed)))

    cards = [(card.y, card.y + card.height) for card in found.cards]
    spots = [spot for card in found.cards for port in card.ports for spot in port.spots]
    vfs = [(spot.y, spot.y + layout.VF_HEIGHT) for spot in spots]
    boxes = sorted((box.y, box.y + box.height) for box in found.boxes)
    for column in (cards, vfs, boxes):
        assert all(above[1] <= below[0] for above, below in itertools.pairwise(column))
        assert all(top >= layout.TOP and bottom <= found.height - 60 for top, bottom in column)
    for card in found.cards:
        for at in card.ports:
            assert card.y + layout.CARD_HEAD <= at.y
            assert at.y + at.height <= card.y + card.height
            assert all(at.y <= spot.y and spot.y + layout.VF_HEIGHT <= at.y + at.height for spot in at.spots)


@pytest.mark.parametrize("seed", range(20))
def test_each_vf_is_drawn_once_and_each_owned_one_is_in_its_box(seed: int) -> None:
    node = random_node(random.Random(seed))

    found = layout.arrange(node)

    drawn = [row for card in found.cards for at in card.ports for spot in at.spots for row in spot.vfs]
    assert list(map(id, drawn)) == [id(row) for pf in node for row in pf.vfs]
    owned = {id(row): row.record.attachment.container_id for pf in node for row in pf.vfs if row.record}
    assert {
        id(row): box.container_id for box in found.boxes for spot in box.spots for row in spot.vfs
    } == owned


def test_ports_of_one_slot_are_one_card() -> None:
    found = layout.arrange([port("0000:01:00.0", []), port("0000:01:00.1", []), port("0000:02:00.0", [])])

    assert [len(card.ports) for card in found.cards] == [2, 1]


@pytest.mark.parametrize(("count", "boxes"), [(16, 16), (17, 1), (256, 1)])
def test_many_free_ones_are_one_box(count: int, boxes: int) -> None:
    (card,) = layout.arrange([port("0000:01:00.0", [vf(i) for i in range(count)])]).cards

    assert len(card.ports[0].spots) == boxes


def test_vlans_are_those_of_containers() -> None:
    node = [
        port("0000:01:00.0", [vf(0, "a", 300), vf(1, "", 100), vf(2, "b", 7), vf(3, "b", 300), vf(4, "c", 0)])
    ]

    assert layout.arrange(node).vlans == [7, 300]
