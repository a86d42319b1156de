"""Addresses, routes and sysctls."""

from __future__ import annotations

import json
import subprocess
import time
from errno import (
    EADDRNOTAVAIL,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ENOENT,
)

import pytest

from cni_sriov.kernel import rtnl
from cni_sriov.words.domain import Route
from cni_sriov.words.inet import parse_prefix

from .card import MAC, refusal
from .node import KernelNode, Node


def test_addresses_of_both_families_are_added_listed_and_removed(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)

    assert [(a.address, a.ifindex, a.is_global) for a in node.left.addresses(ifindex)] == [
        ("10.1.0.2/24", ifindex, True),
        ("fd00:1::2/64", ifindex, True),
    ]
    assert refusal(lambda: node.left.add_address(ifindex, "10.1.0.2/24")) == EEXIST
    assert refusal(lambda: node.left.add_address(ifindex, "fd00:1::2/64")) == EEXIST
    node.left.del_address(ifindex, "10.1.0.2/24")
    node.left.del_address(ifindex, "fd00:1::2/64")
    assert node.left.addresses(ifindex) == []
    assert refusal(lambda: node.left.del_address(ifindex, "10.1.0.2/24")) == EADDRNOTAVAIL
    assert refusal(lambda: node.left.del_address(ifindex, "fd00:1::2/64")) == EADDRNOTAVAIL


def test_listing_what_is_not_there_is_empty(node: Node) -> None:
    assert node.left.addresses(4711) == []
    assert node.left.routes(4711) == []
    assert node.left.routes(table=4711) == []


def test_addresses_are_of_the_asked_link_only(node: Node) -> None:
    first, second = node.add_link("left", "v0"), node.add_link("left", "w0")
    node.left.add_address(first, "10.1.0.2/24")
    node.left.add_address(second, "10.2.0.2/24")

    assert [a.address for a in node.left.addresses(second)] == ["10.2.0.2/24"]
    assert {a.address for a in node.left.addresses()} >= {"10.1.0.2/24", "10.2.0.2/24"}


def test_routes_of_both_families_are_added_and_listed(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)

    wanted = [
        Route("0.0.0.0/0", gw="10.1.0.1"),
        Route("10.9.0.0/16", src="10.1.0.2", priority=7),
        Route("::/0", gw="fd00:1::1"),
        Route("fd00:9::/48"),
    ]
    for route in wanted:
        node.left.add_route(ifindex, route)

    listed = {str(r.route) for r in node.left.routes(ifindex) if not r.route.dst.startswith("fe80")}
    assert listed == {
        str(Route("0.0.0.0/0", gw="10.1.0.1", scope=0)),
        str(Route("10.1.0.0/24", src="10.1.0.2", scope=253)),
        str(Route("10.9.0.0/16", src="10.1.0.2", scope=253, priority=7)),
        str(Route("::/0", gw="fd00:1::1", scope=0, priority=1024)),
        str(Route("fd00:1::/64", scope=0, priority=256)),
        str(Route("fd00:9::/48", scope=0, priority=1024)),
    }
    for route in wanted:
        assert refusal(lambda: node.left.add_route(ifindex, route)) == EEXIST  # noqa: B023 # called at once


FIELDS = [  # a route of a pod with 10.1.0.2/24 and fd00:1::2/64, and what stands in the kernel then
    (
        Route("10.96.0.0/12", gw="10.1.0.1", table=100, mtu=1400, advmss=1360, priority=7),
        (100, 0, 7, 1400, 1360),
    ),
    (Route("10.9.0.0/16", table=4294967295), (4294967295, 253, 0, 0, 0)),
    (Route("10.9.0.0/16", scope=0, table=255), (255, 0, 0, 0, 0)),
    (Route("10.9.0.0/16", scope=254, table=254), (254, 254, 0, 0, 0)),
    (Route("10.9.0.0/16", gw="10.1.0.1", scope=200), (254, 200, 0, 0, 0)),
    (Route("10.9.0.0/16", mtu=65520, advmss=65495), (254, 253, 0, 65520, 65495)),
    (Route("10.9.0.0/16", mtu=65521, advmss=65496), (254, 253, 0, 65520, 65495)),  # why 65520 is the limit
    (Route("fd00:9::/48", gw="fd00:1::1", table=100, mtu=1400, advmss=1360), (100, 0, 1024, 1400, 1360)),
    (Route("fd00:9::/48", scope=253, table=1000), (1000, 0, 1024, 0, 0)),
    (Route("fd00:9::/48", mtu=65521, advmss=65496), (254, 0, 1024, 65520, 65495)),
]


