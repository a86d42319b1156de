"""Network files of a directory: what a runtime loads, whether it could, and whether this node would serve it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from cni_sriov.ctl.doctor import conflists
from cni_sriov.decide.facts_runtime import Network
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.tool import attach, host
from tests.world import World

NET_D = "/etc/cni/net.d"
SRIOV = {"type": "sriov", "master": "enp1s0f0"}


@pytest.fixture
def node(world: World) -> Tree:
    return Tree(world.root)


def conflist(*plugins: dict[str, Any], name: str = "fast", **keys: Any) -> str:
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)} | keys)


def look(world: World, lists_only: bool = False) -> tuple[list[Network], list[str]]:
    failures = Failures()
    found = conflists.look(host(world), Files(str(world.root)), failures, NET_D, lists_only)
    return found, failures.told


def one(world: World) -> Network:
    found, unseen = look(world)
    assert unseen == []
    (network,) = found
    return network


def test_ours_is_told_from_another(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/10-a.conflist", conflist(SRIOV, {"type": "tuning"}))
    node.write(
        f"{NET_D}/20-b.conflist", conflist({"type": "bridge", "ipam": {"type": "host-local"}}, name="b")
    )
    node.write(f"{NET_D}/README", "no network")

    first, second = look(world)[0]

    assert (first.path, first.name, first.types, first.is_ours, first.errors) == (
        f"{NET_D}/10-a.conflist", "fast", ["sriov", "tuning"], True, [],
    )  # fmt: skip
    assert (second.types, second.is_ours, second.errors, second.unserved) == (
        ["bridge", "host-local"], False, [], None,
    )  # fmt: skip


def test_host_subnet_is_a_program_under_another_plugin_alone(world: World, node: Tree) -> None:
    ipam = {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}]}
    node.write(f"{NET_D}/1.conflist", conflist(SRIOV | {"ipam": ipam}))
    node.write(f"{NET_D}/2.conflist", conflist({"type": "bridge", "ipam": ipam}, name="b"))

    first, second = look(world)[0]

    assert (first.types, second.types, second.is_ours) == (["sriov"], ["bridge", "host-subnet"], True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ""),
        ("", ""),
        ("[]", ""),
        ('{"name": "fast", "cniVersion": "1.0.0"}', 'has no "plugins"'),
        (conflist(SRIOV | {"vlan": 5000}), "vlan"),
        (conflist({"type": "sriov"}), "no VF or PF is named"),
        ("\xff\xfe".encode("latin-1"), ""),
        ("[" * 100_000, ""),
    ],
)
def test_what_is_broken(world: World, node: Tree, text: str | bytes, words: str) -> None:
    node.write(f"{NET_D}/10-a.conflist", text)

    found = one(world)

    assert found.errors
    assert words in found.errors[0]
    assert found.unserved is None


def test_what_is_no_json_is_ours_if_it_names_us(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/1.conflist", conflist(SRIOV) + "}")
    node.write(f"{NET_D}/2.conflist", conflist({"type": "bridge"}) + "}")

    assert [(bool(one.errors), one.is_ours) for one in look(world)[0]] == [(True, True), (True, False)]


def test_a_list_in_a_file_for_one_plugin_and_the_other_way(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/10-a.conf", conflist(SRIOV))
    node.write(f"{NET_D}/20-b.conflist", json.dumps({"cniVersion": "1.0.0", "name": "b"} | SRIOV))
    node.write(f"{NET_D}/30-c.conf", json.dumps({"cniVersion": "1.0.0", "name": "c"} | SRIOV))

    assert [bool(network.errors) for network in look(world)[0]] == [True, True, False]


def test_a_device_that_the_runtime_names(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/10-a.conflist", conflist({"type": "sriov", "capabilities": {"deviceID": True}}))

    assert (one(world).errors, one(world).unserved) == ([], None)


def test_plugins_in_a_directory_of_the_networks_name(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/10-a.conflist", json.dumps({"cniVersion": "1.1.0", "name": "fast"}))
    node.write(f"{NET_D}/fast/1.conf", json.dumps(SRIOV))

    found = one(world)

    assert (found.types, found.is_ours, found.errors) == (["sriov"], True, [])


@pytest.mark.parametrize("name", ["..", ".", "../../../etc", "a\0b", ""])
def test_a_name_leads_nowhere_else(world: World, node: Tree, name: str) -> None:
    node.write("/etc/cni/x.conf", json.dumps(SRIOV))
    node.write(f"{NET_D}/10-a.conflist", conflist(name=name))

    assert one(world).types == []


def test_podman_loads_lists_alone(world: World, node: Tree) -> None:
    for name in ("10-a.conflist", "20-b.conf", "30-c.json"):
        node.write(f"{NET_D}/{name}", "{")

    assert [network.path for network in look(world, True)[0]] == [f"{NET_D}/10-a.conflist"]
    assert len(look(world)[0]) == 3


# what could not be read ----------------------------------------------------------------------------------------------


def test_a_fifo_a_loop_a_directory_and_a_huge_one_are_told(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/50-good.conflist", conflist(SRIOV))
    os.mkfifo(world.root / "etc/cni/net.d/10-fifo.conflist")
    node.link(f"{NET_D}/20-loop.conflist", "20-loop.conflist")
    node.mkdir(f"{NET_D}/30-directory.conflist")
    node.write(f"{NET_D}/40-huge.conflist", '{"name": "' + "x" * (1 << 20) + '"}')

    found, unseen = look(world)

    assert [network.path for network in found] == [f"{NET_D}/50-good.conflist"]
    assert [told.split(": ")[0].rpartition("/")[2] for told in unseen] == [
        "10-fifo.conflist", "20-loop.conflist", "30-directory.conflist", "40-huge.conflist",
    ]  # fmt: skip
    assert "no regular file" in unseen[0]
    assert "larger than" in unseen[3]


def test_a_name_that_is_no_utf8(world: World, node: Tree) -> None:
    node.write(f"{NET_D}/50-good.conflist", conflist(SRIOV))
    (world.root / "etc/cni/net.d" / os.fsdecode(b"\xff-a.conflist")).write_text("{")

    found, unseen = look(world)

    assert ([bool(network.errors) for network in found], unseen) == ([False, True], [])


# whether it can be served --------------------------------------------------------------------------------------------


def lack(world: World, node: Tree, plugin: dict[str, Any]) -> tuple[str, str, str]:
    node.write(f"{NET_D}/10-a.conflist", conflist(plugin))
    found = one(world).unserved
    return (found.lack, found.why, found.command) if found else ("", "", "")


def test_a_pf_that_can_serve(world: World, node: Tree) -> None:
    assert lack(world, node, SRIOV)[0] == ""
    assert lack(world, node, {"type": "sriov", "pf": {"drivers": ["igb"]}})[0] == ""


def test_a_pf_that_is_not_there(world: World, node: Tree) -> None:
    kind, why, _ = lack(world, node, {"type": "sriov", "master": "eth7"})

    assert (kind, why) == ("pf", "use master eth7: no such interface in the host")
    assert lack(world, node, {"type": "sriov", "pf": {"drivers": ["ice"]}})[0] == "pf"


def test_a_pf_without_vfs(world: World, node: Tree) -> None:
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)

    assert lack(world, node, SRIOV) == (
        "vfs",
        "enp1s0f0 has no VFs (numvfs is 0)",
        "sriovctl vfs enp1s0f0 7",
    )


def test_a_pf_whose_vfs_are_all_in_use(world: World, node: Tree) -> None:
    for number in range(7):
        path = f"/run/netns/p{number}"
        world.kernel.add_pod(path)
        added = world.call("ADD", world.conf(), f"c{number}", path)
        assert added.code == 0, added.text

    kind, why, _ = lack(world, node, SRIOV)

    assert (kind, why.count("claimed"), why.endswith("; and 4 more")) == ("full", 3, True)
    assert world.call("DEL", world.conf(), "c3", "/run/netns/p3").code == 0
    assert lack(world, node, SRIOV)[0] == ""


def test_a_look_changes_nothing(world: World, node: Tree) -> None:
    attach(world)
    before = world.snapshot()

    assert lack(world, node, SRIOV)[0] == ""

    assert world.snapshot() == before


def test_netavark_networks_of_our_driver(world: World, node: Tree) -> None:
    where = "/etc/containers/networks"
    node.write(f"{where}/a.json", '{"driver": "sriov"}')
    node.write(f"{where}/b.json", '{"driver": "bridge"}')
    node.write(f"{where}/c.lock", '{"driver": "sriov"}')
    node.write(f"{where}/d.json", "{")
    node.mkdir(f"{where}/e.json")
    failures = Failures()

    assert conflists.netavark(node.files, failures, where) == [f"{where}/a.json"]
    assert [told.partition(": ")[0] for told in failures.told] == [f"{where}/e.json"]
