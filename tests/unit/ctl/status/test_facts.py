"""conf/status.schema.json describes every document of `status --json`, whole, and they fit it: `sriovctl` of these tests judges
each.
"""

from __future__ import annotations

import pytest

from tests import published
from tests.unit.ctl.tool import attach, sriovctl
from tests.unit.vf.test_lone import conf as lone_conf
from tests.unit.vf.test_lone import machine as machine  # noqa: PLC0414 # a fixture
from tests.world import World


def test_all_that_a_furnished_node_has(furnished: World) -> None:
    document = sriovctl(furnished, "status", "--json").document

    assert {vf["state"] for pf in document["pfs"] for vf in pf["vfs"]} == {"free", "attached", "busy"}
    assert len(document["devices"]) == 16


def test_a_bare_node(world: World) -> None:
    world.kernel.add_pf("enp2s0", "0000:02:00.0", up=False)

    (pf, other) = sriovctl(world, "status", "-o", "json").document["pfs"]

    assert (pf["up"], other["up"], other["vfs"]) == (True, False, [])


def test_a_pf_with_a_userspace_driver(empty: World) -> None:
    empty.kernel.tree.write_device("0000:01:00.0", "vfio-pci", {})

    document = sriovctl(empty, "status", "--json").document

    assert (document["pfs"][0]["name"], document["pfs"][0]["up"], document["pfs"][0]["mtu"]) == (
        "",
        False,
        None,
    )


def test_what_died_what_is_claimed_and_what_cannot_be_read(world: World) -> None:
    attach(world)
    world.kernel.kill_netns("/run/netns/pod1")
    (claim,) = (world.run_dir / "claims").iterdir()
    (claim.parent / claim.name.replace("10.0", "10.2")).write_text("{")

    document = sriovctl(world, "status", "--json").document

    states = {vf["index"]: (vf["state"], vf["reason"]) for vf in document["pfs"][0]["vfs"]}
    assert states[0] == ("dead", "the VF is back in the host")
    assert states[1] == ("claimed", "taken, by a claim that cannot be read")
    assert states[2] == ("free", "")
    assert len(document["unreadable"]) == 1


def test_a_vf_without_a_visible_pf(machine: World) -> None:
    assert machine.call("ADD", lone_conf(machine)).code == 0

    document = sriovctl(machine, "status", "--json").document

    assert [(pf["pci"], len(pf["vfs"])) for pf in document["pfs"]] == [("", 1)]


@pytest.mark.parametrize("damage", ["vfs", "state", "counters"])
def test_the_judge_judges(furnished: World, damage: str) -> None:
    document = sriovctl(furnished, "status", "--json").document
    vf = document["pfs"][0]["vfs"][0]
    if damage == "vfs":
        vf["new"] = 1
    elif damage == "state":
        vf["state"] = "lost"
    else:
        vf["counters"] = {"rxPackets": -1}

    with pytest.raises(AssertionError):
        published.judge("status", document)
