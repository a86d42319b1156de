"""Neighbours learn at once that an address has moved to another VF."""

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


OLD, NEW = "02:00:00:00:aa:01", "02:00:00:00:aa:02"
STATIC: dict[str, Any] = {"type": "static", "addresses": [{"address": "10.5.0.7/24"}]}
NEIGHBOUR: dict[str, Any] = {"type": "static", "addresses": [{"address": "10.5.0.1/24"}]}
OURS: dict[str, Any] = IPAM | {"pools": IPAM["pools"][:1]}


@pytest.mark.parametrize(
    ("ipam", "neighbour", "address"),
    [(STATIC, NEIGHBOUR, "10.5.0.7"), (OURS, OURS, "10.10.77.1")],
    ids=["static", "host-subnet"],
)
def test_a_reused_address_is_announced_without_being_asked_for(
    node: Node, ipam: dict[str, Any], neighbour: dict[str, Any], address: str
) -> None:
    """The kernel's arp_notify is not enough: at UP an igbvf has no carrier, and a foreign IPAM's address is not there."""
    node.add_netns("c1", "c2", "c3")
    conf = CONF | {"ipam": ipam}

    def asked(mac: str) -> dict[str, Any]:
        return conf | {"runtimeConfig": {"mac": mac} | ({"ips": [address]} if ipam is OURS else {})}

    assert node.cni("ADD", CONF | {"ipam": neighbour}, "c1").code == 0
    assert node.cni("ADD", asked(OLD), "c2").code == 0
    assert node.pings_soon("c1", address)
    assert node.cni("DEL", asked(OLD), "c2").code == 0
    assert OLD in node.vm.run(f"ip -n c1 neigh show {address}").stdout
    node.vm.run(
        "(timeout 20 ip netns exec c1 tcpdump --immediate-mode -i net1 -n -e -l arp > /run/wire 2> /run/wire.err &)"
    )
    node.wait_for(lambda: "listening" in node.vm.run("cat /run/wire.err").stdout)

    added = node.cni("ADD", asked(NEW), "c3")

    assert added.code == 0, added.text
    node.wait_for(lambda: NEW in node.vm.run(f"ip -n c1 neigh show {address}").stdout, 5)

    def announced() -> list[str]:
        """What tcpdump has written may be behind what the kernel of c1 has learnt."""
        wire = node.vm.run("cat /run/wire").stdout
        return [line for line in wire.splitlines() if f"who-has {address} tell {address}" in line]

    node.wait_for(lambda: bool(announced()), 5)
    assert f"{NEW} > ff:ff:ff:ff:ff:ff" in announced()[0]
    assert [node.cni("DEL", conf, container).code for container in ("c1", "c3")] == [0, 0]


def test_a_second_address_of_a_subnet_is_announced_too(node: Node) -> None:
    node.add_netns("c1", "c2")
    two = [{"address": "10.5.0.7/24"}, {"address": "10.5.0.8/24"}]
    assert node.cni("ADD", CONF | {"ipam": NEIGHBOUR}, "c1").code == 0
    node.vm.run(f"ip -n c1 neigh replace 10.5.0.8 lladdr {OLD} dev net1 nud stale")
    conf = CONF | {"mac": NEW, "announceWait": 200, "ipam": STATIC | {"addresses": two}}

    assert node.cni("ADD", conf, "c2").code == 0

    node.wait_for(lambda: NEW in node.vm.run("ip -n c1 neigh show 10.5.0.8").stdout, 5)
    assert [node.cni("DEL", conf, container).code for container in ("c1", "c2")] == [0, 0]
