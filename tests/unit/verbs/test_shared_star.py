"""The star test of a shared pool: whatever effect of an ADD fails, or whenever it dies, the child among them, nothing of it is
left but blocks, and no block is lost: what the engine has as this node's, a file of this node says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.unit.one_port import MINE, a_world
from tests.unit.rack import ME, NAME, Rack
from tests.world import World

WHEN = ("before", "after")
POOL = {"subnet": "10.10.0.0/16", "prefixLength": 24, "blocks": {"cluster": NAME, "length": 22}}


def a_node(root: Path) -> tuple[World, Rack]:
    world = a_world(root, vfs=2)
    return world, Rack(world)


def conf(world: World) -> dict[str, Any]:
    return world.conf(vlan=100, mtu=1400, ipam=world.ipam(pools=[POOL]))


def add(world: World) -> int:
    return world.call("ADD", conf(world), "c1", MINE).code


def every(root: Path) -> list[tuple[int, str]]:
    """The number of effects is found by running; the child is one of them."""
    world, _ = a_node(root)
    before = len(world.kernel.effects)
    assert add(world) == 0
    effects = world.kernel.effects[before:]
    assert "sriovctl pool refill" in effects
    assert len(effects) > 10
    return [(k, when) for k in range(len(effects)) for when in WHEN]


def assert_no_block_is_lost(rack: Rack) -> None:
    """None that is nobody's here, and none of which the engine knows nothing."""
    directory = rack.world.cluster_dir / NAME
    files = {
        path.name.replace("_", "/")
        for part in ("blocks", "claiming")
        for path in (directory / part).glob("*")
    }
    assert files == {block for block, who in rack.engine.items() if who == ME}


def test_a_failed_add_leaves_no_trace_and_loses_no_block(tmp_path: Path) -> None:
    failed = 0
    for k, when in every(tmp_path / "count"):
        world, rack = a_node(tmp_path / f"{k}{when}")
        before = world.snapshot()
        world.kernel.fail_effect(k, when)

        code = add(world)

        if code == 0:
            assert world.call("DEL", conf(world), "c1", MINE).code == 0
        failed += code != 0
        assert world.snapshot() == before, f"effect {k} {when}"
        assert_no_block_is_lost(rack)
        assert [add(world), len(rack.blocks)] == [0, 1], f"effect {k} {when}"  # what it got serves the next
    assert failed > 5


@pytest.mark.parametrize("verb", ["DEL", "ADD"])
def test_a_killed_add_loses_no_block(tmp_path: Path, verb: str) -> None:
    """The kill is of all processes: the child is at the engine, before or after, when it happens."""
    for k, when in every(tmp_path / "count"):
        world, rack = a_node(tmp_path / f"{k}{when}")
        before = world.snapshot()
        world.kernel.crash_at(k, when)
        with pytest.raises(Crash):
            add(world)
        world.kernel.restart()

        replies = [world.call(verb, conf(world), "c1", MINE), world.call("DEL", conf(world), "c1", MINE)]

        assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {[r.text for r in replies]}"
        assert world.snapshot() == before, f"effect {k} {when}"
        assert_no_block_is_lost(rack)


def test_a_killed_delete_is_finished_and_the_block_stays(tmp_path: Path) -> None:
    """Blocks are given back by `sriovctl pool release` alone."""
    world, rack = a_node(tmp_path / "count")
    assert add(world) == 0
    before = len(world.kernel.effects)
    assert world.call("DEL", conf(world), "c1", MINE).code == 0
    for k, when in [(k, when) for k in range(len(world.kernel.effects) - before) for when in WHEN]:
        world, rack = a_node(tmp_path / f"{k}{when}")
        clean = world.snapshot()
        assert add(world) == 0
        world.kernel.crash_at(k, when)
        with pytest.raises(Crash):
            world.call("DEL", conf(world), "c1", MINE)
        world.kernel.restart()

        assert world.call("DEL", conf(world), "c1", MINE, args="").code == 0
        assert world.snapshot() == clean, f"effect {k} {when}"
        assert_no_block_is_lost(rack)
        assert rack.blocks == ["10.10.252.0/22"]
