"""`sriovctl vfs` without a number: the PFs with counts, one PF's VFs with their owners; `max`, and a dry run."""

from __future__ import annotations

import pytest

from tests.unit.ctl.ports import below_bridge, device, numvfs
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World


def test_the_pfs_with_counts(world: World) -> None:
    """Of seven: one attached, one with an upper device, five free."""
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", up=False)
    attach(world)
    links = {link.name: link for link in world.kernel.host.links.values()}
    world.kernel.add_upper(links["enp1s0f0v1"], "br0")

    run = sriovctl(world, "vfs")
    lines = [line.split("  ") for line in run.out.splitlines()]

    assert (run.status, lines[0]) == (
        0,
        ["PF", "PCI address", "driver", "link", "VFs", "of", "attached", "free", "other"],
    )
    assert lines[1] == ["enp1s0f0", "0000:01:00.0", "igb", "up", "7", "7", "1", "5", "1"]
    assert lines[2] == ["enp1s0f1", "0000:01:00.1", "igb", "down", "0", "7", "0", "0", "0"]
    assert run.out.splitlines()[3] == "enp1s0f1 has no VFs; create some: sriovctl vfs enp1s0f1 7"


@pytest.mark.parametrize("where", ["enp1s0f0", "0000:01:00.0"])
def test_the_vfs_of_one_pf_with_their_owners(world: World, where: str) -> None:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=2)
    attach(world)

    run = sriovctl(world, "vfs", where)
    lines = run.out.splitlines()

    assert (run.status, lines[0], len(lines)) == (0, "enp1s0f0 has 7 of 7 VFs", 9)
    assert [lines[2].split("  ")[n] for n in (0, 1, 3, 5)] == ["0", "0000:01:10.0", "net1", "c1/net1"]
    assert lines[3].split("  ")[-1] == "free"


@pytest.mark.parametrize(("where", "names"), [((), ["enp1s0f0", "enp1s0f1"]), (("enp1s0f1",), ["enp1s0f1"])])
def test_as_json_a_pf_is_what_status_has(world: World, where: tuple[str, ...], names: list[str]) -> None:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", numvfs=2)
    attach(world)

    found = sriovctl(world, "vfs", *where, "--json").document
    told = {pf["name"]: pf for pf in sriovctl(world, "status", "--json").document["pfs"]}

    assert [pf["name"] for pf in found["pfs"]] == names
    for pf in found["pfs"]:
        assert [vf["owner"] for vf in pf["vfs"]] == [vf["owner"] for vf in told[pf["name"]]["vfs"]]
        assert (pf["numvfs"], pf["totalvfs"]) == (told[pf["name"]]["numvfs"], 7)


def test_a_look_changes_nothing(world: World) -> None:
    before = world.settled()

    assert [sriovctl(world, "vfs", *argv).status for argv in ((), ("enp1s0f0",))] == [0, 0]
    assert (world.settled(), world.kernel.effects) == (before, [])


def test_without_root_the_counts_are_there_and_nobody_is_told_who(world: World) -> None:
    """Nor that a VF is free, which a claim may contradict."""
    attach(world)

    run = sriovctl(world, "vfs", euid=1000)
    document = sriovctl(world, "vfs", "enp1s0f0", "--json", euid=1000).document

    assert (run.status, run.out.splitlines()[1].split("  ")[4:]) == (0, ["7", "7", "0", "0", "7"])
    assert run.out.splitlines()[-1] == "note: who has which VF: only root sees that: sudo sriovctl vfs"
    assert {vf["owner"] for vf in document["pfs"][0]["vfs"]} == {None}
    assert "free" not in {vf["state"] for vf in document["pfs"][0]["vfs"]}
    for argv in (("enp1s0f0", "3"), ("enp1s0f0", "3", "--dry-run")):
        assert sriovctl(world, "vfs", *argv, euid=1000).status == 77


def test_a_node_without_such_a_card(world: World) -> None:
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)
    (device(world, "0000:01:00.0") / "sriov_totalvfs").unlink()

    run = sriovctl(world, "vfs")

    assert (run.status, "no device that can have VFs" in run.out) == (0, True)
    assert sriovctl(world, "vfs", "enp1s0f0").status == 1


# max -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "count"), [(0, 7), (246, 5), (254, 1)])
def test_max_is_as_many_as_there_is_room_for(empty: World, offset: int, count: int) -> None:
    """The last VF on bus 01 has routing ID 0x1fe: stride is 2, and the PF's 0x100."""
    if offset:
        below_bridge(empty, empty.kernel.pfs[0], offset, 1)

    assert (sriovctl(empty, "vfs", "enp1s0f0", "max").status, numvfs(empty)) == (0, [count, 0])
    effects = list(empty.kernel.effects)
    again = sriovctl(empty, "vfs", "enp1s0f0", "max", "--json")
    assert (again.document["changed"], empty.kernel.effects) == (False, effects)


def test_max_where_there_is_no_room_says_why(empty: World) -> None:
    below_bridge(empty, empty.kernel.pfs[0], 384, 1)

    run = sriovctl(empty, "vfs", "enp1s0f0", "max")

    assert (run.status, empty.kernel.effects) == (1, [])
    assert "give enp1s0f0 VFs: the VFs need bus 02" in run.err


# dry run -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("now", "count", "says"), [
    (0, "7", "would give enp1s0f0 7 VFs (has none)"),
    (0, "max", "would give enp1s0f0 7 VFs (has none)"),
    (3, "1", "would give enp1s0f0 1 VF (has 3, which go)"),
    (3, "0", "would remove the 3 VFs of enp1s0f0"),
    (1, "0", "would remove the 1 VF of enp1s0f0"),
    (3, "3", "enp1s0f0 has 3 VFs already: nothing to do"),
])  # fmt: skip
def test_a_dry_run_says_what_the_real_one_then_does(empty: World, now: int, count: str, says: str) -> None:
    empty.kernel.change_numvfs(empty.kernel.pfs[0], now)
    before = empty.settled()

    dry = sriovctl(empty, "vfs", "enp1s0f0", count, "--dry-run")
    as_json = sriovctl(empty, "vfs", "enp1s0f0", count, "--dry-run", "--json").document
    assert (dry.status, dry.out, empty.settled(), empty.kernel.effects) == (0, f"{says}\n", before, [])
    real = sriovctl(empty, "vfs", "enp1s0f0", count, "--json").document

    assert (as_json["dryRun"], as_json["changed"], as_json["plan"]) == (True, False, real["plan"])
    assert (real["dryRun"], real["changed"]) == (False, bool(real["plan"]))
    assert as_json["pfs"][0]["numvfs"] == now


@pytest.mark.parametrize("count", ["8", "3"])
def test_a_dry_run_refuses_what_the_real_one_refuses(world: World, count: str) -> None:
    attach(world)

    dry, real = (sriovctl(world, "vfs", "enp1s0f0", count, *how) for how in (("--dry-run",), ()))

    assert (dry.status, dry.out, dry.err) == (1, "", real.err)


def test_a_dry_run_says_what_the_kernel_may_refuse(world: World) -> None:
    (device(world, "0000:01:00.0") / "resource").write_text("0x0 0x0 0x0\n" * 13)

    run = sriovctl(world, "vfs", "enp1s0f0", "3", "--dry-run")

    assert (run.status, numvfs(world)) == (0, [7])
    assert "note: the kernel may refuse it: the VFs' BARs have no memory" in run.out
