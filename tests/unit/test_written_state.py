"""What earlier versions wrote while pods run (tests/state/*, by tests/state/write.py): every verb of this one goes on with
it. And the other way round: what a later minor step writes passes through this one and loses nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.state.write import PODS, a_node, attach, confs
from tests.unit.ctl.tool import sriovctl
from tests.unit.one_port import hide_pf, show_pf
from tests.world import World

HERE = Path(__file__).parents[1] / "state"
VERSIONS = sorted(path.name for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("_"))
CONTAINERS = ("c1", "c2", "c3")


def test_there_are_some() -> None:
    assert {"0.1.0", "f0b700f"} <= {*VERSIONS}


@pytest.fixture(params=VERSIONS)
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    """The pods as ADD left them, which is one and the same for all versions; the files are that version's."""
    world = a_node(tmp_path)
    attach(world)
    put_in(world, HERE / request.param)
    return world


def put_in(world: World, written: Path) -> None:
    for path in [
        *world.root.glob("run/claims/*"),
        *world.root.glob("state/*"),
        *world.root.glob("data/*/*/*/*"),
    ]:
        path.unlink()
    for path in written.rglob("*"):
        if path.is_file():
            (world.root / path.relative_to(written)).write_text(
                path.read_text().replace("{root}", str(world.root))
            )
    for owner in world.root.glob("data/*/*/owners/*"):  # one inode for an owner and its leases
        for lease in json.loads(owner.read_text())["leases"]:
            os.link(owner, owner.parent.parent / "leases" / lease["subnet"].replace("/", "_"))


def ask(world: World, verb: str, container: str, **more: Any) -> int:
    conf, args = confs(world)[container]
    reply = world.call(verb, conf | more, container, PODS[CONTAINERS.index(container)], args=args)
    assert reply.code == 0, reply.text
    return reply.code


def left(world: World) -> list[str]:
    return [name for name in world.files() if "/sticky/" not in name]


def untouched(tmp_path: Path) -> Any:
    (tmp_path / "fresh").mkdir()
    return a_node(tmp_path / "fresh").kernel.snapshot()["vfs"]


def test_check_finds_all_as_add_left_it(world: World) -> None:
    for container in CONTAINERS:
        assert ask(world, "CHECK", container) == 0


def test_delete_gives_vfs_and_leases_back(world: World, tmp_path: Path) -> None:
    for container in CONTAINERS * 2:
        assert ask(world, "DEL", container) == 0

    assert left(world) == []
    assert world.kernel.snapshot()["vfs"] == untouched(tmp_path)
    ask(world, "ADD", "c2")
    assert next(world.root.glob("data/default/1*/leases/*")).name == "10.10.1.0_24", (
        "what was kept for the pod"
    )


def test_gc_keeps_who_is_listed_and_gives_the_others_back(world: World) -> None:
    keep = [{"containerID": "c1", "ifname": "net1"}]
    ask(world, "GC", "c1", cniVersion="1.1.0", **{"cni.dev/valid-attachments": keep})

    assert [path.name for path in world.state_dir.iterdir()] == ["c1@net1"]
    ask(world, "CHECK", "c1")
    ask(world, "DEL", "c1")
    assert left(world) == []


def test_a_dead_pods_vf_is_taken_back(world: World) -> None:
    world.kernel.kill_netns(PODS[0])
    world.kernel.kill_netns(PODS[1])
    world.kernel.add_pod("/run/netns/pod9")

    assert world.call("ADD", world.conf(ipam=world.ipam()), "c9", "/run/netns/pod9").code == 0

    assert sorted(path.name for path in world.state_dir.iterdir()) == ["c3@net1", "c9@net1"]


def test_the_operators_tool_reads_it(world: World) -> None:
    status = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "status").document
    leases = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "leases").document["leases"]
    collected = sriovctl(world, "--state-dir", str(world.state_dir), "--json", "gc").document["items"]

    (pf,) = status["pfs"]
    assert [vf["owner"]["containerID"] for vf in pf["vfs"]] == [*CONTAINERS]
    assert status["unreadable"] == []
    assert [lease["subnet"] for lease in leases] == ["10.10.0.0/24", "10.10.1.0/24"]
    assert not any(item["taken"] for item in collected)


def test_the_same_attachment_is_not_added_twice(world: World) -> None:
    conf, args = confs(world)["c1"]
    world.kernel.add_pod("/run/netns/pod9")

    assert world.call("ADD", conf, "c1", "/run/netns/pod9", args=args).code == 106


# a later minor step ---------------------------------------------------------------------------------------------------

BEYOND = {"minor": 7, "by": "0.9.0", "colour": {"of": ["it"]}}


def later(world: World) -> None:
    """A field more in every noun, as one to come may write it."""
    for path in [
        *world.root.glob("run/claims/*"),
        *world.root.glob("state/*@*"),
        *world.root.glob("data/*/*/owners/*"),
    ]:
        raw = json.loads(path.read_text()) | BEYOND
        raw["attachment"] = raw["attachment"] and raw["attachment"] | {"pod": "web"}
        raw["leases"] = [lease | {"tag": 3} for lease in raw["leases"]]
        if "baseline" in raw:
            raw["baseline"] |= {"group": 7}
            raw["later"]["settings"] |= {"napi": 1}
        path.write_text(json.dumps(raw))


@pytest.fixture
def newer(tmp_path: Path) -> World:
    world = a_node(tmp_path)
    attach(world)
    later(world)
    return world


def test_every_verb_reads_past_what_it_does_not_know(newer: World, tmp_path: Path) -> None:
    for verb in ("CHECK", "DEL"):
        for container in CONTAINERS:
            assert ask(newer, verb, container) == 0

    assert left(newer) == []
    assert newer.kernel.snapshot()["vfs"] == untouched(tmp_path)


def test_what_is_written_again_keeps_it(newer: World) -> None:
    """A DEL that cannot bring the VF home writes the Record anew, as "released"."""
    record = newer.state_dir / "c1@net1"
    hide_pf(newer)

    ask(newer, "DEL", "c1")

    raw = json.loads(record.read_text())
    assert raw["status"] == "released"
    assert {key: raw[key] for key in ("minor", "colour")} == {"minor": 7, "colour": BEYOND["colour"]}
    assert (
        raw["attachment"]["pod"],
        raw["later"]["baseline"]["group"],
        raw["later"]["settings"]["napi"],
    ) == ("web", 7, 1)
    show_pf(newer)
    ask(newer, "DEL", "c1")
    assert not record.exists()
