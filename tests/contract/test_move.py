"""The move to another netns, which is not atomic."""

from __future__ import annotations

import subprocess
from errno import (
    EEXIST,
)

import pytest

from cni_sriov.words.domain import Route

from .card import MAC, refusal
from .node import KernelNode, Node


def test_move_renames_in_one_request_and_keeps_the_rest(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.left.add_altname(ifindex, "alt")
    node.left.set_mac(ifindex, MAC)
    node.left.set_mtu(ifindex, 1400)

    node.left.move(ifindex, node.right_netns.fd, "net1")

    link = node.right.link("net1")
    assert link is not None
    assert (link.mac, link.mtu, link.is_up, link.altnames) == (MAC, 1400, False, ["alt"])
    assert node.left.link("v0") is None


def test_move_into_its_own_netns_is_a_rename(node: Node) -> None:
    """dev_change_net_namespace has nothing to do, and do_setlink goes on (CNI_NETNS_OVERRIDE)."""
    ifindex = node.add_link("left", "v0")
    node.left.add_address(ifindex, "10.1.0.1/24")

    node.left.move(ifindex, node.left_netns.fd, "net1")

    assert (node.left.ifindex("net1"), node.left.ifindex("v0")) == (ifindex, 0)
    assert [a.address for a in node.left.addresses(ifindex)] == ["10.1.0.1/24"]


def test_move_into_its_own_netns_under_a_taken_name_is_refused(node: Node) -> None:
    ifindex = node.add_link("left", "v0")
    node.add_link("left", "net1")

    assert refusal(lambda: node.left.move(ifindex, node.left_netns.fd, "net1")) == EEXIST

    assert node.left.ifindex("v0") == ifindex


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
