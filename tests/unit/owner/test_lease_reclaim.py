"""A full pool: leases of the dead come back, those of the living do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.one_port import pull_cable
from tests.world import World


@pytest.fixture
def full(world: World) -> World:
    """A pool of two subnets, both held; VFs are free."""
    for container in ("c1", "c2"):
        world.kernel.add_pod(f"/run/netns/{container}")
        assert world.call("ADD", tiny(world), container, f"/run/netns/{container}").code == 0
    world.kernel.add_pod("/run/netns/c3")
    return world


def tiny(world: World) -> dict[str, object]:
    return world.conf(ipam=world.ipam(pools=[{"subnet": "10.10.0.0/23", "prefixLength": 24}]))


def test_a_full_pool_is_code_11(full: World) -> None:
    before = full.snapshot()
    assert full.call("ADD", tiny(full), "c3", "/run/netns/c3").code == 11
    assert full.snapshot() == before


def test_the_lease_of_a_vf_that_came_back_is_taken(full: World) -> None:
    full.kernel.kill_netns("/run/netns/c1")
    added = full.call("ADD", tiny(full), "c3", "/run/netns/c3")
    assert (added.code, added.document["ips"][0]["address"]) == (0, "10.10.0.2/24")


def test_a_netns_that_cannot_be_found_may_be_held_by_a_descriptor(full: World) -> None:
    """The fake's inodes are in no /proc: not proof of death while the VF is not back in the host."""
    del full.kernel.pods["/run/netns/pod1"]
    assert full.call("ADD", tiny(full), "c3", "/run/netns/c3").code == 11
    assert full.call("CHECK", tiny(full), "c1", "/run/netns/c1").code == 0


def set_pf_down(world: World, down: bool) -> None:
    netlink = world.kernel.netlink
    (netlink.set_down if down else netlink.set_up)(netlink.ifindex("enp1s0f0"))


@pytest.mark.parametrize("harm", [set_pf_down, pull_cable])
def test_a_pf_without_link_does_not_make_del_fail_for_ever(
    world: World, harm: Callable[[World, bool], None]
) -> None:
    """igb refuses to restore rates then: the lease is free at once, the VF when the PF has a link again."""
    before = world.snapshot()
    conf = world.conf(max_tx_rate=100, ipam=world.ipam())
    assert world.call("ADD", conf).code == 0
    harm(world, True)

    assert world.call("DEL", conf).code == 0

    assert [name for name in world.files() if name.startswith("data") and "/leases/" in name] == []
    harm(world, False)
    assert world.call("DEL", conf).code == 0
    assert world.snapshot() == before


def test_a_rate_without_a_cable_is_refused_with_the_reason(world: World) -> None:
    pull_cable(world, True)
    before = world.snapshot()

    refused = world.call("ADD", world.conf(max_tx_rate=100))

    assert (refused.code, "the PF has no carrier" in refused.document["details"]) == (100, True)
    assert world.snapshot() == before


def test_what_a_downed_pf_left_is_restored_before_another_gets_it(world: World) -> None:
    conf = world.conf(max_tx_rate=100, deviceID="0000:01:10.0")
    assert world.call("ADD", conf).code == 0
    netlink = world.kernel.netlink
    netlink.set_down(netlink.ifindex("enp1s0f0"))
    assert world.call("DEL", conf).code == 0
    assert world.call("ADD", world.conf(deviceID="0000:01:10.0", pfUp=False), "c2").code == 11
    netlink.set_up(netlink.ifindex("enp1s0f0"))

    assert world.call("ADD", world.conf(deviceID="0000:01:10.0"), "c2").code == 0

    assert world.kernel.pfs[0].vfs[0].state.max_tx_rate == 0
    assert "reclaimed" in world.log_file.read_text()
