"""The link's own traits: out of messages that pyroute2 made, and into messages that it would make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.kernel import attributes, replies, rtnl, traits
from cni_sriov.words.domain import Link
from tests.unit.kernel.oracle import MAC, link_oracle

LINK = Link(7, "v0")


def xdp(**ids: int) -> tuple[str, Any]:
    return (
        "IFLA_XDP",
        {"attrs": [(f"IFLA_XDP_{mode.upper()}_PROG_ID", number) for mode, number in ids.items()]},
    )


def test_traits_of_a_message() -> None:
    body = link_oracle(
        [
            ("IFLA_IFNAME", "v0"),
            ("IFLA_ADDRESS", MAC),
            ("IFLA_BROADCAST", "ff:ff:ff:ff:ff:ff"),
            ("IFLA_MTU", 1500),
            ("IFLA_TXQLEN", 7),
            ("IFLA_OPERSTATE", "UP"),
            ("IFLA_LINKMODE", 1),
            ("IFLA_GROUP", 5),
            ("IFLA_PROMISCUITY", 2),
            ("IFLA_IFALIAS", "text"),
            ("IFLA_GSO_MAX_SIZE", 65536),
            ("IFLA_GSO_MAX_SEGS", 65535),
            ("IFLA_PROTO_DOWN", 1),
            xdp(skb=12, hw=13),
        ],
        flags=0x11043 | 0x80 | 0x100,
    )

    assert traits.of_link(replies.decode_link(body)) == {
        "broadcast": "ff:ff:ff:ff:ff:ff",
        "flags": "noarp multicast",
        "group": "5",
        "gso_max_segs": "65535",
        "gso_max_size": "65536",
        "ifalias": "text",
        "linkmode": "1",
        "proto_down": "1",
        "xdp": "skb 12 hw 13",
    }


def test_what_nobody_has_named_is_a_trait() -> None:
    body = link_oracle([]) + attributes.attr(1234, b"\1\2") + attributes.attr(rtnl.IFLA_LINKINFO, b"")

    assert traits.of_link(replies.decode_link(body)) == {
        "flags": "",
        "ifalias": "",
        "xdp": "",
        "attr 1234": "0102",
    }


def test_the_data_of_a_kind_is_a_trait_and_that_of_its_bond_is_none() -> None:
    told = (
        attributes.attr_text(rtnl.IFLA_INFO_KIND, "ipoib")
        + attributes.attr(2, b"\xff")
        + attributes.attr(5, b"\1")
    )

    assert (
        traits.of_link(replies.decode_link(link_oracle([]) + attributes.attr(rtnl.IFLA_LINKINFO, told)))[
            "ipoib data"
        ]
        == "ff"
    )


def test_a_link_keeps_the_message_it_came_in() -> None:
    body = link_oracle([("IFLA_IFNAME", "v0"), ("IFLA_GROUP", 7)])

    link = replies.decode_link(body)

    assert link.attrs == attributes.attrs_of(body, rtnl.IFINFO.size)
    assert link == LINK, "of two looks the same is told"
    assert "attrs" not in repr(link)


@pytest.mark.parametrize("kind", [rtnl.IFLA_XDP, rtnl.IFLA_LINKINFO])
def test_what_is_no_message_about_a_link_is_malformed(kind: int) -> None:
    with pytest.raises(attributes.Malformed):
        traits.of_link(replace(LINK, attrs={kind: b"\1\0\1\0"}))


@pytest.mark.parametrize(
    ("wanted", "attrs"),
    [
        ({"group": "5"}, [("IFLA_GROUP", 5)]),
        ({"linkmode": "0"}, [("IFLA_LINKMODE", 0)]),
        ({"proto_down": "0"}, [("IFLA_PROTO_DOWN", 0)]),
        ({"broadcast": MAC}, [("IFLA_BROADCAST", MAC)]),
        ({"gso_max_segs": "9"}, [("IFLA_GSO_MAX_SEGS", 9)]),
        (
            {"group": "1", "gso_max_segs": "9", "linkmode": "1"},
            [("IFLA_GROUP", 1), ("IFLA_GSO_MAX_SEGS", 9), ("IFLA_LINKMODE", 1)],
        ),
    ],
)
def test_one_message_as_pyroute2_makes_it(wanted: dict[str, str], attrs: list[tuple[str, Any]]) -> None:
    assert traits.changes(LINK, wanted, wanted) == [link_oracle(attrs)]


def test_flags_name_all_that_they_decide() -> None:
    change = 0x4 | 0x20 | 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000  # linux/if.h

    assert traits.changes(LINK, {"flags": "noarp multicast"}, ["flags"]) == [
        link_oracle([], flags=0x1080, change=change)
    ]
    assert traits.changes(LINK, {"flags": ""}, ["flags"]) == [link_oracle([], flags=0, change=change)]


def test_the_size_that_the_kernel_sets_along_is_set_after_it() -> None:
    wanted = {"gso_max_size": "9", "gso_ipv4_max_size": "8", "gro_max_size": "7"}

    (body,) = traits.changes(LINK, wanted, ["gso_max_size"])

    kinds = [kind for kind, _, _ in attributes.walk(body, rtnl.IFINFO.size)]
    assert kinds == [41, 63]  # IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE: linux/if_link.h


def test_an_xdp_program_is_taken_off_in_its_own_mode() -> None:
    link = replies.decode_link(link_oracle([xdp(skb=12, hw=13)]))

    bodies = traits.changes(link, {"xdp": ""}, ["xdp"])

    off = [("IFLA_XDP_FD", -1)]
    assert bodies == [
        link_oracle([("IFLA_XDP", {"attrs": [*off, ("IFLA_XDP_FLAGS", mode)]})]).replace(
            b"\x2b\0", b"\x2b\x80", 1
        )
        for mode in (2, 8)
    ]
    assert traits.changes(link, {"xdp": "skb 11"}, ["xdp"]) == []
    assert traits.changes(replies.decode_link(link_oracle([])), {"xdp": ""}, ["xdp"]) == []


def test_nothing_to_set_is_no_message() -> None:
    assert traits.changes(LINK, {"group": "5"}, []) == []


def test_only_what_differs_and_a_message_can_set_is_settable() -> None:
    link = replies.decode_link(link_oracle([("IFLA_GROUP", 5), ("IFLA_PROTO_DOWN", 0), ("IFLA_LINKMODE", 1)]))
    wanted = {
        "group": "6",
        "proto_down": "0",
        "linkmode": "0",
        "gso_max_segs": "1",
        "rings": "0",
        "features": "1",
    }

    assert traits.settable(link, wanted, [*wanted, "attr 99"]) == ["group", "linkmode"]
    assert traits.settable(link, wanted, ["group", "flags"]) == ["group"]


def test_an_alias_is_taken_off_by_no_bytes() -> None:
    assert traits.changes(LINK, {"ifalias": ""}, ["ifalias"]) == [rtnl.link(7, attributes.attr(20, b""))]


def test_what_only_one_side_could_see_is_no_difference() -> None:
    was = {"flags": "multicast", "rings": "rx 1", "threaded": "0", "attr 70": "01"}

    assert traits.differing(was, {"flags": "multicast", "features": "1", "attr 70": "01"}) == []
    assert traits.differing(was, {**was, "flags": "", "rings": "rx 2"}) == ["flags", "rings"]
    assert traits.differing(was, {"attr 71": "00", "ipoib data": "ff"}) == [
        "attr 70",
        "attr 71",
        "ipoib data",
    ]
