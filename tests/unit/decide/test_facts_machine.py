"""Whether a machine has an IOMMU."""

from __future__ import annotations

import pytest

from cni_sriov.decide.facts_machine import Machine


@pytest.mark.parametrize(
    ("iommus", "groups", "has_one"),
    [(["dmar0"], 20, True), (["dmar0"], 0, True), ([], 3, True), ([], 0, False)],
)
def test_groups_or_a_driver_of_it_are_an_iommu(iommus: list[str], groups: int, has_one: bool) -> None:
    assert Machine(iommus=iommus, groups=groups).has_iommu == has_one
