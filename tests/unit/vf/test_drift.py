"""CHECK on the fake kernel: what later plugins of a chain changed is theirs, what drifted is found all the same."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.words.domain import Route
from tests.fakes import FakeLink, FakeNetlink
from tests.unit.one_port import MINE
from tests.world import Reply, World

POD = "/run/netns/pod1"
TUNED = "02:00:00:00:cc:01"


def attached(world: World, **keys: Any) -> dict[str, Any]:
    """The result of an ADD, as a runtime hands it back."""
    reply = world.call("ADD", conf(world, **keys))
    assert reply.code == 0, reply.text
    return reply.document


def conf(world: World, **keys: Any) -> dict[str, Any]:
    pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
    return world.conf(ipam=world.ipam(pools=pools, onlink=True), **keys)


def check(world: World, prev: dict[str, Any] | None, **keys: Any) -> Reply:
    return world.call("CHECK", conf(world, prevResult=prev, **keys))


def link_of(world: World) -> FakeLink:
    found = world.kernel.pods[POD].find("net1")
    assert found is not None
    return found[1]


def tune_mac(world: World, prev: dict[str, Any]) -> dict[str, Any]:
    """As `tuning` does it: the interface, and the result."""
    link_of(world).mac = TUNED
    return prev | {"interfaces": [prev["interfaces"][0] | {"mac": TUNED}]}


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0", "1.1.0"])
def test_a_mac_that_prev_result_tells_is_no_drift_and_another_one_is(world: World, version: str) -> None:
    prev = tune_mac(world, attached(world, cniVersion=version))
    assert check(world, prev, cniVersion=version).code == 0

    link_of(world).mac = "02:00:00:00:cc:02"

    drifted = check(world, prev, cniVersion=version)
    assert (drifted.code, f"MAC of net1 is 02:00:00:00:cc:02, not {TUNED}" in drifted.text) == (107, True)


def test_a_trusted_vfs_admin_mac_may_follow_the_chains_mac(world: World) -> None:
    """With trust, drivers take the container's MAC for the admin MAC."""
    keys = {"mac": "02:00:00:00:aa:01", "trust": "on"}
    prev = tune_mac(world, attached(world, **keys))
    state = world.kernel.pfs[0].vfs[0].state
    state.mac = TUNED
    assert check(world, prev, **keys).code == 0

    state.mac = "02:00:00:00:cc:02"

    drifted = check(world, prev, **keys)
    assert (drifted.code, "admin MAC 02:00:00:00:cc:02" in drifted.text) == (107, True)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_only_an_mtu_that_was_asked_of_us_is_ours(world: World, version: str) -> None:
    prev = attached(world, cniVersion=version)
    link_of(world).mtu = 1400
    assert check(world, prev, cniVersion=version).code == 0
    assert world.call("DEL", conf(world)).code == 0

    prev = attached(world, mtu=1400)
    link_of(world).mtu = 1300

    drifted = check(world, prev, mtu=1400)
    assert (drifted.code, "MTU of net1 is 1300, not 1400" in drifted.text) == (107, True)


def test_routes_that_sbr_moved_to_its_table_are_there(world: World) -> None:
    prev = attached(world)
    link = link_of(world)
    for held in link.routes:
        held.table = 100
    assert check(world, prev).code == 0

    link.routes = [held for held in link.routes if ":" in held.route.dst]

    drifted = check(world, prev)
    assert (drifted.code, "route 10.10.0.0/16 is missing" in drifted.text) == (107, True)


@pytest.mark.parametrize("text", ["FD00:10::2/64", "fd00:0010:0000::2/64", "fd00:10:0:0:0:0:0:2/64"])
def test_what_prev_result_tells_is_compared_as_addresses(world: World, text: str) -> None:
    routes = [{"dst": "fd09::/64"}]
    given = world.conf(ipam=world.ipam(pools=[{"subnet": "fd00:10::/48", "prefixLength": 64}], routes=routes))
    prev = world.call("ADD", given).document
    assert prev["ips"][0]["address"] == "fd00:10::2/64"
    told = prev | {
        "ips": [prev["ips"][0] | {"address": text, "gateway": "FD00:10:0::1"}],
        "routes": [{"dst": "FD09:0::/64", "gw": "fd00:0010::1"}],
    }

    checked = world.call("CHECK", given | {"prevResult": told})

    assert checked.code == 0, checked.text