@pytest.mark.parametrize(("route", "stands"), FIELDS, ids=[str(route) for route, _ in FIELDS])
def test_a_route_stands_as_it_was_told(node: Node, route: Route, stands: tuple[int, ...]) -> None:
    """Read by `ip` too, where there is a kernel."""
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)

    node.left.add_route(ifindex, route)

    (found,) = [r for r in node.left.routes(ifindex, stands[0]) if r.route.dst == route.dst]
    told = (found.table, found.route.scope, found.route.priority, found.route.mtu, found.route.advmss)
    assert (told, found.route.gw) == (stands, route.gw)
    if isinstance(node, KernelNode):
        assert ip_tells(node, route.dst) == (stands, route.gw)
    assert refusal(lambda: node.left.add_route(ifindex, route)) == EEXIST


def ip_tells(node: KernelNode, dst: str) -> tuple[tuple[int, ...], str]:
    told = [
        "ip",
        "-N",
        "-n",
        node.names["left"],
        "-6" if ":" in dst else "-4",
        "-j",
        "-d",
        "route",
        "show",
        "table",
        "all",
    ]
    entries = json.loads(subprocess.run(told, check=True, capture_output=True).stdout)
    (entry,) = [entry for entry in entries if entry["dst"] == dst]
    metrics = entry.get("metrics", [{}])[0]
    numbers = [int(entry.get(key, default)) for key, default in (("table", 254), ("scope", 0), ("metric", 0))]
    return (*numbers, metrics.get("mtu", 0), metrics.get("advmss", 0)), entry.get("gateway", "")


