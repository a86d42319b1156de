"""Neighbours learn at once that an address has moved to another VF: by packet, with `announceWait`."""

from __future__ import annotations

from typing import Any

import pytest

from .node import CONF, Node

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

IPAM: dict[str, Any] = {
    "type": "host-subnet",
    "pools": [
        {"subnet": "10.10.0.0/16", "prefixLength": 24, "gateway": "none"},
        {"subnet": "fd00:10::/48", "prefixLength": 64, "gateway": "none"},
    ],
    "onlink": True,
}


def test_a_neighbour_learns_the_new_mac_without_asking(node: Node) -> None:
    """It has the old MAC in its cache and sends nothing before we look."""
    node.add_netns("c1", "c2", "c3")
    conf = CONF | {"ipam": IPAM, "announceWait": 200}
    asked = {"runtimeConfig": {"ips": ["10.10.77.1"], "mac": "02:00:00:00:aa:01"}}
    moved = {"runtimeConfig": {"ips": ["10.10.77.1"], "mac": "02:00:00:00:aa:02"}}
    assert node.cni("ADD", conf, "c1").code == 0
    assert node.cni("ADD", conf | asked, "c2").code == 0
    assert node.pings_soon("c1", "10.10.77.1")
    assert node.cni("DEL", conf | asked, "c2").code == 0
    assert "02:00:00:00:aa:01" in node.vm.run("ip -n c1 neigh show 10.10.77.1").stdout

    assert node.cni("ADD", conf | moved, "c3").code == 0

    node.wait_for(lambda: "02:00:00:00:aa:02" in node.vm.run("ip -n c1 neigh show 10.10.77.1").stdout, 5)
    assert [node.cni("DEL", conf, container).code for container in ("c1", "c3")] == [0, 0]


def test_announcing_never_costs_the_ipv6_address(node: Node) -> None:
    """QEMU's igb loops multicasts back: an advertisement sent during DAD came home as a duplicate."""
    node.add_netns("c1")
    conf = CONF | {"ipam": IPAM, "announceWait": 200}
    assert node.cni("ADD", conf).code == 0

    def flags() -> dict[str, bool]:
        (entry,) = node.vm.json("ip -n c1 -6 -j addr show net1 scope global")
        return dict(entry["addr_info"][0])

    node.wait_for(lambda: not flags().get("tentative"), 10)
    assert not flags().get("dadfailed")
    assert node.cni("CHECK", conf).code == 0
    assert node.cni("DEL", conf).code == 0
