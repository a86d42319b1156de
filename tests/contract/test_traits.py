"""What a user of a link can change and a move keeps: looked at, set, kept. The card's are in tests/contract/card.py."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import struct
import subprocess
from errno import EINVAL, ENODEV, EOPNOTSUPP
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPRoute
from pyroute2.ethtool.ioctl import IoctlEthtool

from cni_sriov.kernel import tcx
from cni_sriov.kernel.netns import inside
from cni_sriov.kernel.traits import SETTABLE

from .card import refusal
from .node import KernelNode, Node

if TYPE_CHECKING:
    from cni_sriov.kernel.netlink import Netlink
    from cni_sriov.words.domain import Link

DIRT = {
    "flags": "noarp",
    "ifalias": "a tenant's",
    "group": "7",
    "linkmode": "1",
    "broadcast": "02:00:00:00:00:ff",
    "gso_max_size": "4000",
    "gso_ipv4_max_size": "4000",
    "gso_max_segs": "3",
    "gro_max_size": "5000",
    "gro_ipv4_max_size": "5000",
}


def link_of(netlink: Netlink, name: str = "v0") -> Link:
    link = netlink.link(name)
    assert link is not None
    return link


def told(netlink: Netlink, name: str = "v0") -> dict[str, str]:
    return netlink.traits(link_of(netlink, name))


def test_traits_are_sorted_and_not_what_the_link_has_fields_for(node: Node) -> None:
    node.add_link("left", "v0")
    before = told(node.left)
    link = link_of(node.left)
    node.left.set_mtu(link.ifindex, 1400)
    node.left.set_txqueuelen(link.ifindex, 5)
    node.left.set_modes(link.ifindex, 0x300)
    node.left.add_altname(link.ifindex, "alt")
    node.left.set_mac(link.ifindex, "02:00:00:00:00:77")
    node.left.set_name(link.ifindex, "v9")
    node.left.set_up(link.ifindex)

    assert told(node.left, "v9") == before
    assert [*before] == sorted(before)
    assert before["flags"] == "multicast"
    assert (before["ifalias"], before["xdp"], before["group"], before["broadcast"]) == (
        "",
        "",
        "0",
        "ff:ff:ff:ff:ff:ff",
    )


@pytest.mark.parametrize("name", sorted(DIRT))
def test_a_trait_is_told_kept_by_a_move_and_put_back(node: Node, name: str) -> None:
    node.add_link("left", "v0")
    before = told(node.left)
    along = {other: DIRT[other] for other in DIRT if other.startswith(name[:4]) and name.endswith("max_size")}
    dirt = before | (along or {name: DIRT[name]})

    node.left.set_traits(link_of(node.left), dirt, [*dirt])
    there = told(node.left)
    node.left.move(link_of(node.left).ifindex, node.right_netns.fd, "net1")
    moved = told(node.right, "net1")
    node.right.set_traits(link_of(node.right, "net1"), before, [name])

    assert there == moved == dirt
    assert told(node.right, "net1")[name] == before[name]


def test_all_of_them_are_put_back_at_once_and_others_left_alone(node: Node) -> None:
    node.add_link("left", "v0")
    before = told(node.left)
    node.left.set_traits(link_of(node.left), DIRT, DIRT)
    assert told(node.left) == before | DIRT

    node.left.set_traits(link_of(node.left), before, {*DIRT} - {"ifalias"})
    assert told(node.left) == before | {"ifalias": DIRT["ifalias"]}
    node.left.set_traits(link_of(node.left), before, [])
    node.left.set_traits(link_of(node.left), before, before)

    assert told(node.left) == before


def test_what_is_refused_keeps_nothing_else_from_being_set(node: Node) -> None:
    node.add_link("left", "v0")
    before = told(node.left)
    wanted = DIRT | {"gso_max_size": "99999999", "gso_ipv4_max_size": before["gso_ipv4_max_size"]}

    assert refusal(lambda: node.left.set_traits(link_of(node.left), wanted, wanted)) == EINVAL

    assert told(node.left) == before | wanted | {"gso_max_size": before["gso_max_size"]}


def test_proto_down_is_for_drivers_that_know_it(node: Node) -> None:
    node.add_link("left", "v0")

    assert (
        refusal(lambda: node.left.set_traits(link_of(node.left), {"proto_down": "1"}, ["proto_down"]))
        == EOPNOTSUPP
    )


def test_a_link_that_is_gone_is_enodev(node: Node) -> None:
    node.add_link("left", "v0")
    link = link_of(node.left)
    node.left.delete(link.ifindex)

    assert refusal(lambda: node.left.traits(link)) == ENODEV
    assert refusal(lambda: node.left.set_traits(link, DIRT, DIRT)) == ENODEV


def test_who_was_renamed_since_is_meant_all_the_same(node: Node) -> None:
    node.add_link("left", "v0")
    before, link = told(node.left), link_of(node.left)
    node.left.set_name(link.ifindex, "v9")
    node.left.set_name(node.add_link("left", "v8"), "v0")

    node.left.set_traits(link, before | {"group": "5", "features": "0"}, ["group", "features"])

    assert told(node.left, "v9") == node.left.traits(link) | {"group": "5"}
    assert node.left.traits(link)["features"] != before["features"]
    assert told(node.left) == before


def test_what_is_not_settable_is_left(node: Node) -> None:
    node.add_link("left", "v0")
    before = told(node.left)

    node.left.set_traits(link_of(node.left), {"rings": "rx 1", "attr 99": "00"}, ["rings", "attr 99"])

    assert told(node.left) == before
    assert "rings" not in SETTABLE


# -- on the kernel, by other tools ----------------------------------------------------------------------------------------


def ip(kernel: KernelNode, *words: str) -> Any:
    done = subprocess.run(
        ["ip", "-n", kernel.names["left"], *words], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout) if done.stdout else None


@pytest.mark.root
@pytest.mark.parametrize(
    ("words", "name", "text"),
    [
        (["arp", "off"], "flags", "noarp multicast"),
        (["multicast", "off"], "flags", ""),
        (["dynamic", "on"], "flags", "multicast dynamic"),
        (["alias", "x" * 255], "ifalias", "x" * 255),
        (["group", "77"], "group", "77"),
        (["mode", "dormant"], "linkmode", "1"),
        (["broadcast", "02:00:00:00:00:ff"], "broadcast", "02:00:00:00:00:ff"),
        (["gso_max_segs", "3"], "gso_max_segs", "3"),
        (["gro_max_size", "5000"], "gro_max_size", "5000"),
    ],
)
def test_what_ip_sets_is_told_and_put_back(
    kernel: KernelNode, words: list[str], name: str, text: str
) -> None:
    kernel.add_link("left", "v0")
    shown, before = ip(kernel, "-d", "-j", "link", "show", "v0"), told(kernel.left)

    ip(kernel, "link", "set", "dev", "v0", *words)

    assert told(kernel.left)[name] == text
    kernel.left.set_traits(link_of(kernel.left), before, before)
    assert told(kernel.left) == before
    assert ip(kernel, "-d", "-j", "link", "show", "v0") == shown


@pytest.mark.root
def test_an_alias_of_any_bytes_is_text(kernel: KernelNode) -> None:
    kernel.add_link("left", "v0")
    ip(kernel, "link", "set", "dev", "v0", "alias", os.fsdecode(b"\xff\x1b[31m"))

    assert told(kernel.left)["ifalias"] == "\\xff\x1b[31m"
    kernel.left.set_traits(link_of(kernel.left), {"ifalias": ""}, ["ifalias"])
    assert "ifalias" not in ip(kernel, "-d", "-j", "link", "show", "v0")[0]


def bpf(command: int, told: bytes) -> int:
    done = int(ctypes.CDLL(None, use_errno=True).syscall(321, command, told.ljust(128, b"\0"), 128))
    assert done >= 0, os.strerror(ctypes.get_errno())
    return done


def pass_all(kind: int = 6) -> int:
    """The descriptor of a program that is `r0 = 2; exit`: XDP_PASS for an XDP one (struct bpf_insn, union bpf_attr)."""
    code = ctypes.create_string_buffer(bytes.fromhex("b7000000020000009500000000000000"))
    words = ctypes.create_string_buffer(b"GPL")
    return bpf(5, struct.pack("=IIQQ", kind, 2, ctypes.addressof(code), ctypes.addressof(words)))


@pytest.mark.root
@pytest.mark.parametrize(("mode", "flag"), [("skb", 2), ("drv", 4)])
def test_an_xdp_program_is_told_kept_by_a_move_and_taken_off(
    kernel: KernelNode, mode: str, flag: int
) -> None:
    kernel.add_link("left", "v0")
    before, fd = told(kernel.left), pass_all()
    with inside(kernel.left_netns), IPRoute() as ipr:
        xdp = {"attrs": [("IFLA_XDP_FD", fd), ("IFLA_XDP_FLAGS", flag)]}
        ipr.link("set", index=link_of(kernel.left).ifindex, xdp=xdp)
    os.close(fd)

    assert told(kernel.left)["xdp"].startswith(f"{mode} ")
    kernel.left.move(link_of(kernel.left).ifindex, kernel.right_netns.fd, "net1")
    link = link_of(kernel.right, "net1")
    assert kernel.right.traits(link)["xdp"].startswith(f"{mode} ")
    kernel.right.set_traits(link, before, ["xdp"])
    assert told(kernel.right, "net1") == before


@pytest.mark.root
def test_features_are_told_and_put_back(kernel: KernelNode) -> None:
    """By pyroute2's own structs."""
    kernel.add_link("left", "v0")
    with inside(kernel.left_netns):
        theirs = IoctlEthtool("v0")
    with contextlib.closing(theirs):
        before, shown = told(kernel.left), requested(theirs)
        features = theirs.get_features()
        features["tx-generic-segmentation"] = features["tx-checksum-ip-generic"] = False
        theirs.set_features(features)
        dirty = told(kernel.left)

        assert requested(theirs) != shown
        assert {name for name in before if dirty[name] != before[name]} == {"features"}
        kernel.left.set_traits(link_of(kernel.left), before, ["features"])
        assert told(kernel.left) == before
        assert requested(theirs) == shown


def requested(theirs: IoctlEthtool) -> dict[str, bool]:
    features = theirs.get_features()
    return {name: features.is_requested(name) for name in features.keys()}  # noqa: SIM118 # it is no dict


@pytest.mark.root
def test_a_program_on_a_tcx_hook_is_told_and_kept_by_a_move(kernel: KernelNode) -> None:
    """By the ID that the kernel gives for its descriptor, in /proc/self/fdinfo."""
    ifindex = kernel.add_link("left", "v0")
    with inside(kernel.left_netns):
        assert tcx.programs(ifindex) == ""
        fd = pass_all(3)
        ids = dict(line.split() for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
        bpf(8, struct.pack("=IIII", ifindex, fd, 47, 0))
        os.close(fd)
        assert tcx.programs(ifindex) == f"egress {ids['prog_id:']}"
    kernel.left.move(ifindex, kernel.right_netns.fd, "net1")

    with inside(kernel.right_netns):
        assert tcx.programs(kernel.right.ifindex("net1")) == f"egress {ids['prog_id:']}"
        assert refusal(lambda: tcx.programs(4711)) == ENODEV
