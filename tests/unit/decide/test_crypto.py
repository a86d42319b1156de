"""Which VF of a QAT accelerator goes with a VF for user space."""

from __future__ import annotations

import pytest

from cni_sriov.decide import crypto
from cni_sriov.words.device import Device

FIRST, SECOND, THIRD = "0000:85:01.0", "0000:85:01.1", "0000:05:01.0"


def vf(address: str, driver: str = "vfio-pci", node: int = 0) -> Device:
    return Device(address, 0x0B40, crypto.INTEL, 0x4941, driver, numa_node=node)


def test_none_is_none() -> None:
    assert crypto.choose([], {}, 0) == ""


@pytest.mark.parametrize(("node", "chosen"), [(1, FIRST), (0, THIRD), (2, THIRD), (-1, THIRD)])
def test_the_first_of_the_vfs_node_else_the_first(node: int, chosen: str) -> None:
    assert crypto.choose([vf(SECOND, node=1), vf(FIRST, node=1), vf(THIRD)], {}, node) == chosen


def test_one_that_somebody_has_is_left_to_him() -> None:
    assert crypto.choose([vf(FIRST), vf(SECOND)], {FIRST: "c1/net1 has it"}, 0) == SECOND
    assert crypto.choose([vf(FIRST)], {FIRST: "c1/net1 has it"}, 0) == ""


@pytest.mark.parametrize(
    ("driver", "why"),
    [("vfio-pci", ""), ("uio_pci_generic", ""), ("4xxxvf", "it is on 4xxxvf"), ("", "it is on no driver")],
)
def test_only_one_that_was_bound_ahead_can_be_given(driver: str, why: str) -> None:
    assert crypto.why_not(vf(FIRST, driver), {}) == why
    assert crypto.choose([vf(FIRST, driver)], {}, 0) == ("" if why else FIRST)
