"""What an IPAM answers is done, all of it, or refused by name: issue 7, item 14, as far as the fake kernel shows it.

What main plugins do with an answer: containernetworking/plugins pkg/ipam/ipam_linux.go ConfigureIface (v1.9.1). The
kernel's side, and fields that the fake does not have, are in tests/integration and tests/lab, test_accepted.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.test_callers_accepted import foreign, link_of
from tests.unit.test_delegation import HostLocal

if TYPE_CHECKING:
    from tests.world import World

IPS = [{"address": "10.1.0.5/16", "gateway": "10.1.0.1"}, {"address": "fd01::5/64", "gateway": "fd01::1"}]
DST = "10.96.0.0/12"  # the issue's: Kubernetes' services


@pytest.fixture
def ipam(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/calico-ipam").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)


def answered(ipam: HostLocal, *routes: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """The conf, after the IPAM has been told what to answer."""
    ipam.said = json.dumps({"cniVersion": "1.1.0", "ips": IPS, "routes": list(routes)} | keys)
    return ipam.world.conf(cniVersion="1.1.0", ipam={"type": "calico-ipam"})


FIELDS = [{"table": 100}, {"scope": 200}, {"mtu": 1400}, {"advmss": 1300}, {"priority": 77}]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: next(iter(field)))
def test_a_field_of_a_route_is_in_the_result_or_refused_by_name(
    world: World, ipam: HostLocal, field: dict[str, int]
) -> None:
    """SPEC 1.1.0, "Add Success": routes have all of these."""
    before = world.snapshot()
    reply = world.call("ADD", answered(ipam, {"dst": DST} | field))

    if reply.code:
        assert (next(iter(field)) in reply.text, ipam.held, world.snapshot()) == (True, set(), before)
    else:
        (told,) = reply.document["routes"]
        assert {key: told.get(key) for key in field} == field


@pytest.mark.parametrize(
    "bad",
    [
        {"table": "main"},
        {"table": -1},
        {"scope": "link"},
        {"scope": 256},
        {"mtu": -1},
        {"advmss": "x"},
        {"priority": -1},
    ],
    ids=json.dumps,
)
def test_a_field_that_makes_no_sense_is_refused_by_name(
    world: World, ipam: HostLocal, bad: dict[str, Any]
) -> None:
    """types.Route of cni pkg/types/types.go (v1.3.0) has integers there; the kernel has no negative ones."""
    before = world.snapshot()

    refused = world.call("ADD", answered(ipam, {"dst": DST, "gw": "10.1.0.1"} | bad))

    assert refused.code != 0
    assert (next(iter(bad)) in refused.text, ipam.held, world.snapshot()) == (True, set(), before)


def routes_of(world: World) -> list[tuple[str, str]]:
    return sorted((held.route.dst, held.route.gw) for held in link_of(world).routes if held.route.gw)


def test_host_bits_of_an_ipv6_destination_are_masked(world: World, ipam: HostLocal) -> None:
    """As the kernel does for whoever passes them (ip6_route_info_create, net/ipv6/route.c)."""
    conf = answered(ipam, {"dst": "fd09::7/64"})

    reply = world.call("ADD", conf)

    assert reply.code == 0, reply.text
    assert routes_of(world) == [("fd09::/64", "fd01::1")]
    assert [route["dst"] for route in reply.document["routes"]] in (["fd09::/64"], ["fd09::7/64"])
    checked = world.call("CHECK", conf | {"prevResult": reply.document})
    assert checked.code == 0, checked.text


def test_of_two_gateways_the_first_of_the_family_is_the_routes(world: World, ipam: HostLocal) -> None:
    """ConfigureIface keeps the first of each family."""
    ips = [*IPS, {"address": "10.2.0.5/16", "gateway": "10.2.0.1"}]
    reply = world.call("ADD", answered(ipam, {"dst": DST}, {"dst": "fd09::/64"}, ips=ips))
    assert reply.code == 0, reply.text
    assert routes_of(world) == [(DST, "10.1.0.1"), ("fd09::/64", "fd01::1")]


# host-subnet's own routes have the same fields -----------------------------------------------------------------------

V6 = {"subnet": "fd00:10::/48", "prefixLength": 64}
BRIDGED = {"subnet": "10.10.0.0/16", "prefixLength": 24}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: next(iter(field)))
def test_host_subnet_tells_a_main_plugin_each_field(world: World, field: dict[str, int]) -> None:
    ipam = world.ipam(pools=[BRIDGED], routes=[{"dst": DST} | field])
    reply = foreign(world, "ADD", cniVersion="1.1.0", ipam=ipam)
    assert reply.code == 0, reply.text
    (told,) = reply.document["routes"]
    assert {key: told.get(key) for key in field} == field


@pytest.mark.parametrize(
    "bad", [{"table": "main"}, {"table": -1}, {"scope": 256}, {"mtu": -1}, {"advmss": "x"}]
)
def test_host_subnet_refuses_what_makes_no_sense(world: World, bad: dict[str, Any]) -> None:
    before = world.snapshot()
    ipam = world.ipam(routes=[{"dst": DST} | bad])
    refused = world.call("ADD", world.conf(ipam=ipam))
    assert (refused.code, next(iter(bad)) in refused.text, world.snapshot()) == (7, True, before), (
        refused.text
    )


def test_host_subnet_masks_host_bits_of_an_ipv6_destination(world: World) -> None:
    ipam = world.ipam(pools=[V6], routes=[{"dst": "fd09::7/64"}])
    reply = world.call("ADD", world.conf(ipam=ipam))
    assert reply.code == 0, reply.text
    assert routes_of(world) == [("fd09::/64", "fd00:10::1")]


def test_what_the_confs_version_cannot_tell_is_no_reason_to_refuse(world: World, ipam: HostLocal) -> None:
    """1.0.0 has no `priority` in a result; the route has it all the same."""
    conf = answered(ipam, {"dst": DST, "priority": 77}) | {"cniVersion": "1.0.0"}
    assert world.call("ADD", conf).code == 0
    assert [held.route.priority for held in link_of(world).routes if held.route.dst == DST] == [77]
