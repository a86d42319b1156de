"""The errors that a key may bring: each that is provoked here is among them."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.ctl import keys, schema
from tests.unit.ctl.tool import attach
from tests.world import World

ALL = [*keys.keys(schema.SCHEMA, "list", "sriov"), *keys.keys(schema.HOST)]


def codes(name: str) -> set[int]:
    return {code for key in ALL if key.name == name for code, _ in key.errors}


@pytest.mark.parametrize(("name", "conf", "code"), [
    ("vlan", {"vlan": 4095}, 7),
    ("vlanQoS", {"vlanQoS": 3}, 7),
    ("master", {"master": "gone0"}, 101),
    ("master", {"master": "enp9s0"}, 101),
    ("pf", {"master": None, "pf": {"drivers": ["ice"]}}, 7),
    ("pf", {"master": None, "pf": {"names": ["enp9s0"]}}, 101),
    ("deviceID", {"deviceID": "0000:09:10.0"}, 101),
    ("driver", {"driver": "vfio-pci"}, 101),
    ("hugepages", {"driver": "vfio-pci", "hugepages": {"2Mi": 1}}, 7),
    ("cniVersion", {"cniVersion": "9.0.0"}, 1),
    ("pfUp", {"pfUp": False, "master": "enp9s1"}, 101),
    ("runtimeConfig.infinibandGUID", {"runtimeConfig": {"infinibandGUID": "c2:11:22:33:44:55:66:77"}}, 2),
])  # fmt: skip
def test_an_error_that_a_key_brings_is_among_its_errors(
    world: World, name: str, conf: dict[str, Any], code: int
) -> None:
    world.kernel.add_pf("enp9s0", "0000:09:00.0")
    world.kernel.add_pf("enp9s1", "0000:09:00.1", numvfs=1, up=False)

    reply = world.call("ADD", world.conf(**conf))

    assert reply.code == code, reply.text
    assert code in codes(name)


def test_what_others_have_is_among_the_errors(world: World) -> None:
    mac = "02:11:22:33:44:55"
    attach(world, mac=mac)
    world.kernel.add_pod("/run/netns/pod2")
    asks = {"ips": ["10.10.0.2"]}
    again = world.conf(ipam=world.ipam(), capabilities={"ips": True}, runtimeConfig=asks)

    taken = world.call("ADD", world.conf(mac=mac), "c2", "/run/netns/pod2")
    leased = world.call("ADD", again, "c2", "/run/netns/pod2")

    assert (taken.code, taken.code in codes("mac")) == (103, True), taken.text
    assert (leased.code, leased.code in codes("runtimeConfig.ips")) == (104, True), leased.text


@pytest.mark.parametrize(("name", "when"), [
    ("pf.vfs", "it is not VF indices like 0-3,6"),
    ("logLevel", 'it is none of "debug", "info", "warning", "error", "panic", "none"'),
    ("pf.names", "it is not a list, each an interface's name or altname (at most 127 bytes, no '/' or blank)"),
    ("ipam.pools[].prefixLength", "it is missing"),
    ("ipam.pools[].prefixLength", "must be 0-32 for IPv4"),
    ("vlanQoS", "it is given without vlan"),
    ("txqueuelen", "only a netdev can carry it, and a program in user space has none"),
])  # fmt: skip
def test_what_the_schema_says_of_it_and_of_what_stands_beside_it(name: str, when: str) -> None:
    assert [key.name for key in ALL if (7, when) in key.errors and key.name == name] == [name]
