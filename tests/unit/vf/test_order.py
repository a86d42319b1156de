"""DOWN first and UP last: a VF that the host has UP hears nothing of a tenant's network, on neither way."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.kernel.replies import Address
from tests.fakes import FakeNetlink
from tests.unit.one_port import MINE, OTHERS, link_of, vf_of
from tests.world import World

ASKED = {"vlan": 100, "mac": "02:00:00:00:aa:01", "mtu": 1400, "trust": "on"}
CHANGES = ("set_vf_vlan", "set_vf_mac", "set_mac", "set_vf_trust", "set_mtu", "set_name")
RA = Address("fd00:dead::5/64", 0, flags=0x100)  # IFA_F_MANAGETEMPADDR, as a router advertisement makes it


def seen_up(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which changes of the VF come while its netdev is UP."""
    found: list[str] = []
    for verb in CHANGES:
        method = getattr(FakeNetlink, verb)

        def noting(netlink: Any, *args: Any, _verb: str = verb, _method: Any = method) -> None:
            if link_of(world).is_up:
                found.append(_verb)
            _method(netlink, *args)

        monkeypatch.setattr(FakeNetlink, verb, noting)
    return found


def test_all_that_is_set_is_set_while_the_vf_is_down(one_vf: World, monkeypatch: pytest.MonkeyPatch) -> None:
    link_of(one_vf).is_up = True
    before = one_vf.settled()
    found = seen_up(one_vf, monkeypatch)

    codes = [one_vf.call(verb, one_vf.conf(**ASKED)).code for verb in ("ADD", "DEL")]

    assert (codes, found, one_vf.settled()) == ([0, 0], [], before)


def test_a_vf_that_came_home_by_itself_and_was_set_up_is_down_while_it_is_restored(
    one_vf: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NetworkManager sets UP whatever appears."""
    assert one_vf.call("ADD", one_vf.conf(**ASKED)).code == 0
    one_vf.kernel.kill_netns(MINE)
    link_of(one_vf).is_up = True
    found = seen_up(one_vf, monkeypatch)

    assert one_vf.call("DEL", one_vf.conf(**ASKED), netns="").code == 0

    assert (found, link_of(one_vf).is_up) == ([], False)


@pytest.mark.parametrize("refused", ["set_vf_vlan", "set_vf_trust"])
def test_a_vf_that_is_not_restored_stays_down(one_vf: World, refused: str) -> None:
    link_of(one_vf).is_up = True
    assert one_vf.call("ADD", one_vf.conf(**ASKED)).code == 0
    one_vf.kernel.before(refused, lambda *_: one_vf.kernel.fail_effect(0, "before"))

    assert one_vf.call("DEL", one_vf.conf(**ASKED)).code == 11
    assert not link_of(one_vf).is_up

    assert one_vf.call("DEL", one_vf.conf(**ASKED)).code == 0
    assert (link_of(one_vf).is_up, vf_of(one_vf).state.vlan) == (True, 0)


@pytest.mark.parametrize(
    "given",
    [
        Address("fd00:dead::6/64", 0, flags=0x80),  # IFA_F_PERMANENT
        Address("192.0.2.6/24", 0),  # with a lifetime, as a DHCP client of the host has it
    ],
    ids=["for good", "by DHCP"],
)
def test_what_a_router_advertised_keeps_no_vf_busy(one_vf: World, given: Address) -> None:
    """Its address goes with the move; one that somebody of the host gave keeps the VF."""
    link = link_of(one_vf)
    link.is_up = True
    link.addresses.append(RA)
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    assert one_vf.call("DEL", one_vf.conf()).code == 0

    link.addresses.append(given)

    assert one_vf.call("ADD", one_vf.conf(), "c2", OTHERS).code == 11
