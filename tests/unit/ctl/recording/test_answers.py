"""What netlink was asked once is answered again; what was not follows from the lists of links and addresses, or is an error."""

from __future__ import annotations

from errno import ENODATA, EOPNOTSUPP, EROFS
from typing import Any

import pytest

from cni_sriov.ctl.recording.answers import QUESTIONS, Answers, RecordedNetlink, SpyNetlink, question
from cni_sriov.kernel.links import Links
from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.replies import Address
from cni_sriov.words.domain import Link
from cni_sriov.words.errors import KernelRefused
from cni_sriov.words.record import VfState
from tests.world import World

PF = Link(2, "enp1s0f0", flags=1, altnames=["a-long-name-of-that-port"], parent_dev="0000:01:00.0")
VF = Link(3, "enp1s0f0v0", parent_dev="0000:01:10.0")
ADDRESSES = [Address("10.0.0.1/24", 2), Address("10.0.1.1/24", 3)]
STATES = {0: VfState(vlan=5), 1: VfState(vlan=6)}
TRAITS = {"flags": "multicast", "features": "21", "rings": "rx 256"}
ALL = Answers(
    {
        "links []": [PF, VF],
        "addresses [0]": ADDRESSES,
        "vf_states [2, null]": STATES,
        "traits [3, null]": TRAITS,
    }
)


def test_what_was_not_asked_follows_from_what_was() -> None:
    netlink = RecordedNetlink(ALL)

    assert (netlink.link("enp1s0f0v0"), netlink.link_by_index(2), netlink.link_by_pci("0000:01:00.0")) == (
        VF,
        PF,
        PF,
    )
    assert (netlink.find_link(PF.altnames[0]), netlink.link(PF.altnames[0])) == (PF, None)
    assert (netlink.ifindex("enp1s0f0"), netlink.ifindex("none"), netlink.ifindex("")) == (2, 0, 0)
    assert (netlink.ifname(3), netlink.ifname(9), netlink.bus_info("enp1s0f0v0")) == (
        "enp1s0f0v0",
        "",
        VF.parent_dev,
    )
    assert (netlink.addresses(3), netlink.addresses(9), netlink.addresses()) == (
        [ADDRESSES[1]],
        [],
        ADDRESSES,
    )
    assert netlink.vf_states(2, 1) == {1: STATES[1]}
    assert netlink.vf_state(2, 0) == STATES[0]
    assert netlink.traits(VF, {"features"}) == {"flags": "multicast", "features": "21"}
    with pytest.raises(KernelRefused, match="does not list this VF"):
        netlink.vf_state(2, 7)


@pytest.mark.parametrize(
    "ask",
    [
        lambda netlink: netlink.vf_states(3),
        lambda netlink: netlink.traits(PF),
        lambda netlink: netlink.routes(),
        lambda netlink: netlink.whole_link(2),
        lambda netlink: netlink.netns_id(7),
        lambda _: RecordedNetlink(Answers()).links(),
        lambda _: RecordedNetlink(Answers()).link("enp1s0f0"),
        lambda _: RecordedNetlink(Answers()).addresses(2),
    ],
)
def test_what_does_not_follow_is_not_absent(ask: Any) -> None:
    with pytest.raises(KernelRefused, match="not in the recording") as caught:
        ask(RecordedNetlink(ALL))
    assert caught.value.errno == ENODATA


def test_a_refusal_is_one_again() -> None:
    answers = Answers()

    def refused() -> None:
        raise KernelRefused("look up the VFs of link 2", EOPNOTSUPP, "not this driver")

    with pytest.raises(KernelRefused) as live:
        answers.keep("vf_states [2, null]", refused)
    with pytest.raises(KernelRefused) as again:
        RecordedNetlink(answers).vf_states(2)
    assert str(again.value) == str(live.value)


@pytest.mark.parametrize(
    "act",
    [lambda net: net.set_up(2), lambda net: net.set_vf_vlan(2, 0, 5), lambda net: net.move(2, 3, "x")],
)
def test_nothing_can_be_changed(act: Any) -> None:
    """By who replays, and by who records."""
    for netlink in (RecordedNetlink(ALL), SpyNetlink(RecordedNetlink(ALL), Answers())):
        with pytest.raises(KernelRefused, match="nothing can be changed") as caught:
            act(netlink)
        assert caught.value.errno == EROFS


def test_a_spy_answers_as_the_kernel_and_keeps_it(world: World) -> None:
    answers = Answers()
    spy, real = SpyNetlink(world.kernel.netlink, answers), world.kernel.netlink
    pf = spy.link("enp1s0f0")
    assert pf == real.link("enp1s0f0")
    assert pf is not None
    assert spy.vf_state(pf.ifindex, 3) == real.vf_state(pf.ifindex, 3)
    assert spy.addresses() == real.addresses()

    again = RecordedNetlink(answers)

    assert again.link("enp1s0f0") == pf
    assert again.vf_state(pf.ifindex, 3) == real.vf_state(pf.ifindex, 3)


# looks that follow from QUESTIONS, and what a recording has no answer for and says so
FOLLOW = {"link", "link_by_pci", "vf_state", "host_use", "wait_link"}
NEVER = {"netns_id", "raw", "close"}
ACTS = ("set_", "add_", "del_", "move", "delete", "announce")


def test_every_look_of_netlink_is_known_here() -> None:
    """A new one must be recorded, or said why not."""
    looks = {name for name in {*vars(Netlink), *vars(Links)} if not name.startswith(("_", *ACTS))}
    assert looks - FOLLOW - NEVER == {*QUESTIONS}


def test_a_question_is_the_same_however_it_is_asked() -> None:
    assert question("addresses") == question("addresses", 0) == question("addresses", ifindex=0)
    assert question("traits", VF, {"b", "a"}) == question("traits", VF, ["a", "b"])


def test_a_password_is_no_answer() -> None:
    answers = Answers({"traits [3, null]": {"wake-on": "on 32 password 77"}, "ifname [1]": "lo"})
    answers.without_passwords()
    assert answers.told["traits [3, null]"] == {"wake-on": "on 32 password 0"}
