"""The nouns of the oracle."""

from __future__ import annotations

import pytest

from cni_sriov.decide.slot import Capacity, Limit, Slot


@pytest.mark.parametrize(("pci", "expected"), [
    ("0000:00:00.0", 0), ("0000:01:00.0", 0x0100), ("0000:01:10.2", 0x0182), ("10000:ff:1f.7", 0xFFFF),
])  # fmt: skip
def test_the_routing_id_is_bus_device_and_function(pci: str, expected: int) -> None:
    assert Slot(pci).routing_id == expected


def test_a_certain_limit_is_named_before_a_likely_one() -> None:
    likely, certain = Limit(0, "likely", "memory", is_certain=False), Limit(3, "certain", "bus")
    found = Capacity(0, [likely, certain])

    assert [found.against(count) for count in (0, 1, 3, 4)] == [None, likely, likely, certain]


def test_a_limit_in_json() -> None:
    assert Limit(3, "why", "bus", "what").to_json() == {
        "count": 3, "rule": "bus", "certain": True, "reason": "why", "remedy": "what",
    }  # fmt: skip
