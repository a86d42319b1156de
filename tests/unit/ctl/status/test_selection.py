"""`status PF|VF|CONTAINER`, --free, -o name: less of the same, by every name that the node, the runtime and we have for it."""

from __future__ import annotations

from typing import Any

from tests.unit.ctl import taps
from tests.unit.ctl.test_owned import CRI
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

PF0, PF1 = "enp1s0f0", "enp1s0f1"


def shown(world: World, *argv: str) -> dict[str, list[int]]:
    """PF -> its VFs."""
    run = sriovctl(world, "status", *argv, "--json")
    assert run.status == 0, run.out
    return {pf["name"]: [vf["index"] for vf in pf["vfs"]] for pf in run.document["pfs"]}


def refused(world: World, *argv: str) -> dict[str, Any]:
    run = sriovctl(world, "status", *argv, "--json")
    assert run.status == 1
    error: dict[str, Any] = run.document["error"]
    return error


def test_a_pf_comes_with_all_its_vfs_and_a_vf_alone(world: World) -> None:
    world.kernel.add_pf(PF1, "0000:01:00.1", numvfs=2)
    world.kernel.pfs[0].link.altnames.append("altname-of-it")
    assert [vf.pci_address for vf in world.kernel.pfs[0].vfs][2] == "0000:01:10.4"

    for target in (PF0, "0000:01:00.0", "01:00.0", "altname-of-it"):
        assert shown(world, target) == {PF0: [0, 1, 2, 3, 4, 5, 6]}, target
    for target in ("0000:01:10.4", "01:10.4", f"{PF0}:2", "0000:01:00.0:2"):
        assert shown(world, target) == {PF0: [2]}, target


def test_a_vf_by_the_name_of_its_interface_in_the_host_or_before_it_went(world: World) -> None:
    attach(world)

    assert shown(world, "enp1s0f0v1") == {PF0: [1]}
    assert shown(world, "enp1s0f0v0") == {PF0: [0]}  # in the container it is net1
    assert "net1" in refused(world, "net1")["msg"]


def test_a_container_or_pod_comes_with_its_vfs(world: World) -> None:
    assert world.call("ADD", world.conf(ipam=world.ipam()), args=CRI).code == 0

    for target in ("c1", "c1/net1", "shop/web-0", "web-0"):
        assert shown(world, target) == {PF0: [0]}, target


def test_a_containers_vfs_of_two_ports_or_of_one_interface(furnished: World) -> None:
    assert shown(furnished, "web") == {PF0: [0], PF1: [0]}
    assert shown(furnished, "web/net2") == {PF1: [0]}
    assert shown(furnished, "cach") == {PF1: [1]}, "four characters of a container's ID"


def test_several_are_a_union_in_the_nodes_order(furnished: World) -> None:
    assert shown(furnished, "0000:01:10.4", "cache", f"{PF0}:0") == {PF0: [0, 2], PF1: [1]}
    assert shown(furnished, PF1, f"{PF1}:0") == {PF1: [0, 1, 2, 3, 4, 5, 6]}


def test_a_tap_is_a_containers_and_no_pfs(world: World) -> None:
    taps.attach(world, "c1")
    taps.attach(world, "c2")

    def seen(*argv: str) -> list[str]:
        document = sriovctl(world, "status", *argv, "--json").document
        return [tap["owner"]["containerID"] for tap in document["taps"]]

    assert (seen(), seen("c2"), seen(PF0), seen("--free")) == (["c1", "c2"], ["c2"], [], [])


def test_what_is_called_so_by_nothing(world: World) -> None:
    attach(world)

    for target in ("", "nobody", f"{PF0}:7", "0000:09:00.0", "c", "c1/net9", f"{PF0}:"):
        error = refused(world, target)
        assert error["msg"] == f"status {target}: no PF, VF, container or pod is called so"
        assert "`sriovctl status` has them all" in error["details"]


