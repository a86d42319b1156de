"""One set of assertions on the kernel and on its fake: what a test on the fake proves must hold in the world.

The kernel's side runs on veth pairs in two netns of this process's own making; host links are never touched.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import struct
import subprocess
import threading
import time
from errno import (
    EADDRNOTAVAIL,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    EIO,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ENOENT,
    EOPNOTSUPP,
    EPROTONOSUPPORT,
    ESRCH,
)
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cni_sriov.kernel import rtnl
from cni_sriov.kernel.netlink import NO_NETNS_ID, ZERO_MAC, Netlink
from cni_sriov.kernel.netns import OWN, Netns, inside
from cni_sriov.vf import stacked
from cni_sriov.words.domain import Route
from cni_sriov.words.errors import KernelRefused
from cni_sriov.words.inet import parse_prefix
from tests.fakes import Crash, FakeKernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAC = "02:00:00:00:aa:01"


class Node(Protocol):
    """Two netns. `left` and `right` speak in them, `fd` leads to them."""

    left: Netlink
    right: Netlink
    left_netns: Netns
    right_netns: Netns

    def add_link(self, where: str, name: str) -> int: ...

    def stack(self, where: str, lower: str, name: str) -> int: ...

    def add_bridge(self, where: str, name: str) -> int: ...

    def send_off(self, name: str) -> int: ...


class KernelNode:
    def __init__(self, prefix: str) -> None:
        self.names = {"left": f"{prefix}-l", "right": f"{prefix}-r"}
        for name in self.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        self.left_netns, self.right_netns = (Netns(f"/run/netns/{name}") for name in self.names.values())
        with inside(self.left_netns):
            self.left = Netlink()
        with inside(self.right_netns):
            self.right = Netlink()

    def add_link(self, where: str, name: str) -> int:
        """One end of a veth pair; the other end is UP in the same netns, so the link has a carrier when UP."""
        netns = self.names[where]
        pair = ["ip", "-n", netns, "link", "add", name, "type", "veth", "peer", "name", f"{name}-p"]
        subprocess.run(pair, check=True)
        subprocess.run(["ip", "-n", netns, "link", "set", f"{name}-p", "up"], check=True)
        return (self.left if where == "left" else self.right).ifindex(name)

    def stack(self, where: str, lower: str, name: str) -> int:
        """A macvlan; VLANs are not in every kernel (the lab has them)."""
        netns = self.names[where]
        subprocess.run(
            ["ip", "-n", netns, "link", "add", "link", lower, "name", name, "type", "macvlan"], check=True
        )
        return (self.left if where == "left" else self.right).ifindex(name)

    def add_bridge(self, where: str, name: str) -> int:
        subprocess.run(
            ["ip", "-n", self.names[where], "link", "add", "name", name, "type", "bridge"], check=True
        )
        return (self.left if where == "left" else self.right).ifindex(name)

    def send_off(self, name: str) -> int:
        """What is stacked goes from left to right alone; the answer is its ifindex there."""
        subprocess.run(
            ["ip", "-n", self.names["left"], "link", "set", name, "netns", self.names["right"]], check=True
        )
        return self.right.ifindex(name)

    def close(self) -> None:
        for face in (self.left, self.right, self.left_netns, self.right_netns):
            face.close()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=True)


class FakeNode:
    def __init__(self, root: Path) -> None:
        self.world = FakeKernel(root)
        self.namespaces = {"left": self.world.add_pod("/left"), "right": self.world.add_pod("/right")}
        self.left_netns, self.right_netns = self.world.open_netns("/left"), self.world.open_netns("/right")
        self.left, self.right = (
            self.world.pod_netlink(self.left_netns),
            self.world.pod_netlink(self.right_netns),
        )

    def add_link(self, where: str, name: str) -> int:
        self.world.add_link(self.namespaces[where], name)
        return (self.left if where == "left" else self.right).ifindex(name)

    def stack(self, where: str, lower: str, name: str) -> int:
        found = self.namespaces[where].find(lower)
        assert found is not None
        self.world.stack(self.namespaces[where], found[1], name)
        return (self.left if where == "left" else self.right).ifindex(name)

    def add_bridge(self, where: str, name: str) -> int:
        self.world.add_link(self.namespaces[where], name, "bridge")
        return (self.left if where == "left" else self.right).ifindex(name)

    def send_off(self, name: str) -> int:
        self.left.move(self.left.ifindex(name), self.right_netns.fd, name)
        return self.right.ifindex(name)


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    if request.param == "fake":
        yield FakeNode(tmp_path)
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    kernel = KernelNode(f"cnisriov{os.getpid()}")
    yield kernel
    kernel.close()


def refusal(act: Callable[[], object]) -> int:
    with pytest.raises(KernelRefused) as caught:
        act()
    return caught.value.errno


# -- looking up -------------------------------------------------------------------------------------------------------


def test_link_is_found_by_name_index_and_altname(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "another-name-of-that-link")

    link = node.left.link("v0")

    assert link is not None
    assert (link.ifindex, link.ifname, link.kind, link.is_up, link.mtu) == (
        ifindex,
        "v0",
        "veth",
        False,
        1500,
    )
    assert link.altnames == ["another-name-of-that-link"]
    assert node.left.link_by_index(ifindex) == link
    assert node.left.find_link("another-name-of-that-link") == link
    assert node.left.ifname(ifindex) == "v0"
    assert link in node.left.links()


def test_altname_answers_for_the_name_but_is_not_it(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "alt")

    assert node.left.ifindex("alt") == ifindex
    assert node.left.find_link("alt") == node.left.link("v0")
    assert node.left.link("alt") is None


def test_absent_link_is_none(node: Node) -> None:
    assert node.left.link("nope") is None
    assert node.left.find_link("nope") is None
    assert node.left.find_link("nope-with-a-very-long-name") is None
    assert node.left.link_by_index(4711) is None
    assert node.left.link_by_pci("0000:01:10.0") is None
    assert node.left.ifindex("nope") == 0
    assert node.left.ifindex("") == 0
    assert node.left.ifindex("x" * 16) == 0
    assert node.left.ifname(4711) == ""


def test_netlink_speaks_in_its_own_netns_only(node: Node) -> None:
    node.add_link("right", "v0")

    assert node.left.link("v0") is None
    assert node.left.ifindex("v0") == 0


# -- links ------------------------------------------------------------------------------------------------------------


def test_link_takes_mac_mtu_name_and_up(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    node.left.set_mac(ifindex, MAC)
    node.left.set_mtu(ifindex, 1400)
    node.left.set_name(ifindex, "v9")
    node.left.set_up(ifindex)

    link = node.left.link("v9")
    assert link is not None
    assert (link.mac, link.mtu, link.is_up) == (MAC, 1400, True)
    node.left.set_down(ifindex)
    link = node.left.link_by_index(ifindex)
    assert link is not None
    assert (link.is_up, link.carrier) == (False, False)


def test_changes_on_an_absent_link_are_enodev(node: Node) -> None:
    for act in (
        lambda: node.left.set_up(4711),
        lambda: node.left.set_mac(4711, MAC),
        lambda: node.left.move(4711, node.right_netns.fd, "x"),
        lambda: node.left.add_altname(4711, "x"),
        lambda: node.left.add_address(4711, "10.0.0.1/24"),
        lambda: node.left.vf_states(4711),
        lambda: node.left.set_vf_mac(4711, 0, MAC),
    ):
        assert refusal(act) == ENODEV


def test_names_are_unique_in_a_netns_altnames_too(node: Node) -> None:
    first = node.add_link("left", "v0")
    second = node.add_link("left", "w0")
    node.left.add_altname(first, "alt")

    assert refusal(lambda: node.left.set_name(second, "v0")) == EEXIST
    assert refusal(lambda: node.left.set_name(second, "alt")) == EEXIST
    assert refusal(lambda: node.left.set_name(first, "alt")) == EEXIST
    assert refusal(lambda: node.left.add_altname(second, "v0")) == EEXIST
    assert refusal(lambda: node.left.add_altname(second, "alt")) == EEXIST
    node.left.del_altname(first, "alt")
    node.left.set_name(first, "alt")


def test_altname_that_is_not_there_is_enoent(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.del_altname(ifindex, "alt")) == ENOENT


@pytest.mark.parametrize("name", ["x" * 16, "a/b", "a b", ".", ".."])
def test_bad_name_is_refused(node: Node, name: str) -> None:
    ifindex = node.add_link("left", "v0")

    refusal(lambda: node.left.set_name(ifindex, name))

    assert node.left.ifname(ifindex) == "v0"


@pytest.mark.parametrize("mtu", [0, 67, 65536])
def test_mtu_outside_the_devices_range_is_einval(node: Node, mtu: int) -> None:
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.set_mtu(ifindex, mtu)) == EINVAL


def test_modes_go_along_with_a_move_and_can_be_taken_back(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.set_up(ifindex)

    node.left.set_modes(ifindex, 0x300)
    node.left.move(ifindex, node.right_netns.fd, "net1")

    link = node.right.link("net1")
    assert link is not None
    assert link.modes == 0x300
    node.right.set_modes(link.ifindex, 0)
    link = node.right.link("net1")
    assert link is not None
    assert link.modes == 0


@pytest.mark.parametrize("length", [0, 1, 500])
def test_txqueuelen_is_set_and_goes_along_with_a_move(node: Node, length: int) -> None:
    ifindex = node.add_link("left", "v0")

    node.left.set_txqueuelen(ifindex, length)
    node.left.move(ifindex, node.right_netns.fd, "net1")

    link = node.right.link("net1")
    assert link is not None
    assert link.txqueuelen == length


def test_promiscuity_counts_the_flag(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.set_modes(ifindex, 0x100)

    link = node.left.link("v0")

    assert link is not None
    assert (link.promiscuity, link.is_held) == (1, False)


def test_a_name_with_a_colon_is_not_cut_off_there(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert node.left.ifindex("v0:1") == 0
    node.left.add_altname(ifindex, "v0:1")
    node.left.add_altname(ifindex, "x" * 127)
    assert node.left.ifindex("v0:1") == ifindex
    assert node.left.ifindex("x" * 127) == ifindex


# -- what is stacked on a link ------------------------------------------------------------------------------------------


def test_what_is_stacked_on_a_link_names_it(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    upper = node.stack("left", "v0", "mv0")

    link = node.left.link("mv0")

    assert link is not None
    assert (link.kind, link.lower, link.lower_netns) == ("macvlan", ifindex, -1)
    assert stacked.uppers(node.left.links(), node.left.link_by_index(ifindex) or link) == [link]
    node.left.delete(upper)
    assert node.left.link("mv0") is None


def test_what_was_taken_elsewhere_names_it_by_the_netns_id(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.stack("left", "v0", "mv0")
    assert node.right.netns_id(node.left_netns.fd) == NO_NETNS_ID

    node.send_off("mv0")

    link = node.right.link("mv0")
    assert link is not None
    assert (link.lower, link.lower_netns) == (ifindex, node.right.netns_id(node.left_netns.fd))
    assert link.lower_netns >= 0


def test_it_stays_on_a_link_that_moves_and_dies_with_one_that_dies(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.stack("left", "v0", "mv0")

    node.left.move(ifindex, node.right_netns.fd, "v0")

    link, moved = node.left.link("mv0"), node.right.link("v0")
    assert link is not None
    assert moved is not None
    assert (link.lower, link.lower_netns) == (moved.ifindex, node.left.netns_id(node.right_netns.fd))


def test_what_is_up_on_a_link_wants_its_multicasts_until_the_link_moves(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.set_up(ifindex)
    assert not shared(node, "left", "v0")
    upper = node.stack("left", "v0", "mv0")
    assert not shared(node, "left", "v0"), "it is DOWN"
    node.left.set_up(upper)
    assert shared(node, "left", "v0")
    assert node.left.link("mv0") is not None

    there = node.send_off("mv0")
    assert not shared(node, "left", "v0"), "a move sets it DOWN"
    node.right.set_up(there)

    link = node.left.link("v0")
    assert link is not None
    assert stacked.has_strangers(node.left_netns, node.left_netns.proc_net("dev_mcast"), link, [])
    node.left.set_down(ifindex)
    link = node.left.link("v0")
    assert link is not None
    assert stacked.has_strangers(node.left_netns, node.left_netns.proc_net("dev_mcast"), link, [])
    back = node.left.link_by_index(ifindex)
    assert back is not None
    node.left.move(ifindex, node.right_netns.fd, "v0")
    assert not shared(node, "right", "v0"), "the move flushed what the macvlan had told"


def shared(node: Node, where: str, name: str) -> bool:
    netlink, netns = {
        "left": (node.left, node.left_netns),
        "right": (node.right, node.right_netns),
    }[where]
    link = netlink.link(name)
    assert link is not None
    return stacked.has_strangers(netns, netns.proc_net("dev_mcast"), link, [])


def test_a_port_has_its_master_until_it_is_taken_off(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    bridge = node.add_bridge("left", "br0")

    node.left.set_master(ifindex, bridge)

    link = node.left.link("v0")
    assert link is not None
    assert link.master == bridge
    node.left.set_master(ifindex, 0)
    node.left.set_master(ifindex, 0)
    link = node.left.link("v0")
    assert link is not None
    assert link.master == 0


def test_there_is_no_file_of_that_name(node: Node) -> None:
    assert node.left_netns.proc_net("nothing") == ""


@pytest.mark.parametrize("mac", [ZERO_MAC, "03:00:00:00:00:01"])
def test_address_that_is_no_unicast_is_refused(node: Node, mac: str) -> None:
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.set_mac(ifindex, mac)) == EADDRNOTAVAIL


# -- the move ---------------------------------------------------------------------------------------------------------


def test_move_renames_and_sets_in_one_request(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "alt")

    node.left.move(ifindex, node.right_netns.fd, "net1", mac=MAC, mtu=1400)

    link = node.right.link("net1")
    assert link is not None
    assert (link.mac, link.mtu, link.is_up, link.altnames) == (MAC, 1400, False, ["alt"])
    assert node.left.link("v0") is None


def test_moved_link_is_down_and_has_lost_addresses_and_routes(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.1/24")
    node.left.set_up(ifindex)
    node.left.add_route(ifindex, Route("10.9.0.0/16"))

    node.left.move(ifindex, node.right_netns.fd, "v0")

    link = node.right.link("v0")
    assert link is not None
    assert not link.is_up
    assert node.right.addresses(link.ifindex) == []
    assert node.right.routes(link.ifindex) == []
    assert [r for r in node.left.routes() if r.route.dst.startswith("10.")] == []


def test_half_failed_move_leaves_the_link_there_under_its_old_name(node: Node) -> None:
    node.add_link("right", "net1")
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.move(ifindex, node.right_netns.fd, "net1")) == EEXIST

    assert node.left.link("v0") is None
    assert node.right.link("v0") is not None


def test_half_failed_move_for_a_bad_mtu_does_so_too(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.move(ifindex, node.right_netns.fd, "net1", mtu=65536)) == EINVAL

    assert node.left.link("v0") is None
    assert node.right.link("net1") is None
    assert node.right.link("v0") is not None


def test_move_where_both_names_are_taken_moves_nothing(node: Node) -> None:
    node.add_link("right", "net1")
    node.add_link("right", "v0")
    ifindex = node.add_link("left", "v0")

    assert refusal(lambda: node.left.move(ifindex, node.right_netns.fd, "net1")) == EEXIST

    assert node.left.ifindex("v0") == ifindex


def test_move_where_only_the_old_name_is_taken_works(node: Node) -> None:
    node.add_link("right", "v0")
    ifindex = node.add_link("left", "v0")

    node.left.move(ifindex, node.right_netns.fd, "net1")

    assert node.right.link("net1") is not None


def test_move_to_a_name_that_is_an_altname_of_the_link_is_half_done(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "net1")

    assert refusal(lambda: node.left.move(ifindex, node.right_netns.fd, "net1")) == EEXIST

    assert node.right.link("v0") is not None


def test_move_where_an_altname_is_taken_moves_nothing(node: Node) -> None:
    node.add_link("right", "alt")
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "alt")

    assert refusal(lambda: node.left.move(ifindex, node.right_netns.fd, "net1")) == EEXIST

    assert node.left.ifindex("v0") == ifindex


# -- addresses and routes ---------------------------------------------------------------------------------------------


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


def test_routes_of_both_families_are_added_listed_and_removed(node: Node) -> None:
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
        node.left.del_route(ifindex, route)
    assert refusal(lambda: node.left.del_route(ifindex, wanted[0])) == ESRCH


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
    node.left.del_route(ifindex, Route(route.dst, route.gw, scope=route.scope, table=route.table))
    assert [r for r in node.left.routes(ifindex, 0) if r.route.dst == route.dst] == []


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
    # its carrier comes later (net/core/link_watch.c); the kernel asks again, for 3 s
    kernel.left.set_up(ifindex)
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


def test_gateway_outside_needs_onlink(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.2/24")
    node.left.add_address(ifindex, "fd00:1::2/64", rtnl.IFA_F_NODAD)
    node.left.set_up(ifindex)

    assert refusal(lambda: node.left.add_route(ifindex, Route("0.0.0.0/0", gw="10.2.0.1"))) == ENETUNREACH
    assert refusal(lambda: node.left.add_route(ifindex, Route("::/0", gw="fd00:2::1"))) == EHOSTUNREACH
    node.left.add_route(ifindex, Route("0.0.0.0/0", gw="10.2.0.1"), onlink=True)
    node.left.add_route(ifindex, Route("::/0", gw="fd00:2::1"), onlink=True)
    assert {r.route.gw for r in node.left.routes(ifindex) if r.onlink} == {"10.2.0.1", "fd00:2::1"}


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


# -- sysctls ----------------------------------------------------------------------------------------------------------


def test_sysctls_are_the_netns_own_and_go_with_the_link(node: Node) -> None:
    ifindex = node.add_link("left", "v0.1")
    knob = ("net", "ipv4", "conf", "v0.1", "arp_notify")

    node.left_netns.set_sysctls([(knob, "1")])

    assert node.left_netns.sysctl(*knob) == "1"
    assert refusal(lambda: node.right_netns.sysctl(*knob)) == ENOENT
    node.left.move(ifindex, node.right_netns.fd, "v0.1")
    assert node.right_netns.sysctl(*knob) == "0"
    there = ("net", "ipv4", "conf", "lo", "arp_notify")
    assert [r.errno for r in node.left_netns.set_sysctls([(knob, "1"), (there, "1")])] == [ENOENT]
    assert node.left_netns.sysctl(*there) == "1", "one refusal does not stop the others"


def test_disabled_ipv6_refuses_v6_addresses(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left_netns.set_sysctls([(("net", "ipv6", "conf", "v0", "disable_ipv6"), "1")])

    assert refusal(lambda: node.left.add_address(ifindex, "fd00:1::2/64")) == 13  # EACCES


# -- VFs: what a link without VFs says --------------------------------------------------------------------------------


def test_link_without_vfs_lists_none_and_refuses_knobs(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert node.left.vf_states(ifindex) == {}
    assert refusal(lambda: node.left.vf_state(ifindex, 0)) == ENOENT
    for act in (
        lambda: node.left.set_vf_mac(ifindex, 0, MAC),
        lambda: node.left.set_vf_vlan(ifindex, 0, 100),
        lambda: node.left.set_vf_vlan(ifindex, 0, 100, 3, "802.1ad"),
        lambda: node.left.set_vf_rate(ifindex, 0, 0, 100),
        lambda: node.left.set_vf_spoofchk(ifindex, 0, True),
        lambda: node.left.set_vf_trust(ifindex, 0, False),
        lambda: node.left.set_vf_link_state(ifindex, 0, "enable"),
    ):
        assert refusal(act) == EOPNOTSUPP


# -- the fake alone: what the lab saw of an igb card (its own tests hold the real one to this) -----------------------


class Card:
    """A PF with two VFs, the first one's netdev in the host."""

    def __init__(self, root: Path, driver: str = "igb") -> None:
        self.world = FakeKernel(root)
        self.world.add_pf(numvfs=2, driver=driver)
        self.host = self.world.netlink
        self.pf = self.host.ifindex("enp1s0f0")
        self.vf = self.host.ifindex("enp1s0f0v0")


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def mac_of(card: Card) -> str:
    link = card.host.link("enp1s0f0v0")
    assert link is not None
    return link.mac


