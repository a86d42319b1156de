"""`sriovctl explain KEY`: documentation, type, default and errors of a configuration's key; and when a word is no key."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.conf.hostfile import PATH
from cni_sriov.ctl import keyhelp, keys, schema
from cni_sriov.words.errors import CODES
from tests.unit.ctl.tool import sriovctl
from tests.world import World

CLUSTER = keys.keys(schema.CLUSTER, "etcd", "kubernetes")
ALL = [*keys.keys(schema.SCHEMA, "list", "sriov"), *keys.keys(schema.HOST), *CLUSTER]


def told(world: World, *argv: str, euid: int = 0) -> Any:
    run = sriovctl(world, "explain", *argv, "--json", euid=euid)
    assert run.status == 0, run.out
    return run.document


def names(world: World, word: str) -> list[str]:
    return [key["name"] for key in told(world, word)["keys"]]


@pytest.mark.parametrize(("word", "found"), [
    ("vlan", ["vlan"]),
    ("VLANQOS", ["vlanQoS"]),
    ("ipam.pools[].gateway", ["ipam.pools[].gateway"]),
    ("ipam.pools[0].gateway", ["ipam.pools[].gateway"]),
    ("ipam.pools.gateway", ["ipam.pools[].gateway"]),
    ("pools.gateway", ["ipam.pools[].gateway"]),
    ("gateway", ["ipam.pools[].gateway"]),
    ("numvfs", ["pfs[].numvfs"]),
    ("kubeconfig", ["kubeconfig"]),
    ("node", ["node"]),
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
        f"ipam.pools[].{name}" for name in ("subnet", "prefixLength", "gateway", "exclude", "blocks")
    ]


def test_every_key_can_be_asked_for_and_has_codes_that_there_are(world: World) -> None:
    for key in ALL:
        assert key.name in [one.key.name for one in keyhelp.find(key.name).meanings], key.name
        assert {code for code, _ in key.errors} <= CODES.keys(), key.name
        assert all(when for _, when in key.errors), key.name


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
    assert "this is `sriovctl profile /nowhere/vlan.conf` now; it takes a VF for a moment" in run.err
