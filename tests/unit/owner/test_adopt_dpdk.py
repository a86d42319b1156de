"""What sriov-cni attached in DPDK mode: on a VF that the operator had put on vfio-pci it set what its PF can set, and took
addresses. It is ours from the exchange on, like any other; sriov-cni's own DEL of one never succeeds at first.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.drop_in import POD, VERSIONS, SriovCni
from tests.unit.ctl.tool import sriovctl
from tests.unit.dpdk import VF, ahead, driver, furnish, hold
from tests.unit.ipam.test_delegate import HostLocal
from tests.unit.owner.test_adopt import age
from tests.world import Reply, World

OTHER = "/run/netns/pod2"
SETTINGS: dict[str, Any] = {
    "vlan": 100,
    "vlanQoS": 2,
    "mac": "02:00:00:00:aa:01",
    "spoofchk": "off",
    "trust": "on",
}


@pytest.fixture
def card(world: World, old: SriovCni) -> World:
    """The first VF is on vfio-pci."""
    furnish(world)
    ahead(world, world.kernel.pfs[0].vfs[0])
    assert old.world is world
    return world


def collect(card: World, *keep: tuple[str, str]) -> Reply:
    kept = [{"containerID": container, "ifname": ifname} for container, ifname in keep]
    conf = card.conf(cniVersion="1.1.0", **{"cni.dev/valid-attachments": kept})
    return card.call("GC", conf, container="", netns="", ifname="")


def shown(card: World) -> dict[str, Any]:
    """All that anybody can see. Whether the PF shows an admin MAC, or what the VF last set itself, nobody can, without a
    netdev to compare with (kernels.md 6.3); sriov-cni makes it one, too.
    """
    found = card.kernel.snapshot()
    for vf in found["vfs"].values():
        del vf["admin_mac"]
    return found


def is_as_before(card: World, old: SriovCni, before: dict[str, Any]) -> None:
    """The VF stays on its driver: that was the operator's."""
    assert shown(card) == before
    assert (driver(card), card.kernel.tree.override(VF)) == ("vfio-pci", "vfio-pci")
    assert [name for name in old.files() if "lock" not in name] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_check_and_delete(card: World, old: SriovCni, version: str) -> None:
    before, effects = shown(card), len(card.kernel.effects)
    conf = old.add(version=version, **SETTINGS)

    assert card.call("CHECK", conf).code == 0
    assert card.call("DEL", conf).code == 0

    is_as_before(card, old, before)
    assert not [effect for effect in card.kernel.effects[effects:] if "bind" in effect or "driver" in effect]
    assert card.call("DEL", conf).code == 0


@pytest.mark.parametrize("how", ["empty CNI_NETNS", "dead netns"])
def test_delete_when_the_pod_is_gone(card: World, old: SriovCni, how: str) -> None:
    """sriov-cni gave up here, and left the VLAN for the next one."""
    before = shown(card)
    conf = old.add(**SETTINGS)
    if how == "dead netns":
        card.kernel.kill_netns(POD)
        del before["pods"][POD]

    assert card.call("DEL", conf, netns="" if how == "empty CNI_NETNS" else POD).code == 0

    is_as_before(card, old, before)


def test_a_baseline_that_is_not_the_default(card: World, old: SriovCni) -> None:
    netlink = card.kernel.netlink
    pf = netlink.ifindex("enp1s0f0")
    netlink.set_vf_mac(pf, 0, "02:00:00:00:bb:01")
    netlink.set_vf_vlan(pf, 0, 7, 3)
    before = shown(card)
    conf = old.add(**SETTINGS)

    assert card.call("DEL", conf).code == 0

    is_as_before(card, old, before)


def test_its_addresses_are_given_back(card: World, old: SriovCni, host_local: HostLocal) -> None:
    conf = old.add(**SETTINGS, ipam={"type": "host-local"})

    assert card.call("DEL", conf).code == 0

    assert host_local.verbs == ["DEL"]


def test_check_tells_what_is_not_so_any_more(card: World, old: SriovCni) -> None:
    conf = old.add(**SETTINGS)
    netlink = card.kernel.netlink
    netlink.set_vf_vlan(netlink.ifindex("enp1s0f0"), 0, 5, 0)

    checked = card.call("CHECK", conf)

    assert (checked.code, "vlan 5" in checked.text) == (107, True), checked.text


