"""An import into a shared pool claims the blocks that it needs, or changes no lease."""

from __future__ import annotations

from typing import Any

import pytest

from tests import remedies
from tests.remedies import follows
from tests.unit.ctl.import_node import POOL, Node
from tests.unit.ctl.tool import sriovctl
from tests.unit.rack import AWAY, NAME, OTHER, Rack, options

SHARED: dict[str, Any] = POOL | {"blocks": {"cluster": NAME, "length": 24}}


@pytest.fixture
def rack(node: Node) -> Rack:
    node.set(SHARED)
    return Rack(node.world)


def test_each_block_is_claimed_once(node: Node, rack: Rack) -> None:
    rack.give("10.1.7.0/24")
    for n, address in enumerate(("10.1.4.2", "10.1.4.3", "10.1.7.9", "10.1.200.5")):
        node.hold(address, f"c{n}")

    run = node.run("--json")

    assert run.status == 0, run.err
    assert sorted(run.document["blocks"]) == ["10.1.200.0/24", "10.1.4.0/24"]
    assert sorted(options(call)["--block"][0] for call in rack.calls) == ["10.1.200.0/24", "10.1.4.0/24"]
    assert rack.blocks == ["10.1.200.0/24", "10.1.4.0/24", "10.1.7.0/24"]
    assert len(node.leases()) == 4
    assert node.run("--json").document["blocks"] == []  # nothing is left to be done


def test_a_dry_run_says_which_and_claims_none(node: Node, rack: Rack) -> None:
    node.hold("10.1.4.2", "c2")

    run = node.run("--dry-run")

    assert "would be claimed of the shared pool: 10.1.4.0/24" in run.out
    assert (rack.calls, rack.blocks, node.leases()) == ([], [], {})


def test_what_is_another_nodes_is_named_and_nothing_is_leased(node: Node, rack: Rack) -> None:
    rack.engine["10.1.4.0/24"] = OTHER
    for n, address in enumerate(("10.1.3.2", "10.1.4.2")):
        node.hold(address, f"c{n}")

    run = node.run()

    assert (run.status, "claim 10.1.4.0/24: node r1n2 has it" in run.err) == (1, True)
    assert node.leases() == {}


def test_where_the_engine_is_away_nothing_is_leased(node: Node, rack: Rack) -> None:
    node.hold("10.1.4.2", "c2")
    rack.error = AWAY

    run = node.run()

    assert (run.status, AWAY["msg"] in run.err) == (1, True)
    assert node.leases() == {}


@follows("ctl/importblocks", "see `sriovctl pool`")
def test_a_block_that_is_lost_meanwhile_is_cut_no_more(
    node: Node, rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, address in enumerate(("10.1.3.2", "10.1.4.2")):
        node.hold(address, f"c{n}")
    claimed = rack.world.tool

    def claim_and_lose(arguments: list[str], fd: int) -> tuple[int, str]:
        answer = claimed(arguments, fd)
        if "10.1.4.0/24" in arguments:
            rack.there.lose(rack.there.names()[-1], {"node": OTHER})
        return answer

    rack.world.tool = claim_and_lose
    run = node.run()

    assert (run.status, "its block is not this node's any more" in run.err) == (1, True)
    assert node.leases() == {}
    (words,) = remedies.followed(run.err)
    assert f"lost: {OTHER} has it" in sriovctl(rack.world, *words).out
