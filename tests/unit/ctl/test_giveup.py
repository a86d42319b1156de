"""`sriovctl gc --forget FILE`: what cannot be read goes, and with it what it holds; what can be read does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ctl.tool import Run, sriovctl
from tests.unit.one_port import MINE, OTHERS, a_world
from tests.world import World


def plain(world: World) -> dict[str, Any]:
    return world.conf(ipam=world.ipam())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A pod has the one VF."""
    world = a_world(tmp_path)
    assert world.call("ADD", plain(world) | {"vlan": 100}).code == 0
    return world


def record_of(world: World) -> Path:
    return world.state_dir / "c1@net1"


def claim_of(world: World) -> Path:
    return world.run_dir / "claims/0000:01:00.0+0000:01:10.0"


def halve(*paths: Path) -> None:
    for path in paths:
        path.write_text(path.read_text()[: path.stat().st_size // 2])


def forget(world: World, path: Path | str, *more: str) -> Run:
    return sriovctl(world, "--state-dir", str(world.state_dir), "--json", "gc", "--forget", str(path), *more)


def claims(world: World) -> list[str]:
    return [path.name for path in (world.run_dir / "claims").iterdir()]


def test_record_and_claim_are_given_up_and_the_vf_is_the_next_ones_when_it_is_home(world: World) -> None:
    halve(record_of(world), claim_of(world))

    for path in (record_of(world), claim_of(world)):
        run = forget(world, path)
        assert (run.status, path.exists()) == (0, False), run.err
        (item,) = run.document["items"]
        assert (item["taken"], item["what"]) == (True, str(path))
    assert world.call("ADD", plain(world), "c2", OTHERS).code == 11, "it is in the pod still"
    world.kernel.kill_netns(MINE)

    assert world.call("DEL", plain(world)).code == 0
    assert world.call("ADD", plain(world), "c2", OTHERS).code == 0


def test_a_record_that_tells_its_vf_takes_the_claim_with_it(world: World) -> None:
    for path in (record_of(world), claim_of(world)):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 7, "by": "9.9.9"}))

    run = forget(world, record_of(world))

    assert (claims(world), record_of(world).exists()) == ([], False)
    assert "0000:01:10.0" in run.document["items"][0]["reason"]
    assert run.document["items"][0]["owner"] == "c1/net1"
    assert not (world.run_dir / "locks/c1@net1").exists()


@pytest.mark.parametrize("which", ["record", "claim", "lease", "copy"])
def test_what_can_be_read_is_refused(world: World, which: str) -> None:
    (lease,) = world.data_dir.glob("default/*/leases/*")
    path = {"record": record_of(world), "claim": claim_of(world), "lease": lease, "copy": claim_of(world)}[
        which
    ]
    if which == "copy":  # its Record has the same in it
        halve(claim_of(world))
    before = world.snapshot()

    run = forget(world, path)

    assert (run.status, world.snapshot()) == (1, before)
    assert "can be read" in run.document["error"]["msg"]


@pytest.mark.parametrize("which", ["record", "claim"])
def test_a_good_file_is_refused_also_where_it_is_the_only_one(world: World, which: str) -> None:
    (claim_of if which == "record" else record_of)(world).unlink()
    path = record_of(world) if which == "record" else claim_of(world)

    assert (forget(world, path).status, path.exists()) == (1, True)


@pytest.mark.parametrize("which", ["owners", "leases"])
@pytest.mark.parametrize("kind", ["text", "directory", "symlink"])
def test_a_lease_is_given_up_by_either_of_its_names(world: World, which: str, kind: str) -> None:
    """What stands there instead is one of the two; of text that is half, both."""
    (path,) = world.data_dir.glob(f"default/*/{which}/*")
    if kind == "text":
        path.write_text("{")
    else:
        path.unlink()
        path.mkdir() if kind == "directory" else path.symlink_to("/etc/passwd")
    status = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "status").document
    told = [Path(one["file"]).name for one in status["unreadable"]]
    assert told == ([] if which == "leases" and kind != "text" else ["c1@net1"])

    run = forget(world, path)

    assert (run.status, "10.10.0.0/24" in run.document["items"][0]["reason"]) == (0, True), run.err
    assert world.call("DEL", plain(world)).code == 0
    assert [*world.data_dir.glob("default/*/*/*")] == []


def test_a_dry_run_changes_nothing(world: World) -> None:
    (lease,) = world.data_dir.glob("default/*/leases/*")
    lease.write_text("{")
    halve(record_of(world), claim_of(world))
    before = world.snapshot()

    for path in (record_of(world), claim_of(world), lease):
        assert forget(world, path, "--dry-run").status == 0
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "state/c1@net1", "{root}/state/../state/c1@net1", "{root}/state/pci", "{root}/state/.", "{root}/run/claims.lock",
     "{root}/run/locks/c1@net1", "{root}/run/dirs/x", "{root}/state//c1@net1", "{root}/data/default/x/owners/c1@net1", "", "/"],
)  # fmt: skip
def test_what_is_no_state_file_is_refused(world: World, path: str) -> None:
    halve(record_of(world), claim_of(world))
    before = world.snapshot()

    run = forget(world, path.format(root=world.root)) if path else forget(world, "/")

    assert (run.status, world.snapshot()) == (1, before)
    assert "is no state file" in run.document["error"]["msg"]


def test_what_earlier_versions_set_aside_can_go(world: World) -> None:
    aside = world.run_dir / "claims/.damaged-0000:01:00.0+0000:01:10.2"
    aside.write_text("{")

    assert (forget(world, aside).status, aside.exists()) == (0, False)
    assert forget(world, aside).status == 1, "there is none"
