"""Links: looking them up, and what of theirs is set."""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import subprocess
import threading
from errno import (
    EADDRNOTAVAIL,
    EBUSY,
    EEXIST,
    EINVAL,
    ENODEV,
    ENOENT,
)
from typing import Any

import pytest

from cni_sriov.kernel import attributes, nlsocket, replies, rtnl
from cni_sriov.kernel.links import NO_NETNS_ID, Links
from cni_sriov.kernel.netlink import ZERO_MAC
from cni_sriov.kernel.netns import inside
from cni_sriov.vf import stacked
from cni_sriov.words.domain import Link
from cni_sriov.words.errors import KernelRefused

from .card import MAC, refusal
from .node import KernelNode, Node


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


# -- what is set ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("up", [False, True], ids=["down", "up"])
def test_a_link_is_renamed_and_set_down_in_one_request(node: Node, up: bool) -> None:
    """Linux before 6.2 does not rename what is UP, and then does neither: the fake too."""
    ifindex = node.add_link("left", "v0")
    if up:
        node.left.set_up(ifindex)

    said = 0
    try:
        node.left.set_down(ifindex, "v9")
    except KernelRefused as refused:
        said = refused.errno

    link = node.left.link_by_index(ifindex)
    assert link is not None
    assert said in {0, EBUSY if up else 0}
    assert (link.ifname, link.is_up) == (("v0", True) if said else ("v9", False))


def test_under_a_taken_name_it_is_not_set_down_either(node: Node) -> None:
    node.add_link("left", "w0")
    ifindex = node.add_link("left", "v0")
    node.left.set_up(ifindex)

    assert refusal(lambda: node.left.set_down(ifindex, "w0")) in {EEXIST, EBUSY}

    link = node.left.link_by_index(ifindex)
    assert link is not None
    assert (link.ifname, link.is_up) == ("v0", True)


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

    assert refusal(lambda: node.left.set_name(ifindex, name))

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


# -- what is stacked on a link -------------------------------------------------------------------------------------------


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


@pytest.mark.root
def test_where_no_link_names_its_device_ethtool_tells(
    kernel: KernelNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 5.14, which has no IFLA_PARENT_DEV_NAME; nobody asks of lo."""
    kernel.add_link("left", "v0")
    decode = replies.decode_link

    def without_kind(body: bytes) -> Link:
        return dataclasses.replace(decode(body), kind="")

    monkeypatch.setattr(replies, "decode_link", without_kind)
    monkeypatch.setattr(Links, "bus_info", lambda _, name: {"v0-p": "0000:01:10.0"}.get(name, f"of {name}"))

    found = kernel.left.link_by_pci("0000:01:10.0")

    assert found is not None
    assert found.ifname == "v0-p"
    assert [link.parent_dev for link in kernel.left.links() if link.ifname in {"lo", "v0"}] == ["", "of v0"]


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


# -- the kernel alone ----------------------------------------------------------------------------------------------------


def ip(kernel: KernelNode, command: str) -> None:
    """In the left netns, from another thread: a Netlink serves one."""
    subprocess.run(["ip", "-n", kernel.names["left"], *command.split()], check=True)


@pytest.mark.root
def test_wait_link_sees_what_comes_later_and_ends_in_time(kernel: KernelNode) -> None:
    late = "link add late0 type veth peer name late0-p"
    later = threading.Timer(0.1, lambda: ip(kernel, late))
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
def test_reply_left_over_by_an_exception_is_dropped(kernel: KernelNode) -> None:
    kernel.add_link("left", "v0")
    body = rtnl.link(0, attributes.attr_text(rtnl.IFLA_IFNAME, "lo"))
    send = kernel.left._socket._send  # noqa: SLF001 # a signal's exception cannot be timed to fall in between
    send("ask", rtnl.RTM_GETLINK, nlsocket.NLM_F_REQUEST | nlsocket.NLM_F_ACK, body)
    send("dump", rtnl.RTM_GETLINK, nlsocket.NLM_F_REQUEST | nlsocket.NLM_F_DUMP, rtnl.link(0))

    link = kernel.left.link("v0")

    assert link is not None
    assert link.ifname == "v0"
    assert "v0" in [link.ifname for link in kernel.left.links()]


@pytest.mark.root
def test_answer_that_there_is_no_room_for_is_asked_again(kernel: KernelNode) -> None:
    kernel.add_link("left", "v0")
    body = rtnl.link(0, attributes.attr_text(rtnl.IFLA_IFNAME, "v0"))
    ask = kernel.left._socket.ask  # noqa: SLF001 # no PF here has VFs enough

    assert replies.decode_link(ask("look", rtnl.RTM_GETLINK, body, 64)).ifname == "v0"

    assert kernel.left.link("v0") is not None


@pytest.mark.root
def test_whoever_rules_a_netns_cannot_hide_a_link_behind_altnames(kernel: KernelNode) -> None:
    """All that a link may have, some 60 KiB: its DEL looks it up in each of these ways."""
    ifindex = kernel.add_link("left", "v0")
    names = [f"{number:0127}" for number in range(450)]
    for name in names:
        kernel.left.add_altname(ifindex, name)

    for link in (
        kernel.left.link("v0"),
        kernel.left.link_by_index(ifindex),
        next(link for link in kernel.left.links() if link.ifindex == ifindex),
    ):
        assert link is not None
        assert link.altnames == names
    later = threading.Timer(0.1, lambda: ip(kernel, "link set v0 up"))
    later.start()
    with inside(kernel.left_netns):
        found = kernel.left.wait_link(lambda link: link.ifname == "v0" and link.is_up, 5)
    later.join()
    assert found is not None


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
    told = dataclasses.asdict(ours) | {"altnames": []}
    assert told.pop("attrs")[3] == b"v0\0"  # IFLA_IFNAME; traits are read of them (test_traits.py)
    assert told == {
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
