"""`sriovctl explain KEY`: documentation, type, default and errors of a configuration's key; and when a word is no key."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf.hostfile import PATH
from cni_sriov.ctl import keyhelp, keys, schema
from cni_sriov.words.errors import CODES
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

ALL = [*keys.keys(schema.SCHEMA, "list", "sriov"), *keys.keys(schema.HOST)]


def told(world: World, *argv: str, euid: int = 0) -> Any:
    run = sriovctl(world, "explain", *argv, "--json", euid=euid)
    assert run.status == 0, run.out
    return run.document


def names(world: World, word: str) -> list[str]:
    return [key["name"] for key in told(world, word)["keys"]]


def test_what_it_is_its_values_its_default_and_its_errors(world: World) -> None:
    """As in docs/configuration.md and docs/errors.md."""
    run = sriovctl(world, "explain", "vlanProto")

    lines = run.out.splitlines()
    assert (run.status, lines[0]) == (0, "vlanProto, of a network's configuration")
    assert "Protocol of the VLAN tag" in lines[1]
    assert [line.strip() for line in lines[2:]] == [
        "value: one of 802.1q, 802.1ad",
        'default: "802.1q"',
        "error 7: it is none of 802.1q, 802.1ad",
        "error 7: it is given without vlan",
        "error 7: 802.1ad needs a vlan that is not 0",
        'error 7: with "vpp" in mode "host" no VF is used, and the tap has no such thing',
        "error 100: the PF's driver refuses it, or takes it without effect",
    ]


@pytest.mark.parametrize(("word", "found"), [
    ("vlan", ["vlan"]),
    ("VLANQOS", ["vlanQoS"]),
    ("ipam.pools[].gateway", ["ipam.pools[].gateway"]),
    ("ipam.pools[0].gateway", ["ipam.pools[].gateway"]),
    ("ipam.pools.gateway", ["ipam.pools[].gateway"]),
    ("pools.gateway", ["ipam.pools[].gateway"]),
    ("gateway", ["ipam.pools[].gateway"]),
    ("numvfs", ["pfs[].numvfs"]),
    ("search", ["ipam.dns.search", "dns.search"]),
])  # fmt: skip
def test_a_key_is_found_by_its_name_or_its_end(world: World, word: str, found: list[str]) -> None:
    assert names(world, word) == found


def test_keys_of_another_place_are_named_beside_it(world: World) -> None:
    notes = told(world, "mtu")["notes"]

    assert notes == [
        f"others are called so, too: ipam.routes[].mtu ({keyhelp.NETWORK}), pfs[].mtu ({PATH}), pfs[].vfs[].mtu ({PATH})"
    ]


def test_an_object_lists_its_keys(world: World) -> None:
    (key,) = told(world, "pf")["keys"]
    (pools,) = told(world, "pools")["keys"]

    assert key["below"] == [
        f"pf.{name}" for name in ("names", "pciAddresses", "vendors", "devices", "drivers", "vfs")
    ]
    assert pools["below"] == [
        f"ipam.pools[].{name}" for name in ("subnet", "prefixLength", "gateway", "exclude")
    ]


def test_every_key_can_be_asked_for_and_has_codes_that_there_are(world: World) -> None:
    for key in ALL:
        assert key.name in [one.key.name for one in keyhelp.find(key.name).meanings], key.name
        assert {code for code, _ in key.errors} <= CODES.keys(), key.name
        assert all(when for _, when in key.errors), key.name


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


# key or not ----------------------------------------------------------------------------------------------------------


def test_a_key_needs_no_root_and_it_says_what_was_not_asked(world: World) -> None:
    found = told(world, "vlan", euid=1000)

    assert [key["name"] for key in found["keys"]] == ["vlan"]
    assert found["notes"][-1] == "whether a VF or somebody attached is called so, too, only root can see"
    assert told(world, "--key", "vlan", euid=1000)["notes"] == told(world, "vlan")["notes"]
    assert sriovctl(world, "explain", "c1", euid=1000).status == 77


@pytest.mark.parametrize("word", ["driver", "DRIVER"])
def test_a_pod_that_is_attached_comes_before_the_key_of_its_name(world: World, word: str) -> None:
    """A key is known in any case, a pod by its very name."""
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=driver"
    assert world.call("ADD", world.conf(), args=args).code == 0

    found = told(world, word)
    by_force = told(world, "--key", word)

    assert bool(found["stories"]) == (word == "driver")
    assert bool(found["keys"]) == (word != "driver")
    assert [key["name"] for key in by_force["keys"]] == ["driver"]
    if word == "driver":
        assert found["notes"][-1].endswith("is called so, too: sriovctl explain --key driver")


def test_a_container_that_is_gone_does_not_hide_a_key(world: World) -> None:
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=driver"
    conf = world.conf()
    assert [world.call(verb, conf, args=args).code for verb in ("ADD", "DEL")] == [0, 0]

    assert names(world, "driver") == ["driver"]


@pytest.mark.parametrize(("argv", "says"), [
    (("vlanQos5",), 'no key of a configuration; did you mean "vlanQoS"?'),
    (("--key", "trunk"), "no configuration has such a key"),
    (("--key", "gatway"), 'did you mean "gateway"?'),
    (("zzzzzzzz",), "no container, pod or VF is called so"),
])  # fmt: skip
def test_what_is_neither_is_said_with_what_may_be_meant(
    world: World, argv: tuple[str, ...], says: str
) -> None:
    run = sriovctl(world, "explain", *argv)

    assert (run.status, run.out) == (1, "")
    assert says in run.err


def test_a_file_is_no_key(world: World) -> None:
    """`explain FILE` is `profile`'s former name: it takes a VF for a moment, and says so."""
    run = sriovctl(world, "explain", "/nowhere/vlan.conf")

    assert run.status == 1
    assert "this is `sriovctl profile` now; it takes a VF for a moment" in run.err
