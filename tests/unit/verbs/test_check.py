"""CHECK: everything that ADD promised is compared, and each difference is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.one_port import MINE, hide_pf, vf_of
from tests.world import World

ASKED: dict[str, Any] = {"mac": "02:00:00:00:aa:01", "vlan": 100, "trust": "on", "mtu": 1400}


def make_anew(world: World) -> None:
    (pf,) = world.kernel.pfs
    world.kernel.change_numvfs(pf, 0)
    world.kernel.change_numvfs(pf, 1)


def set_pf_down(world: World) -> None:
    world.kernel.pfs[0].link.is_up = False


def change_vlan(world: World) -> None:
    vf_of(world).state.vlan = 7


def distrust(world: World) -> None:
    vf_of(world).state.trust = False


def change_admin_mac(world: World) -> None:
    vf_of(world).state.mac = "02:00:00:00:bb:01"


def another_netns(world: World) -> None:
    world.kernel.pods[MINE].identity = (1, 1)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (make_anew, "VF 0000:01:10.0 has vanished"),
        (make_anew, "a new one has its address"),
        (hide_pf, "PF 0000:01:00.0 is gone from the host"),
        (set_pf_down, "PF enp1s0f0 is down"),
        (change_vlan, "PF enp1s0f0 vf 0: vlan 7 qos 0 proto 802.1q, not 100 qos 0 proto 802.1q"),
        (distrust, "PF enp1s0f0 vf 0: trust off, not on"),
        (change_admin_mac, "admin MAC 02:00:00:00:bb:01, not 02:00:00:00:aa:01"),
        (another_netns, f"netns {MINE} is another one than ADD saw"),
    ],
)
def test_each_difference_is_named(one_vf: World, harm: Callable[[World], None], told: str) -> None:
    conf = one_vf.conf(**ASKED)
    assert one_vf.call("ADD", conf).code == 0
    assert one_vf.call("CHECK", conf).code == 0
    harm(one_vf)

    checked = one_vf.call("CHECK", conf)

    assert (checked.code, told in checked.text) == (107, True), checked.text


def test_all_of_them_are_told_at_once(one_vf: World) -> None:
    conf = one_vf.conf(**ASKED)
    assert one_vf.call("ADD", conf).code == 0
    for harm in (set_pf_down, change_vlan, distrust):
        harm(one_vf)

    checked = one_vf.call("CHECK", conf)

    assert "3 difference(s)" in checked.text
    assert checked.text.count("; ") == 2, checked.text
