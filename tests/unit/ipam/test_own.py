"""host-subnet in process: which host use counts, what it answers."""

from __future__ import annotations

import pytest

from tests.world import World


@pytest.mark.parametrize("master", ["eth0", "enp3s0np0-of-a-long-card"])
def test_a_macvlans_pool_may_be_cut_from_its_parents_lan(world: World, master: str) -> None:
    """Its parent is found as by netlink.LinkByName (containernetworking/plugins 1.9, plugins/main/macvlan)."""
    eth0 = world.kernel.add_link(world.kernel.host, "eth0")
    eth0.altnames = ["enp3s0np0-of-a-long-card"]
    netlink = world.kernel.netlink
    netlink.add_address(netlink.ifindex("eth0"), "10.10.0.1/24")
    conf = world.conf(type="macvlan", master=master, ipam=world.ipam())

    ours = world.call("ADD", conf, door="host-subnet").document
    others = world.call("ADD", conf | {"master": "gone0"}, "c2", door="host-subnet").document

    assert [added["ips"][0]["address"] for added in (ours, others)] == ["10.10.0.2/24", "10.10.1.2/24"]
