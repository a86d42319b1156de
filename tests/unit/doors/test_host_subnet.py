"""The IPAM door: host-subnet under a main plugin that is not ours, by the specification's rules for delegation."""

from __future__ import annotations

from ipaddress import ip_interface
from typing import Any

import pytest

from tests.world import World


def conf_of(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(type="bridge", master=None, cniVersion="1.1.0", ipam=world.ipam(), **keys)


def test_an_attachments_round(world: World) -> None:
    before = world.files()
    conf = conf_of(world)

    added = world.call("ADD", conf, door="host-subnet")

    assert (added.exit_code, "interfaces" in added.document) == (0, False), (
        "an abbreviated result, SPEC 1.1.0"
    )
    (ip,) = added.document["ips"]
    address = ip_interface(ip["address"])
    assert (address.network.prefixlen, ip["gateway"]) == (24, str(address.network[1]))
    assert world.call("ADD", conf, door="host-subnet").code == 106
    assert world.call("CHECK", conf, door="host-subnet").exit_code == 0
    assert [world.call("DEL", conf, door="host-subnet").exit_code for _ in range(2)] == [0, 0]
    assert world.call("CHECK", conf, door="host-subnet").code == 107
    assert [name for name in world.files() if "/owners/" in name or "/leases/" in name] == []
    assert [name for name in world.files() if name not in before and "state/" in name] == [], "no Record"


def test_status_says_when_the_pool_is_full_and_changes_nothing(world: World) -> None:
    conf = conf_of(world)
    conf["ipam"]["pools"] = [{"subnet": "10.10.0.0/24", "prefixLength": 24}]
    before = world.files()
    assert (world.call("STATUS", conf, "", "", "", door="host-subnet").exit_code, world.files()) == (
        0,
        before,
    )
    assert world.call("ADD", conf, door="host-subnet").code == 0

    full = world.call("STATUS", conf | {"statusOnFull": "error"}, "", "", "", door="host-subnet")
    again = world.call("ADD", conf, "c2", door="host-subnet")

    assert (again.code, full.code in {0, 50}) == (11, True), full.text


def test_gc_frees_what_the_list_has_not(world: World) -> None:
    conf = conf_of(world)
    for container in ("c1", "c2"):
        assert world.call("ADD", conf, container, door="host-subnet").code == 0
    valid = [{"containerID": "c2", "ifname": "net1"}]

    assert (
        world.call(
            "GC", conf | {"cni.dev/valid-attachments": valid}, "", "", "", door="host-subnet"
        ).exit_code
        == 0
    )

    codes = [world.call("CHECK", conf, container, door="host-subnet").code for container in ("c1", "c2")]
    assert codes == [107, 0]


@pytest.mark.parametrize("ipam", [None, {}, {"type": "host-local"}, "x"])
def test_without_its_type_add_is_refused_and_nothing_else(world: World, ipam: Any) -> None:
    conf = conf_of(world)
    assert world.call("ADD", conf, door="host-subnet").code == 0

    refused = world.call("ADD", conf | {"ipam": ipam}, "c2", door="host-subnet")

    assert (refused.code, "must be host-subnet" in refused.text) == (7, True), refused.text
    assert world.call("DEL", conf | {"ipam": ipam}, door="host-subnet").exit_code == 0
    assert world.call("CHECK", conf, door="host-subnet").code == 107