def test_admin_mac_does_not_reach_the_netdev_and_locks_its_own(card: Card) -> None:
    before = mac_of(card)

    card.host.set_vf_mac(card.pf, 0, MAC)

    assert mac_of(card) == before
    assert card.host.vf_state(card.pf, 0).mac == MAC
    assert refusal(lambda: card.host.set_mac(card.vf, MAC)) == EADDRNOTAVAIL
    card.host.set_vf_trust(card.pf, 0, True)
    card.host.set_mac(card.vf, MAC)
    assert mac_of(card) == MAC


def test_cleared_admin_mac_lets_the_vf_choose_and_the_pf_shows_its_choice(card: Card) -> None:
    card.host.set_vf_mac(card.pf, 0, MAC)
    card.host.set_vf_mac(card.pf, 0, ZERO_MAC)
    assert card.host.vf_state(card.pf, 0).mac == ""

    card.host.set_mac(card.vf, "02:00:00:00:bb:02")

    assert card.host.vf_state(card.pf, 0).mac == "02:00:00:00:bb:02"
    assert card.host.vf_state(card.pf, 1).mac == ""


def test_igb_refuses_what_igb_refuses(card: Card) -> None:
    assert refusal(lambda: card.host.set_vf_link_state(card.pf, 0, "enable")) == EOPNOTSUPP
    assert refusal(lambda: card.host.set_vf_vlan(card.pf, 0, 100, 0, "802.1ad")) == EPROTONOSUPPORT
    assert refusal(lambda: card.host.set_vf_rate(card.pf, 0, 10, 100)) == EINVAL
    assert refusal(lambda: card.host.set_vf_rate(card.pf, 0, 0, 1001)) == EINVAL
    assert refusal(lambda: card.host.set_vf_mac(card.pf, 0, "03:00:00:00:00:01")) == EINVAL
    assert refusal(lambda: card.host.set_vf_mac(card.pf, 2, MAC)) == EINVAL
    card.host.set_vf_vlan(card.pf, 0, 4095)
    card.host.set_vf_vlan(card.pf, 0, 0, 3)
    card.host.set_vf_mac(card.pf, 0, MAC)
    card.host.set_vf_mac(card.pf, 1, MAC)