def test_routes_and_addresses_that_others_added_are_theirs(world: World) -> None:
    prev = attached(world)
    netlink = FakeNetlink(world.kernel, world.kernel.pods[POD])
    netlink.add_address(netlink.ifindex("net1"), "192.0.2.7/24")
    netlink.add_route(netlink.ifindex("net1"), Route("198.51.100.0/24", "192.0.2.1"))
    assert check(world, prev).code == 0


def test_an_address_that_a_later_plugin_took_out_of_the_result_is_not_missed(world: World) -> None:
    prev = attached(world)
    gone = next(ip["address"] for ip in prev["ips"] if ":" not in ip["address"])
    netlink = FakeNetlink(world.kernel, world.kernel.pods[POD])
    netlink.del_address(netlink.ifindex("net1"), gone)
    kept = prev | {"ips": [ip for ip in prev["ips"] if ":" in ip["address"]], "routes": []}
    assert check(world, kept).code == 0

    for told in (prev, None):
        drifted = check(world, told)
        assert (drifted.code, f"address {gone} is missing" in drifted.text) == (107, True), told


def test_without_prev_result_the_record_says_what_to_expect(world: World) -> None:
    attached(world, mac="02:00:00:00:aa:01")
    assert check(world, None, mac="02:00:00:00:aa:01").code == 0
    link_of(world).mac = TUNED
    assert check(world, None, mac="02:00:00:00:aa:01").code == 107


LONG_FORMS = [
    ("fd00:10::2", "FD00:10:0:0:0:0:0:2"),
    ("fd00:10::/48", "FD00:10::1/48"),
    ("10.10.0.0/16", "10.10.3.4/16"),
]


def written(value: Any) -> Any:
    """The same result with addresses as another plugin may write them."""
    if isinstance(value, dict):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [written(item) for item in value]
    for short, long in LONG_FORMS:
        value = value.replace(short, long) if isinstance(value, str) else value
    return value


def test_addresses_are_compared_as_addresses(world: World) -> None:
    gw = {"dst": "fd00:99::/48", "gw": "fd00:10::1"}
    pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
    asked = world.conf(ipam=world.ipam(pools=pools, routes=[gw]))
    added = world.call("ADD", asked)
    assert added.code == 0, added.text
    prev = written(added.document)
    prev["routes"] = [{"dst": "FD00:99:0::5/48", "gw": "FD00:10:0::1"}]
    assert prev != added.document

    assert world.call("CHECK", asked | {"prevResult": prev}).code == 0
    prev["routes"][0]["gw"] = "FD00:10:0::7"
    drifted = world.call("CHECK", asked | {"prevResult": prev})
    assert (drifted.code, "fd00:10::7" in drifted.text) == (107, True), drifted.text


def test_check_holds_nothing_of_other_plugins_against_us(one_vf: World) -> None:
    """A host interface of our name, and a route of another plugin's interface, stand in the prevResult of a chain."""
    added = one_vf.call("ADD", one_vf.conf(ipam=one_vf.ipam()))
    pod = one_vf.kernel.pods[MINE]
    netlink = FakeNetlink(one_vf.kernel, pod)
    one_vf.kernel.add_link(pod, "eth0")
    eth0 = netlink.ifindex("eth0")
    netlink.add_address(eth0, "10.1.0.2/24")
    netlink.set_up(eth0)
    netlink.add_route(eth0, Route("0.0.0.0/0", "10.1.0.1"))
    prev = added.document | {
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "10.1.0.0/24", "gw": None}]
    }
    prev["interfaces"] = [{"name": "net1", "mac": "02:00:00:00:ff:01"}, *added.document["interfaces"]]

    reply = one_vf.call("CHECK", one_vf.conf(ipam=one_vf.ipam(), prevResult=prev))

    assert reply.code == 0, reply.text
