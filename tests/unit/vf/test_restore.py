"""A VF is given back as it was found; where its PF is out of reach, once that is back."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from cni_sriov.words.errors import KernelRefused
from tests import fakes
from tests.unit.one_port import MINE, OTHERS, at_home, hide_pf, link_of, show_pf, vf_of
from tests.world import World


@pytest.mark.parametrize("asked", [{"vlan": 100}, {"mac": "02:00:00:00:aa:01"}], ids=["vlan", "mac"])
@pytest.mark.parametrize("trusted", [False, True], ids=["", "trusted"])
def test_a_pf_in_a_netns_of_its_own_does_not_make_del_fail_for_ever(
    one_vf: World, asked: dict[str, Any], trusted: bool
) -> None:
    """What was asked by way of the PF stays on its VF until then, so the VF is nobody else's; the lease is free. Also
    the admin MAC of a VF that was trusted all along: that one takes its own address back without the PF.
    """
    vf_of(one_vf).state.trust = trusted
    before = one_vf.snapshot()
    ipam = one_vf.ipam(pools=[{"subnet": "10.10.0.0/24", "prefixLength": 24}])
    assert one_vf.call("ADD", one_vf.conf(**asked, ipam=ipam)).code == 0
    hide_pf(one_vf)

    gone = [one_vf.call("DEL", one_vf.conf(ipam=ipam), netns=netns) for netns in (MINE, "")]

    assert [reply.code for reply in gone] == [0, 0], gone[0].text
    assert [name for name in one_vf.files() if "/leases/" in name] == []
    (record,) = one_vf.state_dir.iterdir()
    told = json.loads(record.read_text())
    assert (told["status"], told["leases"], told["addresses"]) == ("released", [], [])
    assert link_of(one_vf).name == "enp1s0f0v0"
    assert "is in another netns" in one_vf.log_file.read_text()
    refused = one_vf.call("ADD", one_vf.conf(master=None, deviceID="0000:01:10.0"), "c2", OTHERS)
    assert (refused.code, "claimed" in refused.text) == (11, True), refused.text
    show_pf(one_vf)
    assert one_vf.call("ADD", one_vf.conf(), "c2", OTHERS).code == 0, "it is reclaimed"
    assert (one_vf.call("DEL", one_vf.conf(), "c2", OTHERS).code, one_vf.snapshot()) == (0, before)


def test_where_the_pf_has_nothing_to_restore_its_absence_is_no_matter(one_vf: World) -> None:
    before = one_vf.files()
    assert one_vf.call("ADD", one_vf.conf(mtu=1400)).code == 0
    hide_pf(one_vf)

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.files()) == (0, before)
    assert link_of(one_vf).mtu == 1500


def test_what_a_hidden_pf_left_is_finished_by_the_same_attachments_add(one_vf: World) -> None:
    assert one_vf.call("ADD", one_vf.conf(vlan=100)).code == 0
    hide_pf(one_vf)
    assert one_vf.call("DEL", one_vf.conf()).code == 0

    early = one_vf.call("ADD", one_vf.conf())
    show_pf(one_vf)
    late = one_vf.call("ADD", one_vf.conf())

    assert (early.code, "another netns" in early.text, late.code) == (11, True, 0), early.text
    assert vf_of(one_vf).state.vlan == 0


def test_a_pf_that_does_not_answer_stops_no_other_inverse(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = world.conf(mtu=1400)
    assert world.call("ADD", conf).code == 0

    def fail(*_: Any, **__: Any) -> None:
        raise KernelRefused("look up the VFs of link 2", errno.EIO)

    with monkeypatch.context() as patch:
        patch.setattr(fakes.FakeNetlink, "vf_states", fail)
        assert world.call("DEL", conf).code == 11
    assert at_home(world).mtu == 1500
    assert world.call("DEL", conf).code == 0


def test_a_netdev_that_is_there_but_was_not_seen_is_not_taken_for_restored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev renames it again and again while DEL looks for it: nothing of it was set back, and nothing was seen to differ."""
    conf, link = world.conf(mtu=1400), fakes.FakeNetlink.link
    missed: list[str] = []
    assert world.call("ADD", conf).code == 0

    def renamed(netlink: fakes.FakeNetlink, name: str) -> Any:
        found = link(netlink, name)
        if found is None or found.parent_dev != "0000:01:10.0" or len(missed) == 2:
            return found
        missed.append(name)
        return None

    monkeypatch.setattr(fakes.FakeNetlink, "link", renamed)

    assert world.call("DEL", conf).code == 11
    assert len(missed) == 2
    assert world.call("DEL", conf).code == 0
    assert at_home(world).mtu == 1500