def test_rate_needs_a_pf_that_is_up(card: Card) -> None:
    card.host.set_down(card.pf)

    assert refusal(lambda: card.host.set_vf_rate(card.pf, 0, 0, 100)) == EINVAL
    card.host.set_vf_vlan(card.pf, 0, 100)


def test_another_driver_takes_every_knob(tmp_path: Path) -> None:
    card = Card(tmp_path, driver="ice")

    card.host.set_vf_link_state(card.pf, 0, "disable")
    card.host.set_vf_vlan(card.pf, 0, 100, 3, "802.1ad")
    card.host.set_vf_rate(card.pf, 0, 10, 100)

    state = card.host.vf_state(card.pf, 0)
    assert (state.link_state, state.vlan, state.vlan_qos, state.vlan_proto) == ("disable", 100, 3, "802.1ad")
    assert (state.min_tx_rate, state.max_tx_rate) == (10, 100)


def test_vf_comes_home_when_its_netns_dies(card: Card) -> None:
    card.world.add_pod("/pod")
    card.host.set_vf_vlan(card.pf, 0, 100)
    card.host.move(card.vf, card.world.open_netns("/pod").fd, "enp1s0f0", mac=MAC)

    card.world.kill_netns("/pod")

    link = card.host.link("dev0")
    assert link is not None
    assert (link.parent_dev, link.mac, link.is_up) == ("0000:01:10.0", MAC, False)
    assert card.host.vf_state(card.pf, 0).vlan == 100
    assert card.world.sysfs.netdevs("0000:01:10.0") == ["dev0"]


