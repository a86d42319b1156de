"""What an ADD claims: of a PF with 256 VFs it reads as little as can be under the node's lock; some PFs have none to give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel import devlink
from cni_sriov.kernel.replies import Address
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.gone import GONE
from tests.fakes import FakeKernel, FakeSysfs
from tests.unit.one_port import at_home, hide_pf
from tests.unit.verbs.calls import attach
from tests.world import World

VIRTFN = re.compile(r"virtfn(\d+)$")


class CountingSysfs(FakeSysfs):
    """Notes which VFs were looked into; following a virtfn link is not looking into."""

    def __init__(self, world: FakeKernel) -> None:
        super().__init__(world)
        self.links: list[str] = []
        self.seen: set[str] = set()

    def _list(self, *parts: str) -> list[str]:
        self._note(parts)
        return super()._list(*parts)

    def _read(self, *parts: str, absent: frozenset[int] = GONE) -> str:
        self._note(parts)
        return super()._read(*parts, absent=absent)

    def _link_name(self, *parts: str) -> str:
        self.links += VIRTFN.findall(parts[-1])
        self._note(parts)
        return super()._link_name(*parts)

    def _note(self, parts: tuple[str, ...]) -> None:
        path = "/".join(parts)
        self.seen |= {vf.pci_address for vf in self.world.pfs[0].vfs if f"/{vf.pci_address}" in path}


@pytest.fixture
def large(tmp_path: Path) -> World:
    """One port with 256 VFs, the first three of them in the pod."""
    large = World(tmp_path)
    large.kernel.add_pf(numvfs=256, totalvfs=256)
    large.kernel.add_pod()
    for number in range(3):
        assert large.call("ADD", large.conf(), f"c{number}", ifname=f"net{number}").code == 0
    return large


@pytest.fixture
def counting(large: World) -> CountingSysfs:
    large.kernel.sysfs = counting = CountingSysfs(large.kernel)
    return counting


def test_an_add_reads_no_claimed_vf_and_none_behind_the_free_one(
    large: World, counting: CountingSysfs
) -> None:
    assert large.call("ADD", large.conf(), "c3", ifname="net3").code == 0

    assert counting.seen == {"0000:01:10.6"}
    assert counting.links == ["0", "1", "2", "3"]


def test_with_device_id_only_that_vf_is_read(large: World, counting: CountingSysfs) -> None:
    added = large.call("ADD", large.conf(master=None, deviceID="0000:01:1f.0"), "c3", ifname="net3")

    assert added.code == 0, added.text
    assert counting.seen == {"0000:01:1f.0"}


def test_no_free_vf_of_a_big_card_names_the_first_and_counts_the_rest(
    large: World, counting: CountingSysfs
) -> None:
    for vf in large.kernel.pfs[0].vfs[3:]:
        large.kernel.set_driver(vf, "")

    refused = large.call("ADD", large.conf(), "c3", ifname="net3")

    assert refused.code == 11
    assert [f"enp1s0f0 vf {index} (" in refused.text for index in range(9)] == [True] * 8 + [False]
    assert refused.text.count(": claimed by ") == 3
    assert "; and 248 more (248 no driver is bound" in refused.text
    assert len(refused.text) < 1500
    assert len(counting.seen) == 256, "reclaim looks whether the claimed ones are back in the host"


def test_a_pf_in_a_netns_of_its_own_is_101(one_vf: World) -> None:
    hide_pf(one_vf)

    reply = one_vf.call("ADD", one_vf.conf(master=None, deviceID="0000:01:10.0"))

    assert (reply.code, one_vf.files()) == (101, [])


@pytest.mark.parametrize(("mode", "code"), [("switchdev", 101), ("legacy", 0), ("", 0)])
def test_a_pf_in_switchdev_mode_is_101(
    one_vf: World, monkeypatch: pytest.MonkeyPatch, mode: str, code: int
) -> None:
    """By devlink's word: ice and netdevsim have a switch ID in legacy mode, too."""
    (one_vf.root / "kernel/sys/class/net/enp1s0f0/phys_switch_id").write_text("0102")
    monkeypatch.setattr(devlink, "eswitch_mode", lambda device: mode if device == "0000:01:00.0" else "?")

    reply = one_vf.call("ADD", one_vf.conf())

    assert (reply.code, "switchdev" in reply.text) == (code, code == 101)
    assert bool(one_vf.files()) == (code == 0)


VF = "0000:01:10.0"


def test_an_address_given_while_add_waits_for_the_lock_keeps_the_vf(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Ledger.node_lock

    def waited(ledger: Ledger, verb: str) -> Any:
        if verb == "ADD" and not at_home(world).addresses:
            at_home(world).addresses.append(Address("192.0.2.1/24", 0, 0x80))
        return lock(ledger, verb)

    monkeypatch.setattr(Ledger, "node_lock", waited)

    assert world.call("ADD", world.conf()).code == 0

    assert [link.addresses for link in world.kernel.host.links.values() if link.pci_address == VF] != []
    assert f"0000:01:00.0+{VF}" not in [claim.name for claim in (world.run_dir / "claims").iterdir()]


def test_two_interfaces_of_one_container_are_on_different_pfs(world: World) -> None:
    """Also where the first PF has fewer claims: others have filled the second one."""
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=7)
    both = world.conf(master=None, pf={"names": ["enp1s0f0", "enp1s0f1"]})
    attach(world, "c8", "c9", master="enp1s0f1")
    pfs = []
    for ifname in ("net1", "net2", "net3"):
        assert world.call("ADD", both, ifname=ifname).code == 0
        found = world.kernel.pods["/run/netns/pod1"].find(ifname)
        # the fake lays out ports as an I350 does
        pfs.append(int(found[1].pci_address[-1]) % 2 if found else -1)
    assert pfs == [0, 1, 0]
