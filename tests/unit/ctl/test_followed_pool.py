"""What an ADD and STATUS of a shared pool tell people to look at, typed as it stands."""

from __future__ import annotations

import pytest

from cni_sriov.words.inet import parse_prefix
from tests import remedies
from tests.remedies import follows
from tests.unit.ctl.tool import sriovctl
from tests.unit.ipam.test_shared import add
from tests.unit.rack import OTHER, Rack
from tests.unit.verbs.test_status_shared import status
from tests.world import World

BLOCK = "10.10.8.0/22"


@pytest.fixture
def rack(world: World) -> Rack:
    return Rack(world)


def shown(world: World, told: str) -> str:
    """The tables that it names; that the engine is not there hides nothing of this node."""
    return "".join(sriovctl(world, *words).out for words in remedies.followed(told))


@follows("ipam/shared", "see `sriovctl pool`")
def test_a_child_that_says_nothing_is_looked_after(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    for n in range(4):
        assert add(world, n).code == 0
    world.tool = lambda _, __: (127, "sh: not found")
    refused = add(world, 9)
    assert refused.code == 11

    assert f"{BLOCK}  " in shown(world, refused.document["details"])


@follows("verbs/status", "on one of the two")
def test_a_lost_block_is_shown_with_who_has_it(world: World, rack: Rack) -> None:
    rack.give(BLOCK)
    assert add(world, 1).code == 0
    rack.there.lose(parse_prefix(BLOCK), {"node": OTHER})
    told = status(world)
    assert told.code == 51

    assert f"lost: {OTHER} has it" in shown(world, told.document["details"])