def test_udev_gives_the_old_name_as_an_altname_which_then_is_in_the_way(card: Card) -> None:
    card.world.udev = True
    card.world.add_pod("/pod")
    card.host.move(card.vf, card.world.open_netns("/pod").fd, "net1")
    card.world.kill_netns("/pod")

    found = card.host.link("net1")

    assert found is not None
    assert found.altnames == ["enp1s0f0v0"]
    assert refusal(lambda: card.host.set_name(found.ifindex, "enp1s0f0v0")) == EEXIST


def test_wait_link_sees_a_vf_that_is_on_its_way(card: Card) -> None:
    card.world.add_pod("/pod")
    card.host.move(card.vf, card.world.open_netns("/pod").fd, "net1")
    card.world.kill_netns("/pod", slowly=True)
    assert card.host.link("net1") is None

    found = card.host.wait_link(lambda link: link.parent_dev == "0000:01:10.0", 2)

    assert found is not None
    assert found.ifname == "net1"


@pytest.mark.parametrize(("when", "mtu"), [("before", 1500), ("after", 1400)])
def test_failed_effect_did_not_or_did_happen(card: Card, when: str, mtu: int) -> None:
    card.world.fail_effect(1, when)
    card.host.set_vf_vlan(card.pf, 0, 100)

    assert refusal(lambda: card.host.set_mtu(card.vf, 1400)) == EIO

    link = card.host.link("enp1s0f0v0")
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
    pod.move(pod.ifindex("net1"), card.world.open_netns(OWN).fd, "enp1s0f0v0")

    assert card.world.snapshot() == before