def test_one_destination_may_stand_in_two_tables(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.set_up(ifindex)
    for table in (0, 100):
        node.left.add_route(ifindex, Route("10.9.0.0/16", table=table))

    assert {r.table for r in node.left.routes(ifindex, 0) if r.route.dst == "10.9.0.0/16"} == {254, 100}
    assert [r.table for r in node.left.routes(ifindex) if r.route.dst == "10.9.0.0/16"] == [254]


def test_a_next_hop_needs_a_scope_above_link(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.set_up(ifindex)

    wrong = Route("10.9.0.0/16", gw="10.1.0.1", scope=253)
    assert refusal(lambda: node.left.add_route(ifindex, wrong)) in {EINVAL, ENETUNREACH}  # 6.12, 6.18


def test_a_link_that_keeps_its_addresses_keeps_v6_ones_when_it_goes_down(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left_netns.set_sysctls([(("net", "ipv6", "conf", "v0", "keep_addr_on_down"), "1")])
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)

    node.left.set_down(ifindex)
    node.left.set_up(ifindex)

    assert "fd00:1::2/64" in [a.address for a in node.left.addresses(ifindex)]


@pytest.mark.root
def test_announcing_tells_a_neighbour_the_new_mac_unless_the_address_is_a_second_one(
    kernel: KernelNode,
) -> None:
    """As the fake has it: the sender is the first address of the subnet. What the neighbour knew is replaced."""
    left, right = kernel.names["left"], kernel.names["right"]
    wire = ["ip", "-n", left, "link", "add", "v0", "type", "veth", "peer", "name", "w0", "netns", right]
    subprocess.run(wire, check=True)
    subprocess.run(["ip", "-n", right, "link", "set", "w0", "up"], check=True)
    ifindex = kernel.left.ifindex("v0")
    addresses = ["10.1.0.5/16", "10.2.0.5/24", "10.1.0.6/16"]
    for address in addresses:
        kernel.left.add_address(ifindex, address)
        stale = ["ip", "-n", right, "neigh", "replace", address.partition("/")[0], "lladdr", MAC, "dev", "w0"]
        subprocess.run([*stale, "nud", "stale"], check=True)
    kernel.left.set_up(
        ifindex
    )  # its carrier comes later (net/core/link_watch.c); the kernel asks again, for 3 s
    own = kernel.left.link("v0")
    assert own is not None

    for address in addresses:
        kernel.left.announce(ifindex, address.partition("/")[0])

    expected = {"10.1.0.5": own.mac, "10.2.0.5": own.mac, "10.1.0.6": MAC}
    deadline = time.monotonic() + 4
    while neighbours(right) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert neighbours(right) == expected


def neighbours(netns: str) -> dict[str, str]:
    shown = ["ip", "-n", netns, "-4", "-j", "neigh", "show", "dev", "w0"]
    entries = json.loads(subprocess.run(shown, check=True, capture_output=True).stdout)
    return {entry["dst"]: entry["lladdr"] for entry in entries}


def test_announcing_changes_nothing_else(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.5/16")
    node.left.set_up(ifindex)
    before = [a.address for a in node.left.addresses(ifindex) if "." in a.address]

    node.left.announce(ifindex, "10.1.0.5")
    node.left.announce(ifindex, "10.1.0.5")

    assert [a.address for a in node.left.addresses(ifindex) if "." in a.address] == before
    assert refusal(lambda: node.left.announce(4711, "10.1.0.5")) == ENODEV


def test_route_needs_a_link_that_is_up(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.add_route(ifindex, Route("10.9.0.0/16"))) == ENETDOWN


def test_gateway_outside_is_unreachable(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)

    assert refusal(lambda: node.left.add_route(ifindex, Route("0.0.0.0/0", gw="10.2.0.1"))) == ENETUNREACH
    assert refusal(lambda: node.left.add_route(ifindex, Route("::/0", gw="fd00:2::1"))) == EHOSTUNREACH


def test_source_that_is_not_an_address_here_is_einval(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.set_up(ifindex)

    assert refusal(lambda: node.left.add_route(ifindex, Route("10.9.0.0/16", src="10.1.0.2"))) == EINVAL


def test_down_takes_v6_addresses_and_routes_and_keeps_v4_addresses(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)
    node.left.add_route(ifindex, Route("10.9.0.0/16"))

    node.left.set_down(ifindex)

    assert [a.address for a in node.left.addresses(ifindex)] == ["10.1.0.2/24"]
    assert node.left.routes(ifindex) == []


def test_host_use_has_addresses_and_connected_routes_but_no_gateways(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)
    node.left.add_route(ifindex, Route("10.8.0.0/16"))
    node.left.add_route(ifindex, Route("10.7.0.0/16", gw="10.1.0.1"))

    use = {(prefix, index) for prefix, index, _ in node.left.host_use(node.left.addresses())}

    assert use == {
        (parse_prefix("10.1.0.0/24"), ifindex),
        (parse_prefix("10.8.0.0/16"), ifindex),
        (parse_prefix("fd00:1::/64"), ifindex),
    }
    assert (parse_prefix("10.8.0.0/16"), ifindex, "route 10.8.0.0/16 dev v0") in node.left.host_use(
        node.left.addresses()
    )


# -- sysctls -------------------------------------------------------------------------------------------------------------


def test_sysctls_are_the_netns_own_and_go_with_the_link(node: Node) -> None:
    ifindex = node.add_link("left", "v0.1")
    knob = ("net", "ipv4", "conf", "v0.1", "arp_notify")

    node.left_netns.set_sysctls([(knob, "1")])

    assert node.sysctl("left", "v0.1") == "1"
    assert node.sysctl("right", "v0.1") == ""
    node.left.move(ifindex, node.right_netns.fd, "v0.1")
    assert node.sysctl("right", "v0.1") == "0"
    there = ("net", "ipv4", "conf", "lo", "arp_notify")
    assert [r.errno for r in node.left_netns.set_sysctls([(knob, "1"), (there, "1")])] == [ENOENT]
    assert node.sysctl("left", "lo") == "1", "one refusal does not stop the others"


def test_disabled_ipv6_refuses_v6_addresses(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left_netns.set_sysctls([(("net", "ipv6", "conf", "v0", "disable_ipv6"), "1")])

    assert refusal(lambda: node.left.add_address(ifindex, "fd00:1::2/64")) == 13  # EACCES


@pytest.mark.root
def test_many_links_and_routes_are_listed_whole(kernel: KernelNode) -> None:
    ifindex = kernel.add_link("left", "v0")
    kernel.left.set_up(ifindex)
    for number in range(600):
        kernel.left.add_route(ifindex, Route(f"10.{number >> 8}.{number & 255}.0/24"))
    for number in range(40):
        kernel.add_link("left", f"w{number}")

    assert len(kernel.left.routes(ifindex)) >= 600
    assert len({link.ifname for link in kernel.left.links()}) >= 83
