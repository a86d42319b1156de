"""A MAC that is asked for is held by nobody else on the node: PFs, their VFs, claims, the host's own interfaces.

Facts of a card: igb takes one MAC for two VFs, and for the PF and a VF, without a word (kernels.md 6.5).
"""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from cni_sriov.words.record import VfState
from tests.fakes import FakeLink
from tests.fakes.netlink import FakeNetlink
from tests.unit.verbs.calls import attach
from tests.world import World

MAC = "02:00:00:00:0a:01"
POD2 = "/run/netns/pod2"


@pytest.fixture
def two(world: World) -> World:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=7)
    world.kernel.add_pod(POD2)
    return world


def asking(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(mac=MAC, **keys)


def host_link(world: World, name: str) -> FakeLink:
    found = world.kernel.host.find(name)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("master", ["enp1s0f0", "enp1s0f1"])
def test_of_two_pods_on_whatever_ports_one_has_it(two: World, master: str) -> None:
    assert two.call("ADD", asking(two)).code == 0
    before = two.snapshot()

    refused = two.call("ADD", asking(two, master=master), "c2", POD2)

    assert (refused.code, two.snapshot()) == (103, before), refused.text
    assert "vf 0 of enp1s0f0 has it: c1/net1 of network fast" in refused.text


def test_what_its_pod_is_dead_gives_it_back_from_the_other_port(two: World) -> None:
    assert two.call("ADD", asking(two)).code == 0
    two.kernel.kill_netns("/run/netns/pod1")

    assert two.call("ADD", asking(two, master="enp1s0f1"), "c2", POD2).code == 0


@pytest.mark.parametrize("shows", [True, False], ids=["the PF shows it", "only the claim knows"])
def test_a_mac_that_a_claimed_vf_brought_along_is_taken(two: World, shows: bool) -> None:
    """Nobody asked for it: the VF has it of itself, and not every PF shows that."""
    vf = two.kernel.pfs[0].vfs[0]
    assert vf.link is not None
    vf.link.mac = MAC
    assert two.call("ADD", two.conf()).code == 0
    vf.state.mac = MAC if shows else "00:00:00:00:00:00"

    refused = two.call("ADD", asking(two, master="enp1s0f1"), "c2", POD2)

    assert (refused.code, "vf 0 of enp1s0f0 has it: c1/net1" in refused.text) == (103, True), refused.text


@pytest.mark.parametrize("own", [0, 1])
def test_a_pf_of_whatever_port_keeps_its_own(two: World, own: int) -> None:
    two.kernel.pfs[own].link.mac = MAC

    refused = two.call("ADD", asking(two))

    assert (refused.code, f"enp1s0f{own} itself has it" in refused.text) == (103, True), refused.text
    assert two.files() == []


@pytest.mark.parametrize("kind", ["veth", "bond", "bridge", "vlan", "dummy"])
def test_an_interface_of_the_host_keeps_its_own(two: World, kind: str) -> None:
    two.kernel.add_link(two.kernel.host, "lan0", kind).mac = MAC

    refused = two.call("ADD", asking(two))

    assert (refused.code, "interface lan0 of the host has it" in refused.text) == (103, True), refused.text
    assert two.files() == []


def test_an_interface_of_another_netns_is_none_of_the_hosts(two: World) -> None:
    two.kernel.add_link(two.kernel.pods[POD2], "eth0").mac = MAC

    assert two.call("ADD", asking(two)).code == 0


@pytest.mark.parametrize("by", ["admin", "own"])
def test_the_free_vf_that_has_it_is_the_one_to_take(two: World, by: str) -> None:
    vf = two.kernel.pfs[0].vfs[3]
    assert vf.link is not None
    if by == "own":
        vf.link.mac = MAC
    vf.state.mac = MAC if by == "admin" else "00:00:00:00:00:00"

    added = two.call("ADD", asking(two))

    assert added.code == 0, added.text
    assert two.pod_link().pci_address == vf.pci_address


def test_among_several_ports_too(two: World) -> None:
    vf = two.kernel.pfs[1].vfs[2]
    vf.state.mac = MAC
    both = {"master": None, "pf": {"names": ["enp1s0f0", "enp1s0f1"]}}

    assert two.call("ADD", asking(two, **both)).code == 0

    assert two.pod_link().pci_address == vf.pci_address
    assert two.call("CHECK", asking(two, **both)).code == 0


WHY_NOT: dict[str, dict[str, Any]] = {
    "it is of a port that is not meant": {"master": "enp1s0f1"},
    "another VF is named": {"master": None, "deviceID": "0000:01:10.0"},
    "its index is not meant": {"master": None, "pf": {"names": ["enp1s0f0"], "vfs": "0-2"}},
}


@pytest.mark.parametrize("keys", WHY_NOT.values(), ids=WHY_NOT.keys())
def test_a_free_vf_that_is_not_meant_keeps_it(two: World, keys: dict[str, Any]) -> None:
    vf = two.kernel.pfs[0].vfs[3]
    vf.state.mac = MAC

    refused = two.call("ADD", asking(two, **keys))

    assert (refused.code, two.files()) == (103, []), refused.text
    assert "vf 3 of enp1s0f0 has it" in refused.text
    assert vf.pci_address in refused.document["details"]


def test_two_vfs_that_have_it_are_one_too_many(two: World) -> None:
    for index in (0, 3):
        two.kernel.pfs[0].vfs[index].state.mac = MAC

    refused = two.call("ADD", asking(two))

    assert (refused.code, "vf 3 of enp1s0f0 has it" in refused.text) == (103, True), refused.text


def test_a_pf_in_another_netns_is_not_asked(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there, by PCI, and has no interface here that could be asked."""
    pf = two.kernel.pfs[1]
    number, link = two.kernel.host.find("enp1s0f1") or (0, pf.link)
    del two.kernel.host.links[number]
    two.kernel.tree.withdraw(link)
    asked: list[int] = []
    real = FakeNetlink.vf_states

    def noted(self: FakeNetlink, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        asked.append(pf_ifindex)
        return real(self, pf_ifindex, only)

    monkeypatch.setattr(FakeNetlink, "vf_states", noted)

    assert two.call("ADD", asking(two)).code == 0
    assert 0 not in asked, "that is no link: EINVAL"


def test_without_a_mac_nothing_of_it_is_looked_for(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the node's lock, and RTNL is everybody's."""

    def look(*_: object) -> NoReturn:
        raise AssertionError("all PFs, or all links, for nothing")

    for name in ("names_with_address", "pfs"):
        monkeypatch.setattr(type(two.kernel.sysfs), name, look)

    assert two.call("ADD", two.conf()).code == 0


@pytest.mark.parametrize("told", ["{", '{"format": 9}'], ids=["torn", "of another version"])
def test_a_claim_that_cannot_be_read_keeps_the_mac_that_its_vf_shows(two: World, told: str) -> None:
    attach(two, "c8", mac=MAC)
    for path in ((two.run_dir / "claims/0000:01:00.0+0000:01:10.0"), two.state_dir / "c8@net1"):
        path.write_text(told)

    refused = two.call("ADD", asking(two, master="enp1s0f1"), "c2", POD2)

    assert refused.code != 0, "two pods with one MAC"
    other = two.conf(mac="02:00:00:00:0a:02", master="enp1s0f1")
    assert two.call("ADD", other, "c2", POD2).code == 0, "a file costs no more than its own attachment"