# -- the kernel alone -------------------------------------------------------------------------------------------------


@pytest.fixture
def kernel() -> Iterator[KernelNode]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    node = KernelNode(f"cnisriov{os.getpid()}")
    yield node
    node.close()


@pytest.mark.root
def test_wait_link_sees_what_comes_later_and_ends_in_time(kernel: KernelNode) -> None:
    later = threading.Timer(0.1, lambda: kernel.add_link("left", "late0"))
    later.start()

    with inside(kernel.left_netns):
        found = kernel.left.wait_link(lambda link: link.ifname == "late0", 5)
        never = kernel.left.wait_link(lambda link: link.ifname == "nope", 0.05)

    later.join()
    assert found is not None
    assert never is None


@pytest.mark.root
def test_refusal_carries_the_kernels_own_sentence(kernel: KernelNode) -> None:
    ifindex = kernel.add_link("left", "v0")

    with pytest.raises(KernelRefused, match=r"set link \d+ mtu 70000: Invalid argument: mtu greater than"):
        kernel.left.set_mtu(ifindex, 70000)


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


@pytest.mark.root
def test_reply_left_over_by_an_exception_is_dropped(kernel: KernelNode) -> None:
    kernel.add_link("left", "v0")
    body = rtnl.link(0, rtnl.attr_text(rtnl.IFLA_IFNAME, "lo"))
    send = kernel.left._socket._send  # noqa: SLF001 # a signal's exception cannot be timed to fall in between
    send("ask", rtnl.RTM_GETLINK, rtnl.NLM_F_REQUEST | rtnl.NLM_F_ACK, body)
    send("dump", rtnl.RTM_GETLINK, rtnl.NLM_F_REQUEST | rtnl.NLM_F_DUMP, rtnl.link(0))

    link = kernel.left.link("v0")

    assert link is not None
    assert link.ifname == "v0"
    assert "v0" in [link.ifname for link in kernel.left.links()]