def test_two_containers_that_begin_alike_are_named(world: World) -> None:
    for container in ("abcd1", "abcd2"):
        world.kernel.add_pod(f"/run/netns/{container}")
        assert world.call("ADD", world.conf(), container, f"/run/netns/{container}").code == 0

    error = refused(world, "abcd")

    assert error["msg"] == "status abcd: 2 containers are called so"
    assert error["details"] == "say more of one: abcd1, abcd2"
    assert shown(world, "abcd2") == {PF0: [1]}


# --free -------------------------------------------------------------------------------------------------------------------


def test_free_ones_are_those_that_an_add_may_take(furnished: World) -> None:
    """One without owner has an address of the host, another one no driver."""
    whole = sriovctl(furnished, "status", "--json").document["pfs"]
    unowned = {pf["name"]: [vf["index"] for vf in pf["vfs"] if vf["owner"] is None] for pf in whole}

    assert shown(furnished, "--free")[PF1] == [vf for vf in unowned[PF1] if vf not in {3, 6}]
    assert shown(furnished, "--free", PF1) == {PF1: shown(furnished, "--free")[PF1]}
    assert shown(furnished, "--free", f"{PF1}:3") == {PF1: []}


def test_the_counts_are_of_all(furnished: World) -> None:
    rows = sriovctl(furnished, "status", "--free", "--json").document["pfs"]
    lines = sriovctl(furnished, "status", "--free", PF1).out.splitlines()

    assert [pf["counts"]["attached"] for pf in rows] == [3, 2]
    assert [pf["counts"]["free"] for pf in rows] == [len(pf["vfs"]) for pf in rows]
    assert [sum(pf["counts"].values()) for pf in rows] == [7, 7]
    assert lines[-1].endswith("7 of 7 VFs, 2 attached")
    assert len(lines) == 1 + 3 + 1  # head, free ones, the PF


def test_none_is_free(world: World) -> None:
    for vf in world.kernel.pfs[0].vfs:
        world.kernel.set_driver(vf, "")

    run = sriovctl(world, "status", "--free")

    assert (run.status, run.out.splitlines()[0]) == (0, "no VF is free")
    assert sriovctl(world, "status", "--free", "-o", "name").out == ""


# -o name, and what goes with what -----------------------------------------------------------------------------------------


def test_names_are_addresses_that_other_verbs_take(furnished: World) -> None:
    names = sriovctl(furnished, "status", "cache", "db", "-o", "name").out

    assert names == "0000:01:10.2\n0000:01:10.3\n"
    for name in names.split():
        assert len(sriovctl(furnished, "explain", name, "--json").document["stories"]) == 1


def test_devices_are_those_of_the_selection(furnished: World) -> None:
    def seen(*argv: str) -> list[str]:
        return [row["pci"] for row in sriovctl(furnished, "status", *argv, "--json").document["devices"]]

    assert seen("cache") == ["0000:01:10.3"]
    assert len(seen(PF0)) == 1 + 7
    assert "0000:01:00.1" not in seen(PF1, "--free")
    told = sriovctl(furnished, "status", "--devices", "cache").out
    assert ("0000:01:10.3" in told, "0000:01:10.0" in told) == (True, False)
    assert "No " not in told, "what is not asked for is not missing"


def test_what_cannot_be_read_is_told_whatever_was_asked_for(world: World) -> None:
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    (claim.parent / claim.name.replace("10.0", "10.2")).write_text("{")

    assert len(sriovctl(world, "status", "c1", "--json").document["unreadable"]) == 1


def test_a_picture_of_a_selection(furnished: World) -> None:
    drawn = sriovctl(furnished, "status", "cache", "--svg", "-").out

    assert "1 VF" in drawn
    assert PF0 not in drawn


def test_what_does_not_go_together(world: World) -> None:
    name = ("-o", "name")
    for argv in (
        (*name, "--json"),
        (*name, "--devices"),
        (*name, "--svg", "-"),
        ("-o", "wide", "--svg", "-"),
    ):
        run = sriovctl(world, "status", *argv)
        assert run.status == 2
        assert "it goes with no --" in run.out + run.err
