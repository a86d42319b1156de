"""A card's names."""

from __future__ import annotations

from cni_sriov.decide.facts_card import Holder
from tests.unit.decide.patient import PF0, port


def test_a_card_without_netdev_goes_by_its_address() -> None:
    assert (port().name, port(ifname="").name) == ("enp1s0f0", PF0)
    assert port().sysfs == f"/sys/bus/pci/devices/{PF0}"
    assert str(Holder(7, "qemu")) == "qemu (pid 7)"
