"""How defaults and VFs are spelled in a sentence."""

from __future__ import annotations

import pytest

from cni_sriov.decide import wanted
from tests.unit.decide.port_model import Port, entry


@pytest.mark.parametrize(("indices", "text"), [
    ([0], "vf 0"),
    ([0, 1], "vf 0-1"),
    ([3, 1, 0, 6, 2], "vf 0-3,6"),
    ([0, 2, 4], "vf 0,2,4"),
    (range(256), "vf 0-255"),
])  # fmt: skip
def test_vfs_are_spelled_as_the_file_has_them(indices: list[int], text: str) -> None:
    assert wanted.spelled(indices) == text


def test_defaults_are_spelled_as_ip_link_has_them() -> None:
    assert wanted.told({"trust": True, "spoofchk": False, "mtu": 1500}) == "trust on, spoofchk off, mtu 1500"


def test_a_pf_without_netdev_is_called_by_its_address() -> None:
    facts = Port(name="").facts()

    assert (facts.name, wanted.PfPlan(entry(), facts.pf).name) == ("0000:01:00.0", "0000:01:00.0")
