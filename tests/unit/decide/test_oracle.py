"""How many VFs a slot carries: the notes' numbers, and the kernel's own rules (drivers/pci/iov.c)."""

from __future__ import annotations

import pytest

from cni_sriov.decide.oracle import capacity
from cni_sriov.decide.slot import Slot
from cni_sriov.words.pcispace import parse
from tests.unit import pcibytes
from tests.unit.decide.slots import i350, many


def test_the_notes_card_in_the_slot_without_ari_carries_none() -> None:
    """dmesg of the notes: can't enable 7 VFs (bus 02 out of range of [bus 01])."""
    found = capacity(i350())

    binding = found.limits[0]
    assert (found.count, binding.count, binding.rule, binding.is_certain) == (0, 0, "bus", True)
    assert "the VFs need bus 02 (02:10.0), but the port above (0000:00:01.0) ends at bus 01" in binding.reason
    assert "VF offset 384, stride 2" in binding.reason
    assert "the port cannot forward ARI" in binding.reason
    assert "with ARI, bus 01 has 256 functions for the card, and all 7 VFs fit" in binding.reason
    assert "another slot" in binding.remedy
    assert found.against(1) is binding


def test_the_notes_card_behind_a_port_with_ari_carries_all_that_igb_allows() -> None:
    found = capacity(i350(offset=0x80, can_ari=True, does_ari=True))

    assert (found.count, found.notes, found.against(7)) == (7, [], None)
    assert [(limit.count, limit.rule) for limit in found.limits] == [(7, "total"), (64, "bus")]
    assert "driver igb allows no more of the card's 8" in found.limits[0].reason
    more = found.against(8)
    assert more is not None
    assert (more.rule, more.is_certain) == ("total", True)


def test_a_pf_of_256_vfs() -> None:
    """3b00 + 2 + 253 = 3bff; the 255th VF is at 3c00."""
    short = capacity(many(last_bus=0x3B))
    wide = capacity(many(last_bus=0x3C))

    assert (short.count, short.limits[0].rule) == (254, "bus")
    assert "VF 254 needs bus 3c (3c:00.0)" in short.limits[0].reason
    assert "ARI forwarding is on there, and does not change it" in short.limits[0].reason
    assert (wide.count, wide.against(256)) == (256, None)
    assert wide.limits[0].reason == "it can have at most 256 (TotalVFs of the card)"


@pytest.mark.parametrize(("driver", "hands_over", "why"), [
    ("", False, "no driver is bound to the PF"),
    ("vfio-pci", True, "its driver vfio-pci hands the PF to user space and cannot make VFs"),
])  # fmt: skip
def test_a_pf_whose_driver_makes_no_vfs(driver: str, hands_over: bool, why: str) -> None:
    found = capacity(i350(offset=0x80, driver=driver, hands_over=hands_over))

    limit = found.limits[0]
    assert (found.count, limit.rule, why in limit.reason) == (0, "driver", True)
    assert "sriovctl bind 0000:01:00.0 kernel" in limit.remedy.splitlines()


@pytest.mark.parametrize(("initial", "migration", "count", "is_certain"), [
    (0, False, 0, True), (7, False, 0, True), (9, True, 0, True), (4, True, 4, False), (8, False, 7, True),
])  # fmt: skip
def test_a_firmware_that_contradicts_itself(
    initial: int, migration: bool, count: int, is_certain: bool
) -> None:
    """EIO: sriov_enable wants InitialVFs and TotalVFs to be the same, unless VFs can migrate."""
    space = parse(pcibytes.function(total=8, initial=initial, offset=0x80, migration=migration))

    found = capacity(i350(offset=0x80, space=space))

    assert (found.count, found.limits[0].is_certain) == (count, is_certain)
    if initial != 8:
        assert f"{initial}" in found.limits[0].reason
        assert found.limits[0].rule == "firmware"


def test_no_device_and_a_card_that_does_not_answer() -> None:
    absent = capacity(Slot("0000:09:00.0", is_there=False))
    pulled = capacity(i350(space=parse(pcibytes.GONE)))

    assert [limit.rule for limit in absent.limits + pulled.limits] == ["gone", "gone"]
    assert (absent.count, pulled.count) == (0, 0)
    assert "there is no PCI device 0000:09:00.0" in absent.limits[0].reason
    assert "ff" in pulled.limits[0].reason
    assert "echo 1 > /sys/bus/pci/devices/0000:01:00.0/remove" in pulled.limits[0].remedy


@pytest.mark.parametrize(("space", "words"), [
    (pcibytes.function(has_sriov=False), "the card has no SR-IOV capability"),
    (pcibytes.function(total=0), "TotalVFs is 0"),
    (pcibytes.function(offset=0), "VF offset 0, stride 2"),
    (pcibytes.function(stride=0), "VF offset 384, stride 0"),
    (pcibytes.function(page_sizes=0), "page sizes 0x0"),
    (pcibytes.function()[:64], "to root alone"),
])  # fmt: skip
def test_why_the_kernel_offers_no_vfs(space: bytes, words: str) -> None:
    found = capacity(Slot("0000:01:00.0", driver="igb", space=parse(space)))

    (limit,) = found.limits
    assert (limit.count, limit.rule, words in limit.reason) == (0, "capability", True), limit.reason
    assert limit.remedy


def test_without_config_space_what_sysfs_says_counts() -> None:
    """As for who is not root: offset, stride and the port's end are in sysfs."""
    found = capacity(i350(space=None, unseen=["not seen: x"]))

    assert (found.count, found.limits[0].rule) == (0, "bus")
    assert "whether ARI would help, only root can see" in found.limits[0].reason
    assert found.notes == ["not seen: x"]
    assert capacity(Slot("0000:01:00.0", driver="igb", total=7)).count == 7


def test_notes_tell_what_limits_nothing() -> None:
    there = capacity(i350(offset=0x80, numvfs=3))
    changed = capacity(i350(offset=0x180, space=parse(pcibytes.function(offset=0x80))))
    on_root = capacity(i350(offset=0x80, ports=[]))

    assert "it has 3 VFs now" in there.notes[0]
    assert there.count == 7
    assert "the kernel reckons with VF offset 384, while the card says 128" in changed.notes
    assert on_root.notes == ["no bridge is above it, so where its buses end is not to be seen"]
