"""From one state of a VF to another: only what differs is set, and a knob that is not told is not judged."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.decide import knobs
from cni_sriov.words.domain import Link
from cni_sriov.words.record import VfSettings, VfState

FOUND: dict[str, Any] = {
    "mac": "", "vlan": 7, "vlan_qos": 3, "vlan_proto": "802.1ad", "min_tx_rate": 10, "max_tx_rate": 100,
    "spoofchk": True, "trust": False, "link_state": "auto",
}  # fmt: skip


def found(**changed: Any) -> VfState:
    return VfState(**(FOUND | changed))


def told(now: VfState, wanted: VfState | VfSettings) -> list[tuple[Any, ...]]:
    return [(step.label, step.knob, *step.values) for step in knobs.steps(now, wanted)]


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({}, []),
        ({"vlan": 7, "vlan_qos": 3, "vlan_proto": "802.1ad"}, []),
        ({"vlan": 8}, [("vlan", "vlan", 8, 0, "802.1q")]),
        ({"vlan": 7}, [("vlan", "vlan", 7, 0, "802.1q")]),
        ({"vlan": 0}, [("vlan", "vlan", 0, 0, "802.1q")]),
        ({"max_tx_rate": 100}, []),
        # struct ifla_vf_rate has both: the one that is not asked goes along as it is
        ({"max_tx_rate": 200}, [("max_tx_rate", "rate", 10, 200)]),
        ({"min_tx_rate": 0}, [("min_tx_rate", "rate", 0, 100)]),
        ({"spoofchk": False, "trust": True, "link_state": "enable"},
         [("spoofchk", "spoofchk", False), ("trust", "trust", True), ("link_state", "link_state", "enable")]),
        ({"spoofchk": True, "trust": False, "link_state": "auto"}, []),
    ],
)  # fmt: skip
def test_only_what_differs_is_set(asked: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    assert told(found(), VfSettings(**asked)) == steps


def test_without_a_vlan_its_leftovers_mean_nothing() -> None:
    """Drivers go on telling qos and protocol of a VLAN that is no more."""
    now = found(vlan=0)

    assert told(now, found(vlan=0, vlan_qos=0, vlan_proto="802.1q")) == []
    assert knobs.differences(now, VfState(vlan=0)) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"vlan": 8}, ["vlan 8 qos 3 proto 802.1ad, not 7 qos 3 proto 802.1ad"]),
        ({"vlan_qos": 0}, ["vlan 7 qos 0 proto 802.1ad, not 7 qos 3 proto 802.1ad"]),
        ({"trust": True, "spoofchk": False}, ["spoofchk off, not on", "trust on, not off"]),
        ({"max_tx_rate": 0}, ["max_tx_rate 0, not 100"]),
        ({"link_state": None, "trust": None, "vlan": None, "min_tx_rate": None}, []),
    ],
)
def test_each_difference_is_told_in_the_confs_words(changed: dict[str, Any], words: list[str]) -> None:
    assert knobs.differences(found(**changed), found()) == words


# linux/if.h
PROMISC, ALLMULTI, UP = 1 << 8, 1 << 9, 1


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({}, []),
        ({"mtu": 1500, "txqueuelen": 1000}, []),
        ({"mtu": 9000}, [("mtu", "mtu", 9000)]),
        ({"txqueuelen": 0}, [("txqueuelen", "txqueuelen", 0)]),
        ({"allmulti": True}, [("promisc or allmulti", "modes", PROMISC | ALLMULTI)]),
        ({"promisc": False}, [("promisc or allmulti", "modes", 0)]),
        ({"promisc": True}, []),
    ],
)
def test_the_netdevs_own_too(asked: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    link = Link(7, "eth0", UP | PROMISC, mtu=1500, txqueuelen=1000)

    assert [(s.label, s.knob, *s.values) for s in knobs.own_steps(link, VfSettings(**asked))] == steps


def test_as_found_is_every_setting_of_the_netdev() -> None:
    base = VfState(own_mac="02:00:00:00:00:01", mtu=0, txqueuelen=None, modes=ALLMULTI)
    link = Link(7, "eth0", PROMISC, "02:00:00:00:00:02", 9000, txqueuelen=5)

    assert knobs.own_differences(link, knobs.as_found(base)) == [
        ("mac", "02:00:00:00:00:02", "02:00:00:00:00:01"),
        ("promisc", True, False),
        ("allmulti", False, True),
    ], "an MTU and a queue that were not known are left alone"
