"""What a VF is before we touch it: recorded before the first change, and refused if it can never be as asked."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from cni_sriov.words.errors import KernelRefused
from tests.fakes import FakeNetlink
from tests.unit.one_port import full_conf, link_of, vf_of
from tests.world import World


def test_all_that_it_was_is_in_the_record_before_the_first_change(one_vf: World) -> None:
    link, state = link_of(one_vf), vf_of(one_vf).state
    netlink = one_vf.kernel.netlink
    netlink.add_altname(netlink.ifindex(link.name), "sriov0")
    netlink.set_vf_vlan(netlink.ifindex("enp1s0f0"), 0, 7, 3)
    state.trust, link.modes = True, 0x200
    seen = one_vf.kernel.snapshot()
    found: list[dict[str, Any]] = []
    was = {"ifname": link.name, "own_mac": link.mac, "mtu": link.mtu, "altnames": ["sriov0"], "up": False}
    was |= {"modes": 0x200, "vlan": 7, "vlan_qos": 3, "trust": True, "spoofchk": state.spoofchk}
    was |= {"mac": "", "max_tx_rate": 0}  # the PF shows the VF's own address: that is no admin MAC

    def record(*_: object) -> None:
        assert one_vf.kernel.snapshot() == seen
        found.append(json.loads((one_vf.state_dir / "c1@net1").read_text())["baseline"])

    one_vf.kernel.before("set_vf_mac", record)
    assert one_vf.call("ADD", full_conf(one_vf)).code == 0

    assert {key: found[0][key] for key in was} == was


@pytest.mark.parametrize(("mtu", "code"), [(68, 0), (9216, 0), (9217, 7), (65535, 7)])
def test_an_mtu_that_the_card_cannot_have_is_refused_with_its_limits(
    one_vf: World, mtu: int, code: int
) -> None:
    before = one_vf.snapshot()
    reply = one_vf.call("ADD", one_vf.conf(mtu=mtu))

    assert (reply.code, "68-9216" in reply.text) == (code, code == 7), reply.text
    assert (one_vf.snapshot() == before) == (code == 7)


@pytest.mark.parametrize(("pf_up", "code"), [(True, 0), (False, 101)])
def test_a_pf_that_is_down_is_brought_up_or_refused(one_vf: World, pf_up: bool, code: int) -> None:
    one_vf.kernel.pfs[0].link.is_up = False

    reply = one_vf.call("ADD", one_vf.conf(pfUp=pf_up))

    assert (reply.code, one_vf.kernel.pfs[0].link.is_up) == (code, pf_up), reply.text


@pytest.mark.parametrize(("asked", "code"), [({}, 0), ({"mtu": 1400}, 0), ({"vlan": 5}, 101), ({"mac": "02:00:00:00:aa:01"}, 101)])  # fmt: skip
def test_a_pf_that_tells_nothing_is_good_for_what_needs_no_pf(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], code: int
) -> None:
    def silent(*_: Any, **__: Any) -> None:
        raise KernelRefused("look up vf 0 of link 2", errno.ENOENT)

    monkeypatch.setattr(FakeNetlink, "vf_state", silent)

    reply = one_vf.call("ADD", one_vf.conf(**asked))

    assert (reply.code, "tells nothing of vf 0" in reply.text) == (code, code == 101), reply.text
