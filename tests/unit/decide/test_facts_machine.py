"""Whether a machine has an IOMMU."""

from __future__ import annotations

import pytest

from cni_sriov.decide.facts_machine import Machine


@pytest.mark.parametrize(
    ("iommus", "groups", "noiommu", "has_one"),
    [
        (["dmar0"], 20, False, True),
        (["dmar0"], 20, True, True),
        ([], 3, False, True),
        ([], 0, False, False),
        ([], 1, True, False),  # vfio makes a group for each device in that mode (drivers/vfio/group.c)
    ],
)
def test_groups_are_an_iommu_but_those_of_no_iommu_mode(
    iommus: list[str], groups: int, noiommu: bool, has_one: bool
) -> None:
    assert Machine(iommus=iommus, groups=groups, noiommu=noiommu).has_iommu == has_one