@pytest.mark.root
def test_link_is_what_pyroute2_reads(kernel: KernelNode) -> None:
    import pyroute2

    ifindex = kernel.add_link("left", "v0")
    kernel.left.add_altname(ifindex, "alt")
    kernel.left.set_up(ifindex)
    with inside(kernel.left_netns):
        ipr = pyroute2.IPRoute()
    (theirs,) = ipr.get_links(ifindex)
    ipr.close()

    ours = kernel.left.link("v0")

    assert ours is not None
    assert dataclasses.asdict(ours) | {"altnames": []} == {
        "altnames": [],
        "carrier": bool(theirs["flags"] & 0x10000),
        "flags": theirs["flags"],
        "ifindex": theirs["index"],
        "ifname": theirs.get("ifname"),
        "kind": theirs.get(("linkinfo", "kind")),
        "lower": theirs.get("link"),
        "lower_netns": -1,
        "mac": theirs.get("address"),
        "master": 0,
        "max_mtu": theirs.get("max_mtu"),
        "min_mtu": theirs.get("min_mtu"),
        "mtu": theirs.get("mtu"),
        "parent_dev": "",
        "promiscuity": theirs.get("promiscuity"),
        "txqueuelen": theirs.get("txqlen"),
    }


@pytest.mark.root
def test_netdev_settings_are_what_ip_reads(kernel: KernelNode) -> None:
    ifindex = kernel.add_link("left", "v0")
    kernel.stack("left", "v0", "mv0")
    kernel.left.set_txqueuelen(ifindex, 77)
    kernel.left.set_modes(ifindex, 0x300)

    def told(netns: str, name: str) -> Any:
        shown = subprocess.run(
            ["ip", "-n", netns, "-d", "-j", "link", "show", name], check=True, capture_output=True
        )
        return json.loads(shown.stdout)[0]

    below, above = told(kernel.names["left"], "v0"), told(kernel.names["left"], "mv0")
    ours, upper = kernel.left.link("v0"), kernel.left.link("mv0")
    assert ours is not None
    assert upper is not None
    assert (below["txqlen"], below["promiscuity"]) == (ours.txqueuelen, ours.promiscuity) == (77, 1)
    assert {"PROMISC", "ALLMULTI"} <= set(below["flags"])
    assert (above["link"], upper.lower) == ("v0", ifindex)
    kernel.send_off("mv0")
    there = kernel.right.link("mv0")
    assert there is not None
    assert told(kernel.names["right"], "mv0")["link_index"] == there.lower == ifindex
    assert told(kernel.names["right"], "mv0").get("link_netnsid", there.lower_netns) == there.lower_netns


