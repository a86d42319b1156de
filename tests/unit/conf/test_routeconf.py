"""A route as the specification writes it: every field, what it may say, and what is filled in."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Any

import pytest

from cni_sriov.conf import routeconf
from cni_sriov.words.domain import Route
from cni_sriov.words.errors import BadConfig


def test_every_field_of_the_specification_is_read() -> None:
    """SPEC 1.1.0, "ADD Success", routes."""
    told = {
        "dst": "10.1.0.0/16",
        "gw": "10.0.0.1",
        "mtu": 1400,
        "advmss": 1360,
        "priority": 5,
        "table": 100,
        "scope": 0,
    }

    read = routeconf.parse(told, "routes[0]")

    assert {key: getattr(read, key) for key in told} == told
    assert routeconf.parse({"dst": "::/0", "gw": None, "mtu": None}, "routes[0]") == Route("::/0")


@pytest.mark.parametrize("dst", ["10.1.2.3/8", "0.0.0.0/0", "192.0.2.9/32", "fd00::9/64", "2001:db8::1/127"])
def test_host_bits_are_masked_as_go_does(dst: str) -> None:
    assert routeconf.parse({"dst": dst}, "routes[0]").dst == str(ip_interface(dst).network)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"dst": "10.0.0.0"}, "dst"), ({"dst": 7}, "dst"), ({"dst": ""}, "dst"), ({"gw": "x"}, "gw"),
        ({"gw": "fd00::1"}, "gw"), ({"mtu": -1}, "mtu"), ({"mtu": True}, "mtu"), ({"mtu": 1400.0}, "mtu"),
        ({"advmss": "1360"}, "advmss"), ({"priority": 1 << 32}, "priority"), ({"table": 1 << 32}, "table"),
        ({"scope": 255}, "scope"), ({"scope": 253, "gw": "10.0.0.1"}, "scope"),
    ],
)  # fmt: skip
def test_a_bad_field_is_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(BadConfig, match=rf"routes\[3\]\.{named}\b"):
        routeconf.parse({"dst": "10.1.0.0/16"} | wrong, "routes[3]")


@pytest.mark.parametrize(
    ("told", "gw", "scope"),
    [
        ({"dst": "10.1.0.0/16"}, "10.0.0.1", None),
        ({"dst": "fd01::/16"}, "fd00::1", None),
        ({"dst": "10.1.0.0/16", "gw": "10.0.0.7"}, "10.0.0.7", None),
        ({"dst": "10.1.0.0/16", "gw": "0.0.0.0"}, "", 253),
        ({"dst": "fd01::/16", "gw": "::"}, "", 253),
        ({"dst": "10.1.0.0/16", "scope": 253}, "", 253),  # RT_SCOPE_LINK, linux/rtnetlink.h
        ({"dst": "10.1.0.0/16", "scope": 0}, "10.0.0.1", 0),
    ],
)
def test_the_next_hop_is_the_familys_gateway_or_the_link(
    told: dict[str, Any], gw: str, scope: int | None
) -> None:
    route = routeconf.complete(routeconf.parse(told, "x"), ["10.0.0.1", "10.0.0.2", "fd00::1"])

    assert (route.gw, route.scope) == (gw, scope)


def test_without_a_gateway_of_its_family_it_is_on_the_link() -> None:
    assert routeconf.complete(Route("fd01::/16"), ["10.0.0.1"]) == Route("fd01::/16", scope=253)
