"""Huge pages are looked for before a VF is spent, near it; through the door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ctl.doctor.tree import Tree
from tests.unit.verbs.calls import NEW
from tests.world import World

SECOND = "0000:02:00.0"
ASKED: dict[str, Any] = {"hugepages": {"2Mi": 512}}


@pytest.fixture
def tree(world: World) -> Tree:
    """Its first card on node 0, with few pages; a second one on node 1, with many."""
    tree = Tree(world.kernel.root)
    world.kernel.add_pf("enp2s0f0", SECOND, numvfs=2)
    tree.hugepages(0, 2048, 8, 3)
    tree.hugepages(1, 2048, 512, 512)
    tree.hugepages(None, 2048, 520, 515)
    for device in (world.kernel.root / "sys/bus/pci/devices").iterdir():
        tree.write(f"/sys/bus/pci/devices/{device.name}/numa_node", f"{int(device.name[6]) - 1}\n")
    return tree


def test_too_few_on_the_node_of_the_vf_and_nothing_is_taken(world: World, tree: Tree) -> None:
    before = world.snapshot()

    reply = world.call("ADD", world.conf(hugepages={"2Mi": 4}))

    assert (reply.code, "NUMA node 0 has 3 of 8 of 2 MiB free" in reply.text) == (11, True)
    assert "echo 9 > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages" in reply.text
    assert world.snapshot() == before


def test_enough_on_its_node(world: World, tree: Tree) -> None:
    assert world.call("ADD", world.conf(hugepages={"2Mi": 3})).code == 0


def test_a_vf_that_is_named_counts_by_its_own_node(world: World, tree: Tree) -> None:
    vf = world.kernel.pfs[-1].vfs[1].pci_address

    assert world.call("ADD", world.conf(master=None, deviceID=vf, **ASKED)).code == 0
    assert (
        world.call("ADD", world.conf(master=None, deviceID="0000:01:10.0", **ASKED), "c2", ifname="net2").code
        == 7
    )


def test_a_vf_whose_pf_is_not_visible_has_a_node_too(world: World, tree: Tree) -> None:
    where = world.kernel.root / "sys/bus/pci/devices/0000:01:10.0"
    (where / "physfn").unlink()

    assert world.call("ADD", world.conf(master=None, deviceID=where.name, **ASKED)).code == 7
    (where / "numa_node").write_text("1\n")
    assert world.call("ADD", world.conf(master=None, deviceID=where.name, **ASKED)).code == 0


def test_of_several_pfs_only_those_with_enough_near_them_are_chosen_from(world: World, tree: Tree) -> None:
    conf = world.conf(master=None, pf={"vendors": ["8086"]}, **ASKED)

    assert world.call("ADD", conf).code == 0
    assert world.pod_link().pci_address.startswith("0000:02:")
    assert "passed over" in world.log_file.read_text()


def test_without_a_node_those_of_the_machine_count(world: World, tree: Tree) -> None:
    tree.write("/sys/bus/pci/devices/0000:01:00.0/numa_node", "-1\n")

    assert world.call("ADD", world.conf(hugepages={"2Mi": 515})).code == 0
    assert world.call("ADD", world.conf(hugepages={"2Mi": 516}), "c2", ifname="net2").code == 11


def test_who_asks_for_none_needs_none(world: World) -> None:
    assert world.call("ADD", world.conf(hugepages={})).code == 0


@pytest.mark.parametrize(
    ("asked", "full", "code"),
    [(3, "error", 0), (4, "ok", 0), (4, "error", 50), (9, "ok", 50), (9, "error", 50)],
)
def test_status_says_so_where_it_says_that_no_vf_is_free(
    world: World, tree: Tree, asked: int, full: str, code: int
) -> None:
    """What waiting does not cure it says always, as of VFs."""
    conf = world.conf(**NEW, statusOnFull=full, hugepages={"2Mi": asked})

    reply = world.call("STATUS", conf, "", "", "")

    assert (reply.code, "NUMA node 0 has 3 of 8" in reply.text) == (code, code == 50)
