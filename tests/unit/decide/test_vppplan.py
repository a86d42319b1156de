"""Which address ordinary programs get beside VPP's, and what two networks of one container cannot both say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cni_sriov.decide import vppplan
from cni_sriov.words.domain import Route
from cni_sriov.words.errors import BadConfig, IfnameExists
from cni_sriov.words.lease import Lease
from cni_sriov.words.vpp import Tap, VppPart


def lease(subnet: str, address: str, gateway: str = "") -> Lease:
    return Lease("default", subnet, f"{address}/{subnet.partition('/')[2]}", gateway, "10.0.0.0/8")


V4, V6 = lease("10.10.1.0/24", "10.10.1.2", "10.10.1.1"), lease("fd00:1::/64", "fd00:1::2", "fd00:1::1")


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (V4, "10.10.1.3/31"),
        (V6, "fd00:1::3/127"),
        (lease("10.10.1.0/24", "10.10.1.1"), "10.10.1.2/30"),  # .0 is the network
        (lease("10.10.1.0/24", "10.10.1.1", "10.10.1.254"), "10.10.1.2/30"),
        (lease("10.10.1.0/24", "10.10.1.2", "10.10.1.3"), "10.10.1.1/30"),  # the router is .3
        (lease("10.10.1.0/29", "10.10.1.2", "10.10.1.1"), "10.10.1.3/31"),
        (lease("10.10.1.0/29", "10.10.1.6", "10.10.1.1"), "10.10.1.5/30"),  # .7 is the broadcast address
        (lease("10.10.1.8/29", "10.10.1.9"), "10.10.1.10/30"),
        (lease("fd00:1::/64", "fd00:1::1"), "fd00:1::2/126"),
    ],
)
def test_the_address_beside_vpps_has_the_shortest_subnet_with_both(given: Lease, address: str) -> None:
    assert vppplan.beside(given) == (address, given.address.partition("/")[0])


@pytest.mark.parametrize(
    "given",
    [
        lease("10.10.1.0/30", "10.10.1.2", "10.10.1.1"),
        lease("10.10.1.0/31", "10.10.1.0"),
        lease("10.10.1.5/32", "10.10.1.5"),
        lease("fd00:1::/127", "fd00:1::"),
        lease("fd00:1::/128", "fd00:1::"),
    ],
)
def test_a_lease_without_room_is_refused(given: Lease) -> None:
    assert vppplan.beside(given) is None
    with pytest.raises(BadConfig, match=f"no address for it in {given.subnet}"):
        vppplan.tap({}, "net1", [given], [], set())


@pytest.mark.parametrize("leases", [[], [V4, lease("10.10.2.0/24", "10.10.2.2")]], ids=["none", "two"])
def test_a_tap_needs_one_lease_of_a_family(leases: list[Lease]) -> None:
    """VPP gives it one address of each."""
    with pytest.raises(BadConfig, match="host-subnet"):
        vppplan.tap({}, "net1", leases, [], set())


ROUTES = [Route("10.10.0.0/16"), Route("0.0.0.0/0", "10.10.1.1"), Route("fd00::/16")]


@pytest.mark.parametrize(
    ("wanted", "defaults"),
    [
        ({}, ["10.10.1.2"]),  # ipam.routes has one of IPv4
        ({"defaultRoute": False}, []),
        ({"defaultRoute": True}, ["10.10.1.2", "fd00:1::2"]),
    ],
)
def test_a_tap(wanted: dict[str, Any], defaults: list[str]) -> None:
    assert vppplan.tap(wanted, "net1", [V4, V6], ROUTES, {0, 1, 3}) == Tap(
        2,
        "net1",
        ["10.10.1.3/31", "fd00:1::3/127"],
        ["10.10.1.2", "fd00:1::2"],
        defaults,
        [
            ["10.10.1.0/24", "10.10.1.2"],
            ["fd00:1::/64", "fd00:1::2"],
            ["10.10.0.0/16", "10.10.1.2"],
            ["fd00::/16", "fd00:1::2"],
        ],
    )
    assert vppplan.tap({"name": "eth0"}, "net1", [V4], [], set()).ifname == "eth0"


def test_routes_are_for_the_one_table_that_vpp_has() -> None:
    routes = [*ROUTES, Route("10.10.1.0/24")]

    assert vppplan.routes_of(routes, [V4]) == [
        ["10.10.0.0/16", ""],
        ["0.0.0.0/0", "10.10.1.1"],
        ["fd00::/16", ""],
    ]
    with pytest.raises(BadConfig, match="table 100"):
        vppplan.routes_of([Route("10.0.0.0/8", table=100)], [])


PART = VppPart("/a/c1", "/a", "/etc/vpp", "net1", "0000:01:10.0", 1500, [], [], options={"mainCore": 1})
TAP = Tap(0, "eth0", [], [], [], [])
OTHER = replace(PART, name="net2", options={"mainCore": 1, "buffers": 4096}, tap=TAP)


@pytest.mark.parametrize(
    ("mine", "kind", "told"),
    [
        ({"mounted": "/etc/other"}, BadConfig, "mountedAt /etc/other"),
        ({"options": {"buffers": 8192}}, BadConfig, "buffers 8192: net2's says 4096"),
        ({"name": "net2"}, IfnameExists, "net2"),
        ({"tap": replace(TAP, id=1)}, IfnameExists, "tap eth0"),
    ],
)
def test_what_two_networks_cannot_both_say(mine: dict[str, Any], kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        vppplan.refuse_clash(replace(PART, **mine), [OTHER], "net2's")


def test_what_they_can() -> None:
    vppplan.refuse_clash(replace(PART, options={}), [OTHER], "net2's")
    vppplan.refuse_clash(replace(PART, tap=replace(TAP, id=1, ifname="eth1")), [OTHER], "net2's")
    vppplan.refuse_clash(replace(PART, options={"mainHeap": "1G"}), [OTHER, PART.copy()][:1], "net2's")
