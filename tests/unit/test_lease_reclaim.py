"""A full pool: leases of the dead come back, those of the living do not."""

from __future__ import annotations

import pytest

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
