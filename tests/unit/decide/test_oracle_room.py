"""Bus numbers and memory: beside a model that asks the kernel's question for each VF."""

from __future__ import annotations

import random

import pytest

from cni_sriov.decide import oracle_room
from cni_sriov.decide.slot import Limit, Port, Region
from cni_sriov.words.pcispace import parse
from tests.unit import pcibytes
from tests.unit.decide.slots import KIB, MIB, i350, many


def only(limits: list[Limit]) -> Limit:
    (limit,) = limits
    return limit


def model(bus: int, devfn: int, offset: int, stride: int, end: int) -> int:
    """pci_iov_virtfn_bus(): each VF in turn, until one is out of range."""
    count = 0
    while count < 70000 and bus + ((devfn + offset + stride * count) >> 8) <= end:
        count += 1
    return count


def test_buses_as_the_kernel_counts_them() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(100):
        bus, device, function = dice.randrange(256), dice.randrange(32), dice.randrange(8)
        offset, stride = dice.randrange(1, 1024), dice.randrange(1, 300)
        end = dice.randrange(bus, 256)
        slot = i350(offset, end, pci=f"0000:{bus:02x}:{device:02x}.{function}", stride=stride, total=65535)
        expected = model(bus, device << 3 | function, offset, stride, end)

        assert only(list(oracle_room.bus(slot))).count == expected, slot


@pytest.mark.parametrize(("offset", "count"), [(128, 64), (255, 1), (254, 1), (253, 2), (256, 0)], ids=str)
def test_the_last_function_of_a_bus(offset: int, count: int) -> None:
    """0100 + 0x80 + 2 * 63 = 01fe; one more is on bus 02."""
    assert only(list(oracle_room.bus(i350(offset)))).count == count


@pytest.mark.parametrize(("can", "does", "card", "words"), [
    (False, False, True, "the port cannot forward ARI; with ARI, bus 01 has 256 functions"),
    (True, False, True, "the port can forward ARI, but does not; with ARI"),
    (True, True, True, "ARI forwarding is on there, and does not change it"),
    (True, False, False, "the card has no ARI capability"),
])  # fmt: skip
def test_what_ari_would_give(can: bool, does: bool, card: bool, words: str) -> None:
    space = parse(pcibytes.function(has_ari=card))

    limit = only(list(oracle_room.bus(i350(can_ari=can, does_ari=does, space=space))))

    assert words in limit.reason
    assert ("pci=noari" in limit.remedy) == (can and not does)


def test_with_ari_not_all_may_fit() -> None:
    """Two ports share the 256 functions of one bus: 127 each."""
    limit = only(list(oracle_room.bus(i350(total=200))))

    assert "at most 127 VFs fit" in limit.reason


def test_what_is_not_known_limits_nothing() -> None:
    without_offset = i350()
    without_offset.offset = None
    on_root, without_end = i350(ports=[]), i350(ports=[Port("0000:00:01.0", None, None)])

    assert [list(oracle_room.bus(slot)) for slot in (without_offset, on_root, without_end)] == [[], [], []]


def test_no_memory_at_all_is_the_bios() -> None:
    """`resource` of the PF has zeros where its VFs' memory should be."""
    limit = only(list(oracle_room.memory(i350(regions=[]))))

    assert (limit.count, limit.rule, limit.is_certain) == (0, "memory", False)
    assert "BAR 0, 3 of the VFs has no memory" in limit.reason
    assert "no room for all 8 VFs" in limit.reason
    assert "hands down 2 MiB of memory and 2 MiB of prefetchable memory" in limit.reason
    assert "Above 4G Decoding" in limit.remedy
    assert "pci=realloc" in limit.remedy


def test_no_memory_where_the_card_cannot_be_asked_which_it_wants() -> None:
    limit = only(list(oracle_room.memory(i350(regions=[], space=None))))

    assert "the VFs' BARs have no memory: the kernel found no room for all 7 VFs at boot" in limit.reason


def test_one_of_two_bars_without_memory() -> None:
    """The kernel counts those that have a place: nres != iov->nres."""
    regions = [Region(0, 0xFE800000, 128 * KIB, True, True), Region(3, 0, 16 * MIB, False, True)]

    limit = only(list(oracle_room.memory(i350(regions=regions))))

    assert "BAR 3 of the VFs has no memory (16 MiB)" in limit.reason


def test_memory_that_is_there_or_not_to_be_seen_limits_nothing() -> None:
    assert list(oracle_room.memory(i350())) == []
    assert list(oracle_room.memory(i350(regions=None))) == []


def test_a_window_that_ends_within_the_vfs_memory() -> None:
    """256 VFs of 64 KiB are 16 MiB; a window of 8 MiB has 128 of them, one that begins behind them none."""
    first = 0x4000000000
    for window, expected in (
        ((first, first + 8 * MIB - 1), [128]),
        ((first, first + 16 * MIB - 1), []),
        ((first + 32 * MIB, first + 64 * MIB - 1), [0]),
        (None, [0]),
    ):
        bridge = parse(pcibytes.port(0x3B, 0x3C, True, True, prefetchable=window))
        found = list(oracle_room.windows(many(ports=[Port("0000:3a:00.0", 0x3C, bridge)])))

        assert [limit.count for limit in found] == expected, window
        assert all(not limit.is_certain and "0x4000000000-0x4000ffffff" in limit.reason for limit in found)


def test_each_bridge_above_must_hand_it_down() -> None:
    far = parse(pcibytes.port(0x3A, 0x3C, prefetchable=None))
    slot = many(last_bus=0x3C)

    found = list(oracle_room.windows(many(ports=[*slot.ports, Port("0000:00:1c.0", 0x3C, far)])))

    assert "0000:00:1c.0 above" in only(found).reason


@pytest.mark.parametrize(("size", "text"), [
    (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1536 B"), (131072, "128 KiB"), (1 << 35, "32 GiB"),
])  # fmt: skip
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert oracle_room.binary(size) == text
