"""gc: what provably nobody owns is taken back, what may live stays, and each is told with its reason."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from cni_sriov.state.lock import Lock
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def attach(world: World, container: str, **keys: Any) -> None:
    path = f"/run/netns/{container}"
    world.kernel.add_pod(path)
    reply = world.call(
        "ADD", world.conf(ipam=world.ipam(), vlan=100, **keys), container=container, netns=path
    )
    assert reply.code == 0, reply.text


def name_process(world: World, path: str, comm: str = "sleep") -> str:
    """The one in there, as gc names it."""
    pid = world.kernel.pods[path].pid
    where = world.kernel.root / f"proc/{pid}"
    where.mkdir(parents=True)
    (where / "comm").write_text(f"{comm}\n")
    return f"{comm} (pid {pid})"


def told(world: World, *argv: str) -> list[tuple[str, str, bool, str]]:
    run = sriovctl(world, "gc", "--json", *argv)
    assert run.status == 0
    return [(item["kind"], item["owner"], item["taken"], item["reason"]) for item in run.document["items"]]


def test_takes_back_the_dead_and_leaves_the_living(world: World) -> None:
    attach(world, "alive")
    inside = name_process(world, "/run/netns/alive")
    before = world.snapshot()
    attach(world, "dead")
    world.kernel.kill_netns("/run/netns/dead")

    items = told(world)

    assert items == [
        ("vf", "alive/net1", False, f"its container is alive: {inside} in its network namespace"),
        ("lease", "alive/net1", False, "its attachment has it still"),
        ("vf", "dead/net1", True, "the VF is back in the host"),
        ("lease", "dead/net1", True, "it goes with its VF"),
    ]
    assert world.snapshot() == before


def test_a_vf_whose_pf_is_elsewhere_stays_and_says_so(world: World) -> None:
    attach(world, "gone")
    kernel, pf = world.kernel, world.kernel.pfs[0].link
    kernel.move(kernel.host, kernel.netlink.ifindex(pf.name), kernel.add_pod("/run/netns/pf"), pf.name)
    assert world.call("DEL", world.conf(), "gone", netns="").code == 0

    assert told(world) == [("vf", "gone/net1", False, "PF 0000:01:00.0 is in another netns")]

    kernel.kill_netns("/run/netns/pf")
    assert told(world) == [("vf", "gone/net1", True, "the VF is back in the host")]


def test_dry_run_changes_nothing(world: World) -> None:
    attach(world, "dead")
    world.kernel.kill_netns("/run/netns/dead")
    before, effects = world.snapshot(), list(world.kernel.effects)

    items = told(world, "--dry-run")

    assert items[0] == ("vf", "dead/net1", True, "the VF is back in the host")
    assert (world.snapshot(), world.kernel.effects) == (before, effects)
    assert sriovctl(world, "gc", "--dry-run").out.startswith(
        "2 would be taken back\n  enp1s0f0 vf 0 of dead/net1: "
    )


def test_nothing_to_do(world: World) -> None:
    run = sriovctl(world, "gc")

    assert (run.status, run.out) == (0, "nothing taken back\n")


def test_what_a_running_verb_holds_stays(world: World) -> None:
    attach(world, "dead")
    world.kernel.kill_netns("/run/netns/dead")
    before = world.snapshot()

    with Lock(str(world.run_dir / "locks/dead@net1"), "DEL"):
        items = told(world)

    assert items[0] == ("vf", "dead/net1", False, "a running verb holds it")
    assert world.snapshot() == before


def test_every_state_directory_is_cleared(world: World) -> None:
    before = world.snapshot()
    attach(world, "one", stateDir=str(world.root / "state1"))
    attach(world, "two", stateDir=str(world.root / "state2"))
    for name in ("one", "two"):
        world.kernel.kill_netns(f"/run/netns/{name}")

    items = told(world)

    assert [item[:3] for item in items] == [
        (kind, f"{name}/net1", True) for name in ("one", "two") for kind in ("vf", "lease")
    ]
    assert world.snapshot() == before
    assert [list((world.root / name).iterdir()) for name in ("state1", "state2")] == [[], []]


def test_a_record_of_an_earlier_boot_goes_and_its_vf_is_left_alone(world: World) -> None:
    attach(world, "old")
    world.kernel.kill_netns("/run/netns/old")
    world.boot_id = "99999999-2222-3333-4444-555555555555"
    kernel = world.kernel.snapshot()

    items = told(world)

    assert items[0] == ("vf", "old/net1", True, "it is of an earlier boot")
    assert world.kernel.snapshot() == kernel
    assert not list(world.state_dir.iterdir())


@pytest.mark.parametrize("before", [True, False])
def test_a_state_directory_of_an_earlier_boot_is_named_by_hand(world: World, before: bool) -> None:
    """After a reboot nothing tells of it: /run is empty."""
    attach(world, "old", stateDir=str(world.root / "state9"))
    world.kernel.kill_netns("/run/netns/old")
    world.boot_id = "99999999-2222-3333-4444-555555555555"
    shutil.rmtree(world.run_dir)
    option = ("--state-dir", str(world.root / "state9"))

    unnamed, named = told(world), sriovctl(world, *((*option, "gc") if before else ("gc", *option)))

    assert (unnamed, named.status) == ([], 0)
    assert named.out.startswith("1 taken back\n  enp1s0f0 vf 0 of old/net1: it is of an earlier boot")


def test_a_record_whose_vf_is_anothers_now_goes_alone(world: World) -> None:
    """A DEL was killed between the claim and the record, and the VF was given away since."""
    attach(world, "gone")
    record = world.state_dir / "gone@net1"
    text = record.read_text()
    assert world.call("DEL", world.conf(ipam=world.ipam()), container="gone", netns="").code == 0
    attach(world, "next")
    before = world.snapshot()
    record.write_text(text)

    items = told(world)

    assert ("vf", "gone/net1", True, "its VF is next/net1's by now") in items
    assert world.snapshot() == before


def test_leases_of_foreign_plugins_by_their_netns(world: World) -> None:
    """A lease without a VF: its netns decides."""
    attach(world, "c1")
    for name in ("claims", "../state"):
        for path in (world.run_dir / name).iterdir():
            path.unlink()
    inside = name_process(world, "/run/netns/c1", "postgres")
    alive = told(world)
    world.kernel.kill_netns("/run/netns/c1")

    dead = told(world)

    assert inside.startswith("postgres (pid ")
    assert alive == [
        ("lease", "c1/net1", False, f"its container is alive: {inside} in its network namespace")
    ]
    assert dead == [
        ("lease", "c1/net1", True, "no process is in its netns /run/netns/c1, and no mount keeps it")
    ]
    assert told(world) == []


def test_leases_of_an_earlier_boot_below_the_default_directory(world: World) -> None:
    old = world.root / "default-data/default/00000000-0000-0000-0000-000000000000/owners"
    old.mkdir(parents=True, mode=0o700)
    (old.parent / "leases").mkdir(mode=0o700)
    for path in (world.root / "default-data", old.parent.parent, old.parent):
        path.chmod(0o700)

    dry = told(world, "--dry-run")

    assert [item[2:] for item in dry] == [(True, "it is of an earlier boot")]
    assert old.exists()
    assert told(world) == dry
    assert not old.exists()
    assert told(world) == []
