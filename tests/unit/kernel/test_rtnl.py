"""Every request byte for byte as pyroute2 encodes it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.nsidmsg import nsidmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from cni_sriov.kernel import attributes, rtnl
from cni_sriov.words.domain import Route
from tests.unit.kernel.oracle import MAC, link_oracle, oracle


def vf_oracle(knob: str, value: dict[str, Any]) -> bytes:
    return link_oracle([("IFLA_VFINFO_LIST", {"attrs": [("IFLA_VF_INFO", {"attrs": [(knob, value)]})]})])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (rtnl.link(7, up=True), link_oracle([], flags=1, change=1)),
        (rtnl.link(7, up=False), link_oracle([], flags=0, change=1)),
        (
            rtnl.link(7, attributes.attr(rtnl.IFLA_ADDRESS, rtnl.pack_mac(MAC))),
            link_oracle([("IFLA_ADDRESS", MAC)]),
        ),
        (rtnl.link(7, attributes.attr_u32(rtnl.IFLA_MTU, 9000)), link_oracle([("IFLA_MTU", 9000)])),
        (
            rtnl.link(7, attributes.attr_text(rtnl.IFLA_IFNAME, "eth0")),
            link_oracle([("IFLA_IFNAME", "eth0")]),
        ),
        (rtnl.link(7, attributes.attr_u32(rtnl.IFLA_EXT_MASK, 9)), link_oracle([("IFLA_EXT_MASK", 9)])),
        (
            rtnl.link(
                7,
                attributes.attr_u32(rtnl.IFLA_NET_NS_FD, 5) + attributes.attr_text(rtnl.IFLA_IFNAME, "net1"),
            ),
            link_oracle([("IFLA_NET_NS_FD", 5), ("IFLA_IFNAME", "net1")]),
        ),
        (
            rtnl.altname(7, "a-name-that-is-longer-than-fifteen"),
            link_oracle(
                [("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", "a-name-that-is-longer-than-fifteen")]})]
            ),
        ),
        (rtnl.vf(7, rtnl.vf_mac(3, MAC)), vf_oracle("IFLA_VF_MAC", {"vf": 3, "mac": MAC})),
        (
            rtnl.vf(7, rtnl.vf_vlan(3, 100, 5, "802.1q")),
            vf_oracle("IFLA_VF_VLAN", {"vf": 3, "vlan": 100, "qos": 5}),
        ),
        (
            rtnl.vf(7, rtnl.vf_rate(3, 10, 200)),
            vf_oracle("IFLA_VF_RATE", {"vf": 3, "min_tx_rate": 10, "max_tx_rate": 200}),
        ),
        (
            rtnl.vf(7, rtnl.vf_setting(rtnl.IFLA_VF_SPOOFCHK, 3, True)),
            vf_oracle("IFLA_VF_SPOOFCHK", {"vf": 3, "spoofchk": 1}),
        ),
        (
            rtnl.vf(7, rtnl.vf_setting(rtnl.IFLA_VF_TRUST, 3, False)),
            vf_oracle("IFLA_VF_TRUST", {"vf": 3, "trust": 0}),
        ),
        (
            rtnl.vf(7, rtnl.vf_setting(rtnl.IFLA_VF_LINK_STATE, 3, 2)),
            vf_oracle("IFLA_VF_LINK_STATE", {"vf": 3, "link_state": 2}),
        ),
        (
            rtnl.address(7, "10.10.1.2/24"),
            oracle(
                ifaddrmsg,
                {"family": 2, "prefixlen": 24, "index": 7},
                [("IFA_LOCAL", "10.10.1.2"), ("IFA_ADDRESS", "10.10.1.2")],
            ),
        ),
        (
            rtnl.address(7, "fd00::2/64", rtnl.IFA_F_OPTIMISTIC),
            oracle(
                ifaddrmsg,
                {"family": 10, "prefixlen": 64, "index": 7, "flags": 4},
                [("IFA_LOCAL", "fd00::2"), ("IFA_ADDRESS", "fd00::2")],
            ),
        ),
        (rtnl.link(7, attributes.attr_u32(rtnl.IFLA_TXQLEN, 500)), link_oracle([("IFLA_TXQLEN", 500)])),
        (rtnl.link_flags(7, 0x100, 0x300), link_oracle([], flags=0x100, change=0x300)),
        (rtnl.netns_id_query(5), oracle(nsidmsg, {"rtgen_family": 0}, [("NETNSA_FD", 5)])),
        (rtnl.address_query(10, 7), oracle(ifaddrmsg, {"family": 10, "index": 7}, [])),
        (
            rtnl.route(7, Route("10.9.0.0/16", gw="10.10.1.1", src="10.10.1.2", priority=50)),
            oracle(
                rtmsg,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 3, "scope": 0, "type": 1},
                [
                    ("RTA_DST", "10.9.0.0"),
                    ("RTA_GATEWAY", "10.10.1.1"),
                    ("RTA_PREFSRC", "10.10.1.2"),
                    ("RTA_PRIORITY", 50),
                    ("RTA_OIF", 7),
                ],
            ),
        ),
        (
            rtnl.route(7, Route("10.10.0.0/16")),
            oracle(
                rtmsg,
                {"family": 2, "dst_len": 16, "table": 254, "proto": 3, "scope": 253, "type": 1},
                [("RTA_DST", "10.10.0.0"), ("RTA_OIF", 7)],
            ),
        ),
        (
            rtnl.route(7, Route("10.10.0.0/16", table=100, scope=0, mtu=1400, advmss=1360)),
            oracle(
                rtmsg,
                {"family": 2, "dst_len": 16, "table": 100, "proto": 3, "scope": 0, "type": 1},
                [
                    ("RTA_DST", "10.10.0.0"),
                    ("RTA_METRICS", {"attrs": [("RTAX_MTU", 1400), ("RTAX_ADVMSS", 1360)]}),
                    ("RTA_OIF", 7),
                ],
            ),
        ),
        (
            rtnl.route(7, Route("10.10.0.0/16", scope=254, table=255)),
            oracle(
                rtmsg,
                {"family": 2, "dst_len": 16, "table": 255, "proto": 3, "scope": 254, "type": 1},
                [("RTA_DST", "10.10.0.0"), ("RTA_OIF", 7)],
            ),
        ),
        (
            rtnl.route(7, Route("fd00:9::/48", table=4294967295, priority=5)),
            oracle(
                rtmsg,
                {"family": 10, "dst_len": 48, "table": 0, "proto": 3, "scope": 0, "type": 1},
                [("RTA_DST", "fd00:9::"), ("RTA_PRIORITY", 5), ("RTA_OIF", 7), ("RTA_TABLE", 4294967295)],
            ),
        ),
        (
            rtnl.neighbour(7, "10.1.0.5"),
            oracle(ndmsg, {"family": 2, "ifindex": 7, "state": 0, "flags": 1}, [("NDA_DST", "10.1.0.5")]),
        ),
        (
            rtnl.route(7, Route("::/0", gw="fd00::1")),
            oracle(
                rtmsg,
                {"family": 10, "dst_len": 0, "table": 254, "proto": 3, "scope": 0, "type": 1},
                [("RTA_GATEWAY", "fd00::1"), ("RTA_OIF", 7)],
            ),
        ),
        (
            rtnl.route_query(2, 254, 7),
            oracle(rtmsg, {"family": 2, "table": 254, "proto": 0, "scope": 0, "type": 0}, [("RTA_OIF", 7)]),
        ),
    ],
)
def test_request_is_pyroute2s(ours: bytes, theirs: bytes) -> None:
    assert ours == theirs


def test_8021ad_request_is_pyroute2s_with_the_structs_padding() -> None:
    info = {"vf": 3, "vlan": 100, "qos": 5, "proto": 0x88A8}
    theirs = bytearray(vf_oracle("IFLA_VF_VLAN_LIST", {"attrs": [("IFLA_VF_VLAN_INFO", info)]}))

    ours = rtnl.vf(7, rtnl.vf_vlan(3, 100, 5, "802.1ad"))

    # nla_len 18 there: 6.9 and later refuse what is shorter than sizeof(struct ifla_vf_vlan_info), which is 16 + 4
    assert struct.unpack_from("=HH", theirs, 28) == (18, rtnl.IFLA_VF_VLAN_INFO)
    struct.pack_into("=H", theirs, 28, 20)
    assert ours == bytes(theirs)


@pytest.mark.parametrize("text", ["", "02:00", "02:00:00:00:00:00:00:00", "zz:00:00:00:00:00"])
def test_bad_mac_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rtnl.pack_mac(text)
