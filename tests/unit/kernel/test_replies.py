"""Every reply field by field as pyroute2 writes it, and no bytes can break a decoder."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from cni_sriov.kernel import attributes, replies, rtnl
from cni_sriov.words.domain import Link, Route
from cni_sriov.words.record import VfState
from tests.unit.kernel.oracle import MAC, Fields, link_oracle, oracle


def vf_entry(index: int, **changed: Any) -> tuple[str, Any]:
    value = {
        "mac": f"02:00:00:00:01:{index:02x}",
        "vlan": index,
        "qos": 0,
        "trust": 0,
        "spoofchk": 1,
        **changed,
    }
    return (
        "IFLA_VF_INFO",
        {
            "attrs": [
                ("IFLA_VF_MAC", {"vf": index, "mac": value["mac"]}),
                ("IFLA_VF_VLAN", {"vf": index, "vlan": value["vlan"], "qos": value["qos"]}),
                ("IFLA_VF_TX_RATE", {"vf": index, "tx_rate": 100}),
                ("IFLA_VF_RATE", {"vf": index, "min_tx_rate": 0, "max_tx_rate": 100}),
                ("IFLA_VF_SPOOFCHK", {"vf": index, "spoofchk": value["spoofchk"]}),
                ("IFLA_VF_LINK_STATE", {"vf": index, "link_state": value.get("link_state", 0)}),
                ("IFLA_VF_TRUST", {"vf": index, "trust": value["trust"]}),
                *value.get("more", []),
            ]
        },
    )


def pf_reply(count: int, entries: list[tuple[str, Any]] | None = None) -> bytes:
    entries = [vf_entry(index) for index in range(count)] if entries is None else entries
    return link_oracle(
        [("IFLA_IFNAME", "enp1s0f0"), ("IFLA_NUM_VF", count), ("IFLA_VFINFO_LIST", {"attrs": entries})]
    )


def vf_state(index: int) -> VfState:
    return VfState(
        mac=f"02:00:00:00:01:{index:02x}",
        vlan=index,
        min_tx_rate=0,
        max_tx_rate=100,
        spoofchk=True,
        trust=False,
        link_state="auto",
    )


@pytest.mark.parametrize("count", [0, 1, 2, 7, 255, 256])
def test_vf_list_is_read_whole(count: int) -> None:
    assert replies.decode_vfs(pf_reply(count)) == {index: vf_state(index) for index in range(count)}


@pytest.mark.parametrize("only", [0, 200, 255])
def test_one_vf_of_a_list_is_read_alone(only: int) -> None:
    assert replies.decode_vfs(pf_reply(256), only) == {only: vf_state(only)}


@pytest.mark.parametrize("only", [256, 1 << 31])
def test_a_vf_that_is_not_listed_is_not_found(only: int) -> None:
    assert replies.decode_vfs(pf_reply(256), only) == {}
    assert replies.decode_vfs(pf_reply(256)[:70], only) == {}


def test_vf_list_longer_than_64_kib_is_read_whole() -> None:
    broadcast = b"\x24\x00\x0d\x00" + b"\xff" * 32  # IFLA_VF_BROADCAST, as the kernel sends it
    one = attributes.attr(
        rtnl.IFLA_VF_INFO,
        rtnl.vf_mac(0, MAC) + rtnl.vf_vlan(0, 1, 0, "802.1q") + 6 * broadcast,
    )
    entries = b"".join(one[:8] + struct.pack("=I", index) + one[12:] for index in range(256))
    wrapped = struct.pack("=HH", (len(entries) + 4) & 0xFFFF, rtnl.IFLA_VFINFO_LIST)

    states = replies.decode_vfs(rtnl.link(7, attributes.attr_u32(rtnl.IFLA_NUM_VF, 256) + wrapped + entries))

    assert len(entries) > 1 << 16
    assert sorted(states) == list(range(256))


def test_truncated_vf_list_gives_what_could_be_read() -> None:
    whole = pf_reply(64)

    states = replies.decode_vfs(whole[: len(whole) // 2])

    assert states == {index: vf_state(index) for index in range(len(states))}
    assert 20 < len(states) < 64


def test_attributes_after_the_vf_list_are_not_taken_for_vfs() -> None:
    body = (
        pf_reply(1) + attributes.attr(rtnl.IFLA_ADDRESS, bytes(6)) + attributes.attr(1, rtnl.vf_mac(9, MAC))
    )

    assert replies.decode_vfs(body) == {0: vf_state(0)}


def test_zero_mac_is_no_mac_and_minus_one_is_not_reported() -> None:
    unreported = 0xFFFFFFFF
    entry = vf_entry(0, mac="00:00:00:00:00:00", spoofchk=unreported, trust=unreported, link_state=unreported)

    state = replies.decode_vfs(pf_reply(1, [entry]))[0]

    assert (state.mac, state.spoofchk, state.trust, state.link_state) == ("", None, None, None)


def test_vlan_list_names_the_protocol() -> None:
    info = rtnl.vf_vlan(0, 100, 3, "802.1ad")
    body = rtnl.link(
        7,
        attributes.attr_u32(rtnl.IFLA_NUM_VF, 1)
        + attributes.attr(
            rtnl.IFLA_VFINFO_LIST, attributes.attr(rtnl.IFLA_VF_INFO, rtnl.vf_mac(0, MAC) + info)
        ),
    )

    state = replies.decode_vfs(body)[0]

    assert (state.vlan, state.vlan_qos, state.vlan_proto) == (100, 3, "802.1ad")


def test_link_reply_is_read() -> None:
    body = link_oracle(
        [
            ("IFLA_IFNAME", "enp1s0f0v1"),
            ("IFLA_ADDRESS", MAC),
            ("IFLA_MTU", 1500),
            ("IFLA_MIN_MTU", 68),
            ("IFLA_MAX_MTU", 9216),
            ("IFLA_MASTER", 12),
            ("IFLA_LINK", 9),
            ("IFLA_LINK_NETNSID", 0),
            ("IFLA_TXQLEN", 500),
            ("IFLA_PROMISCUITY", 2),
            ("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", "veth")]}),
            ("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", "one"), ("IFLA_ALT_IFNAME", "two")]}),
        ],
        flags=0x10043,
    ) + attributes.attr_text(rtnl.IFLA_PARENT_DEV_NAME, "0000:01:10.2")

    assert replies.decode_link(body) == Link(
        7,
        "enp1s0f0v1",
        flags=0x10043,
        mac=MAC,
        mtu=1500,
        min_mtu=68,
        max_mtu=9216,
        altnames=["one", "two"],
        parent_dev="0000:01:10.2",
        master=12,
        kind="veth",
        carrier=True,
        txqueuelen=500,
        promiscuity=2,
        lower=9,
        lower_netns=0,
    )


def test_what_a_link_reply_leaves_out_is_nothing() -> None:
    link = replies.decode_link(link_oracle([("IFLA_IFNAME", "lo")]))

    assert (link.lower, link.lower_netns, link.promiscuity) == (0, -1, 0)


@pytest.mark.parametrize(("told", "number"), [([("NETNSA_NSID", 7)], 7), ([], -1)])
def test_netns_id_reply_is_read(told: Fields, number: int) -> None:
    assert replies.decode_netns_id(oracle(nsidmsg, {"rtgen_family": 0}, told)) == number


def test_address_reply_is_read() -> None:
    body = oracle(
        ifaddrmsg,
        {"family": 10, "prefixlen": 64, "flags": 0x80, "scope": 0, "index": 7},
        [("IFA_ADDRESS", "fd00::2"), ("IFA_FLAGS", 0x388)],
    )

    address = replies.decode_address(body)

    assert address == replies.Address("fd00::2/64", 7, 0x388, 0)
    assert address.is_dadfailed
    assert address.is_global


def test_point_to_point_address_is_the_local_one() -> None:
    attrs = [("IFA_ADDRESS", "10.0.0.9"), ("IFA_LOCAL", "10.0.0.1")]
    body = oracle(ifaddrmsg, {"family": 2, "prefixlen": 32, "index": 7}, attrs)

    assert replies.decode_address(body).address == "10.0.0.1/32"


def test_route_reply_is_read() -> None:
    attrs = [("RTA_TABLE", 1000), ("RTA_DST", "10.9.0.0"), ("RTA_GATEWAY", "10.0.0.1"), ("RTA_OIF", 7)]
    head = {"family": 2, "dst_len": 16, "table": 252, "proto": 4, "scope": 0, "type": 1, "flags": 4}

    found = replies.decode_route(oracle(rtmsg, head, attrs))

    assert found == replies.KernelRoute(Route("10.9.0.0/16", gw="10.0.0.1", scope=0), 7, 1000)


def test_default_route_reply_without_destination_is_read() -> None:
    body = oracle(
        rtmsg, {"family": 10, "table": 254, "type": 1}, [("RTA_GATEWAY", "fe80::1"), ("RTA_OIF", 7)]
    )

    found = replies.decode_route(body)

    assert found is not None
    assert found.route == Route("::/0", gw="fe80::1", scope=0)


def test_a_routes_metrics_are_read() -> None:
    metrics = {"attrs": [("RTAX_MTU", 1400), ("RTAX_HOPLIMIT", 7), ("RTAX_ADVMSS", 1300)]}
    head = {"family": 2, "dst_len": 16, "table": 100, "proto": 3, "scope": 253, "type": 1}

    found = replies.decode_route(
        oracle(rtmsg, head, [("RTA_DST", "10.9.0.0"), ("RTA_METRICS", metrics), ("RTA_OIF", 7)])
    )

    assert found == replies.KernelRoute(Route("10.9.0.0/16", scope=253, mtu=1400, advmss=1300), 7, 100)


@pytest.mark.parametrize("kind", [2, 3, 5, 6])  # RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_BLACKHOLE
def test_route_that_is_not_unicast_is_none(kind: int) -> None:
    assert replies.decode_route(oracle(rtmsg, {"family": 2, "dst_len": 0, "type": kind}, [])) is None


DECODERS: list[Callable[[bytes], object]] = [
    replies.decode_link,
    replies.decode_vfs,
    lambda body: replies.decode_vfs(body, 1),
    replies.decode_address,
    replies.decode_route,
]

REPLIES = [
    pf_reply(3),
    oracle(ifaddrmsg, {"family": 2, "prefixlen": 24, "index": 7}, [("IFA_LOCAL", "10.0.0.1")]),
    oracle(rtmsg, {"family": 2, "dst_len": 8, "type": 1}, [("RTA_DST", "10.0.0.0"), ("RTA_OIF", 7)]),
]


def decode_everything(body: bytes) -> None:
    for decode in DECODERS:
        try:
            decode(body)
        except attributes.Malformed:
            pass


@given(st.binary(max_size=400))
def test_garbage_raises_nothing_but_malformed(body: bytes) -> None:
    decode_everything(body)


@given(st.sampled_from(REPLIES), st.integers(0, 2**32))
def test_damaged_replies_raise_nothing_but_malformed(reply: bytes, seed: int) -> None:
    dice = random.Random(seed)
    damaged = bytearray(reply[: dice.randrange(len(reply) + 1)])
    for _ in range(dice.randrange(6)):
        if damaged:
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)

    decode_everything(bytes(damaged))
