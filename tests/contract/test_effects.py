"""The fake alone: what it can do to a process that the kernel cannot be had to do."""

from __future__ import annotations

from errno import EBUSY, EIO
from typing import TYPE_CHECKING

import pytest

from cni_sriov.kernel.netns import OWN
from cni_sriov.words.errors import KernelRefused
from tests.fakes import Crash, FakeKernel

from .card import PF, VF, refusal

if TYPE_CHECKING:
    from pathlib import Path


class Card:
    """A PF with two VFs, the first one's netdev in the host."""

    def __init__(self, root: Path) -> None:
        self.world = FakeKernel(root)
        self.world.add_pf(PF, numvfs=2)
        self.host = self.world.netlink
        self.pf, self.vf = self.host.ifindex(PF), self.host.ifindex(VF)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


@pytest.mark.parametrize(("when", "mtu"), [("before", 1500), ("after", 1400)])
def test_failed_effect_did_not_or_did_happen(card: Card, when: str, mtu: int) -> None:
    card.world.fail_effect(1, when)
    card.host.set_vf_vlan(card.pf, 0, 100)

    assert refusal(lambda: card.host.set_mtu(card.vf, 1400)) == EIO

    link = card.host.link(VF)
    assert link is not None
    assert link.mtu == mtu
    card.host.set_mtu(card.vf, 1300)


def test_crash_lets_nothing_happen_after_it_and_keeps_the_files_of_its_moment(
    card: Card, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "record").write_text("claimed")
    card.world.durable = [state]
    card.world.crash_at(0, "after")
    with pytest.raises(Crash):
        card.host.set_vf_vlan(card.pf, 0, 100)
    crashed = card.world.snapshot()

    with pytest.raises(Crash):
        card.host.set_vf_vlan(card.pf, 0, 0)
    (state / "record").unlink()
    card.world.restart()

    assert card.world.snapshot() == crashed
    assert card.host.vf_state(card.pf, 0).vlan == 100
    assert (state / "record").read_text() == "claimed"


def test_snapshot_is_equal_after_there_and_back(card: Card) -> None:
    card.world.add_pod("/pod")
    before = card.world.snapshot()
    netns = card.world.open_netns("/pod")
    card.host.move(card.vf, netns.fd, "net1")
    assert card.world.snapshot() != before

    pod = card.world.pod_netlink(netns)
    pod.move(pod.ifindex("net1"), card.world.open_netns(OWN).fd, VF)

    assert card.world.snapshot() == before


def test_what_is_to_happen_before_a_verb_happens_once(card: Card) -> None:
    seen = []
    card.world.before("set_mtu", lambda netlink, *args: seen.append((netlink is card.host, args)))

    card.host.set_up(card.vf)
    assert seen == []
    card.host.set_mtu(card.vf, 1400)
    card.host.set_mtu(card.vf, 1300)

    assert seen == [(True, (card.vf, 1400))]


def test_what_is_to_happen_before_every_call_of_a_verb_may_refuse_it(card: Card) -> None:
    def busy(*_: object) -> None:
        raise KernelRefused("list links", EBUSY)

    card.world.before("links", busy, always=True)

    assert [refusal(card.host.links) for _ in range(2)] == [EBUSY, EBUSY]
    card.world.before("links", lambda *_: None)
    assert [refusal(card.host.links) for _ in range(2)] == [0, 0]
