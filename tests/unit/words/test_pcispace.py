"""Configuration space: made by the specification, read back by the parser; cut off and damaged, never an exception."""

from __future__ import annotations

import random

import pytest

from cni_sriov.words import pcispace
from tests.unit import pcibytes

KIB = 1024


def test_the_sriov_capability_of_a_port_of_an_i350() -> None:
    space = pcispace.parse(pcibytes.function(offset=0x180, stride=2))

    found = space.sriov
    assert found is not None
    assert (found.total_vfs, found.initial_vfs, found.numvfs) == (8, 8, 0)
    assert (found.offset, found.stride, found.link) == (384, 2, 0)
    assert (found.vf_device, found.page_sizes) == (0x1520, 0x553)
    assert (found.is_enabled, found.ari_hierarchy, found.has_migration) == (False, False, False)
    assert (space.is_whole, space.is_gone, space.is_express, space.has_ari) == (True, False, True, True)
    assert space.bridge is None


def test_its_bits() -> None:
    found = pcispace.parse(pcibytes.function(numvfs=3, hierarchy=True, migration=True, link=1)).sriov

    assert found is not None
    assert (found.numvfs, found.is_enabled, found.ari_hierarchy, found.has_migration) == (3, True, True, True)
    assert found.link == 1


def test_vf_bars_of_each_kind() -> None:
    bars = {
        0: (0x4000000000, pcibytes.MEM64_PREFETCHABLE),
        2: (0xFE820000, pcibytes.MEM32),
        4: (0, pcibytes.MEM64),
    }

    found = pcispace.parse(pcibytes.function(bars=bars)).sriov

    assert found is not None
    assert found.bars == [
        pcispace.VfBar(0, 0x4000000000, is_64bit=True, is_prefetchable=True),
        pcispace.VfBar(2, 0xFE820000, is_64bit=False, is_prefetchable=False),
        pcispace.VfBar(4, 0, is_64bit=True, is_prefetchable=False),
    ]


@pytest.mark.parametrize(("can", "does"), [(False, False), (True, False), (True, True)])
def test_ari_of_a_port(can: bool, does: bool) -> None:
    space = pcispace.parse(pcibytes.port(can_ari=can, does_ari=does))

    assert (space.can_ari, space.does_ari) == (can, does)


def test_the_windows_of_a_port() -> None:
    big = (0x4000000000, 0x47FFFFFFFF)
    bridge = pcispace.parse(pcibytes.port(3, 7, memory=(0xFE400000, 0xFE5FFFFF), prefetchable=big)).bridge

    assert bridge is not None
    assert (bridge.secondary, bridge.subordinate) == (3, 7)
    assert bridge.memory == pcispace.Window(0xFE400000, 0xFE5FFFFF)
    assert bridge.memory is not None
    assert bridge.memory.size == 2048 * KIB
    assert bridge.prefetchable == pcispace.Window(*big)
    closed = pcispace.parse(pcibytes.port(memory=None, prefetchable=None)).bridge
    assert closed is not None
    assert (closed.memory, closed.prefetchable) == (None, None)


def test_a_window_that_nobody_set_is_closed() -> None:
    data = bytearray(pcibytes.port())
    data[0x20:0x30] = bytes(16)

    bridge = pcispace.parse(bytes(data)).bridge

    assert bridge is not None
    assert (bridge.memory, bridge.prefetchable) == (None, None)


@pytest.mark.parametrize(("length", "is_whole", "ari_of_port"), [
    (0, False, False), (4, False, False), (63, False, False), (64, False, False), (256, False, True), (4096, True, True),
])  # fmt: skip
def test_what_is_cut_off_is_not_known(length: int, is_whole: bool, ari_of_port: bool) -> None:
    """64 bytes is what the kernel gives to who is not root; 256 is a machine that cannot reach the extended space."""
    pf = pcispace.parse(pcibytes.function()[:length])
    port = pcispace.parse(pcibytes.port(can_ari=True)[:length])

    assert (pf.length, pf.is_whole, pf.is_gone) == (length, is_whole, False)
    assert (pf.sriov is not None, pf.has_ari) == (is_whole, is_whole)
    assert (port.can_ari, port.bridge is not None) == (ari_of_port, length >= 64)


@pytest.mark.parametrize("length", [4, 64, 256, 4096])
def test_a_card_that_was_pulled_reads_ff(length: int) -> None:
    space = pcispace.parse(pcibytes.GONE[:length])

    assert (space.is_gone, space.sriov, space.bridge) == (True, None, None)


def test_a_card_without_the_capability() -> None:
    space = pcispace.parse(pcibytes.function(has_sriov=False, has_ari=False))

    assert (space.is_whole, space.sriov, space.has_ari) == (True, None, False)


def test_lists_that_bite_their_tail_end() -> None:
    data = bytearray(pcibytes.function())
    data[0x71] = 0x40
    data[0x160 + 2 : 0x160 + 4] = (1 | 0x100 << 4).to_bytes(2, "little")

    space = pcispace.parse(bytes(data))

    assert (space.is_express, space.sriov is not None) == (False, True)


def test_no_bytes_are_too_bad(capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for base in (pcibytes.function(), pcibytes.port()):
        for _ in range(500):
            data = bytearray(base[: dice.randrange(len(base) + 1)])
            for _ in range(dice.randrange(20) if data else 0):
                data[dice.randrange(len(data))] = dice.randrange(256)
            assert pcispace.parse(bytes(data)).length == len(data)
