"""What is offered is what the slot has room for, and never a number where that is none."""

from __future__ import annotations

import pytest

from cni_sriov.decide import offer
from cni_sriov.decide.slot import Slot
from tests.unit.decide import slots


@pytest.mark.parametrize(("slot", "count", "command"), [
    (slots.i350(offset=0x80), 7, "sriovctl vfs enp1s0f0 7"),
    (slots.i350(), 0, "sriovctl oracle enp1s0f0"),
    (slots.i350(offset=246), 5, "sriovctl vfs enp1s0f0 5"),
    (slots.many(), 254, "sriovctl vfs ens1 254"),
    (slots.i350(offset=0x80, driver="vfio-pci", hands_over=True, name=""), 0, "sriovctl bind 0000:01:00.0 kernel"),
    (slots.i350(offset=0x80, driver=""), 0, "sriovctl bind 0000:01:00.0 kernel"),
    (slots.i350(offset=0x80, name="a b"), 7, "sriovctl vfs 'a b' 7"),
    (Slot("0000:01:00.0", is_there=False), 0, "sriovctl oracle 0000:01:00.0"),
])  # fmt: skip
def test_a_number_or_what_comes_first(slot: Slot, count: int, command: str) -> None:
    found = offer.of(slot)

    assert (found.count, found.command, bool(found.why)) == (count, command, not count)
