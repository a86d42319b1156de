"""STATUS of a shared pool: what the node can serve by itself is served, whatever the engine says; what is wrong is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni_sriov.words.inet import parse_prefix
from tests.unit.ipam.test_shared import POOL, add
from tests.unit.rack import AWAY, NAME, OTHER, Rack
from tests.unit.verbs.calls import NEW
from tests.world import Reply, World

BLOCK = "10.10.8.0/22"


@pytest.fixture
def rack(world: World) -> Rack:
    return Rack(world)


def status(world: World, *more: dict[str, Any], full: str = "error") -> Reply:
    ipam = world.ipam(pools=[POOL, *more])
    return world.call("STATUS", world.conf(**(NEW | {"ipam": ipam, "statusOnFull": full})), "", "", "")


def at_the_other_door(world: World) -> Reply:
    conf = NEW | {"name": "fast", "type": "bridge", "ipam": world.ipam(pools=[POOL])}
    return world.call("STATUS", conf, "", "", "", door="host-subnet")


def test_a_node_without_a_block_can_claim_one(world: World, rack: Rack) -> None:
    before = world.snapshot()
    assert (status(world).code, rack.calls, world.snapshot()) == (0, [], before)


def test_full_blocks_are_50_only_where_no_other_was_to_be_had(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    for n in range(1, 5):
        assert add(world, n).code == 0
    assert status(world).code == 0

    rack.there.put_failure(AWAY["code"], AWAY["msg"], AWAY["details"])
    reply = status(world)
    assert (reply.code, "no free subnet in this node's 1 block of cluster rack" in reply.text) == (50, True)
    assert reply.document["details"].splitlines() == [AWAY["msg"], AWAY["details"]]
    assert (status(world, full="ok").code, at_the_other_door(world).code) == (0, 0)


def test_a_failure_is_nothing_while_there_is_room(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    rack.there.put_failure(11, "away", "")

    assert status(world).code == 0


def test_a_pool_beside_it_that_is_full_is_seen(world: World, rack: Rack) -> None:
    alone = {"subnet": "10.20.0.0/24", "prefixLength": 24}
    world.kernel.add_pod("/run/netns/pod1")
    conf = world.conf(**(NEW | {"ipam": world.ipam(pools=[alone])}))
    assert world.call("ADD", conf).code == 0

    reply = status(world, alone)

    assert (reply.code, "10.20.0.0/24: no free subnet" in reply.text) == (50, True)


def test_a_lost_block_is_51_while_leases_are_in_it(world: World, rack: Rack) -> None:
    rack.give(BLOCK, "10.10.64.0/22")
    assert add(world, 1).code == 0
    rack.there.lose(parse_prefix("10.10.64.0/22"), {"node": OTHER})
    assert status(world).code == 0

    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER})
    for reply in (status(world, full="ok"), at_the_other_door(world)):
        assert (reply.code, "block 10.10.8.0/22 of cluster rack is r1n2's" in reply.text) == (51, True)


def test_a_lost_block_whose_file_is_damaged_is_another_nodes(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    assert add(world, 1).code == 0
    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER})
    Path(rack.there.path, "lost/10.10.8.0_22").write_text("{")

    assert (status(world).code, "is another node's" in status(world).text) == (51, True)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), "rack.json: No such file or directory"),
        (lambda path: path.chmod(0o644), "its mode is 0644"),
        (lambda path: path.write_text("{"), "rack.json"),
        (lambda path: path.write_text("{}"), 'has no "engine"'),
    ],
    ids=["missing", "open", "no JSON", "empty"],
)
def test_a_clusters_file_that_is_missing_or_broken_is_50(
    world: World, rack: Rack, spoil: Any, told: str
) -> None:
    rack.give(BLOCK)
    spoil(rack.conf_file)

    reply = status(world)

    assert (reply.code, told in reply.text) == (50, True), reply.text
    assert add(world, 1).code == 0  # all the same: the block is this node's


def test_a_copied_disk_is_50(world: World, rack: Rack) -> None:
    machine = world.root / "machine-id"
    machine.write_text("1" * 32)
    rack.give(BLOCK)
    machine.write_text("2" * 32)
    Path(rack.there.run_path, "contacted").unlink()

    assert (status(world).code, "those of another machine" in status(world).text) == (50, True)


def test_who_may_be_a_copy_is_50(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    rack.there.stop()
    assert (status(world).code, "may be a copy of another machine" in status(world).text) == (50, True)
    rack.there.put_failure(11, "this installation is node a1 there", "rm")
    assert "this installation is node a1 there" in status(world).text

    rack.there.note_contacted()
    assert status(world).code == 0


def test_a_pool_that_is_not_shared_asks_for_no_file(world: World) -> None:
    conf = world.conf(**(NEW | {"ipam": world.ipam(), "statusOnFull": "error"}))

    assert world.call("STATUS", conf, "", "", "").code == 0
    assert NAME not in {path.name for path in world.root.iterdir()}