def test_a_process_that_has_it_open_keeps_it(card: World, old: SriovCni) -> None:
    """And its VLAN; DEL is success, and the next call ends it."""
    before = shown(card)
    conf = old.add(**SETTINGS)
    descriptor = hold(card)

    assert card.call("DEL", conf).code == 0
    assert card.kernel.pfs[0].vfs[0].state.vlan == 100
    descriptor.unlink()
    assert card.call("DEL", conf).code == 0

    is_as_before(card, old, before)


def test_gc_takes_what_the_runtime_does_not_know(card: World, old: SriovCni) -> None:
    before = shown(card)
    old.add(**SETTINGS)

    assert collect(card, ("c1", "net1")).code == 0
    assert card.kernel.pfs[0].vfs[0].state.vlan == 100
    assert collect(card).code == 0

    is_as_before(card, old, before)


def named(card: World, **keys: Any) -> dict[str, Any]:
    return card.conf(master=None, deviceID=VF, **keys)


def test_an_orphan_is_given_back_before_the_next_one_gets_it(card: World, old: SriovCni) -> None:
    before = shown(card)
    old.add(**SETTINGS)
    card.kernel.kill_netns(POD)
    del before["pods"][POD]

    added = card.call("ADD", named(card), "c2", OTHER)

    assert (added.code, card.kernel.pfs[0].vfs[0].state.vlan) == (0, 0), added.text
    assert card.call("DEL", named(card), "c2", OTHER).code == 0
    is_as_before(card, old, before)


@pytest.mark.parametrize("why", ["its netns lives", "a process has it open"])
def test_a_living_one_keeps_its_vf(card: World, old: SriovCni, why: str) -> None:
    old.add(**SETTINGS)
    if why != "its netns lives":
        hold(card)
        card.kernel.kill_netns(POD)
    there, files = card.kernel.snapshot(), old.files()

    added = card.call("ADD", named(card), "c2", OTHER)

    assert added.code == 11, added.text
    assert (card.kernel.snapshot(), old.files()) == (there, files)


def test_its_network_driver_given_back_by_the_operator_ends_it(card: World, old: SriovCni) -> None:
    """By another tool: ours keeps it from that. No program can have the VF any more; its VLAN is still the container's."""
    mac = card.kernel.pfs[0].vfs[0].state.mac
    conf = old.add(**SETTINGS)
    refused = sriovctl(card, "--state-dir", str(card.state_dir), "unbind", VF)
    assert (refused.status, driver(card)) == (1, "vfio-pci")
    assert "c1/net1" in refused.err
    (card.kernel.tree.device(VF) / "driver_override").write_text("(null)\n")
    card.kernel.set_driver(card.kernel.pfs[0].vfs[0], "igbvf")

    assert card.call("DEL", conf).code == 0

    vf = card.kernel.pfs[0].vfs[0]
    assert (vf.state.vlan, vf.state.trust, vf.state.spoofchk, driver(card)) == (0, False, True, "igbvf")
    assert vf.link is not None
    assert (vf.link.name, vf.link.mac, vf.admin_mac) == ("enp1s0f0v0", mac, False)
    assert [name for name in old.files() if "lock" not in name] == []


def test_without_a_driver_only_the_operator_can_go_on(card: World, old: SriovCni) -> None:
    conf = old.add(**SETTINGS)
    before = old.files()
    card.kernel.set_driver(card.kernel.pfs[0].vfs[0], "")

    refused = card.call("DEL", conf)

    assert (refused.code, f"sriovctl bind {VF}" in refused.text, old.files()) == (101, True, before)
    ahead(card, card.kernel.pfs[0].vfs[0])
    assert card.call("DEL", conf).code == 0


def test_status_shows_whose_it_is(card: World, old: SriovCni) -> None:
    old.add(**SETTINGS)

    run = sriovctl(card, "--state-dir", str(card.state_dir), "status", "--json")

    vf = run.document["pfs"][0]["vfs"][0]
    assert (vf["driver"], vf["owner"]["containerID"], vf["owner"]["ifname"]) == ("vfio-pci", "c1", "net1")


def test_of_an_earlier_boot_only_the_addresses_are_given_back(
    card: World, old: SriovCni, host_local: HostLocal
) -> None:
    conf = old.add(**SETTINGS, ipam={"type": "host-local"})
    age(card.state_dir / "c1-net1", time.clock_gettime(time.CLOCK_BOOTTIME) + 3600)
    (card.state_dir / "pci" / VF).write_text("/run/netns/of-that-boot")
    there = card.kernel.snapshot()

    assert card.call("DEL", conf).code == 0

    assert (host_local.verbs, card.kernel.snapshot()) == (["DEL"], there)
