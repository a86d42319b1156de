"""What a class code says."""

from __future__ import annotations

from cni_sriov.words.device import BRIDGE, NETWORK, Device


def test_the_upper_byte_is_the_base_class() -> None:
    assert (Device("", 0x0200).base_class, Device("", 0x0604).base_class) == (NETWORK, BRIDGE)
    assert (Device("", 0x0604).is_bridge, Device("", 0x0200).is_bridge) == (True, False)