@pytest.mark.root
def test_a_group_with_the_mac_of_all_hosts_is_told_from_what_is_stacked(kernel: KernelNode) -> None:
    """239.0.0.1: the kernel counts it as a second one that wants that address."""
    ifindex = kernel.add_link("left", "v0")
    kernel.left.set_up(ifindex)
    link = kernel.left.link("v0")
    assert link is not None
    with inside(kernel.left_netns):
        program = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    membership = struct.pack("=4s4si", socket.inet_aton("239.0.0.1"), bytes(4), ifindex)
    program.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    multicast = kernel.left_netns.proc_net("dev_mcast")

    assert stacked.is_shared(multicast, link, [])
    assert not stacked.has_strangers(kernel.left_netns, multicast, link, [])
    maddr = ["ip", "-n", kernel.names["left"], "maddr", "add", "01:00:5e:00:00:01", "dev", "v0"]
    subprocess.run(maddr, check=True)
    multicast = kernel.left_netns.proc_net("dev_mcast")
    assert not stacked.has_strangers(kernel.left_netns, multicast, link, []), "it is counted apart"
    program.close()


@pytest.mark.root
def test_a_port_leaves_its_bridge_when_it_moves(kernel: KernelNode) -> None:
    """So the way home need not look for masters; the lab has a bond."""
    ifindex = kernel.add_link("left", "v0")
    left = ["ip", "-n", kernel.names["left"], "link"]
    subprocess.run([*left, "add", "m0", "type", "bridge"], check=True)
    subprocess.run([*left, "set", "v0", "master", "m0"], check=True)

    kernel.left.move(ifindex, kernel.right_netns.fd, "net1")

    link = kernel.right.link("net1")
    assert link is not None
    assert link.master == 0
