"""host.json by apply's dry run, on a fake node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.ctl.doctor import hostplan
from cni_sriov.decide.facts_hostfile import HostPlan
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree
from tests.unit.ctl.ports import numvfs
from tests.unit.ctl.tool import attach, files, host
from tests.world import World

PATH = "/etc/cni-sriov/host.json"


def look(world: World, document: Any, wanted: str = "") -> HostPlan:
    seen = files(world)
    if document is not None:
        Tree(world.root).write(PATH, document if isinstance(document, str) else json.dumps(document))
    failures, effects = Failures(), list(world.kernel.effects)
    found = hostplan.look(host(world), seen, failures, wanted)
    assert failures.told == []
    assert world.kernel.effects == effects
    return found


def wants(count: int, name: str = "enp1s0f0") -> dict[str, Any]:
    return {"pfs": [{"pf": {"names": [name]}, "numvfs": count}]}


def test_no_file_and_one_that_is_carried_out(world: World) -> None:
    assert look(world, None) == HostPlan()
    assert look(world, wants(7)) == HostPlan(PATH)


@pytest.mark.parametrize("document", ["{", '{"pfs": 7}', '{"turst": 1}'])
def test_a_broken_file_is_told_and_not_raised(world: World, document: str) -> None:
    found = look(world, document)

    assert found.broken is not None
    assert found.broken.why.startswith(f"{PATH}: ")


def test_what_is_to_do(empty: World) -> None:
    found = look(empty, wants(3))

    ((name, steps),) = found.pending
    assert (name, numvfs(empty), found.refused) == ("enp1s0f0", [0, 0], [])
    assert any("3" in step for step in steps)


def test_more_than_the_card_can_have_and_a_number_that_is_in_use(world: World) -> None:
    more = look(world, wants(9)).refused
    attach(world)
    other = look(world, wants(3)).refused

    assert [(one.pf, "7" in one.why and "9" in one.why) for one in more] == [("enp1s0f0", True)]
    assert "c1/net1" in other[0].why + other[0].details


def test_one_pf_alone(empty: World) -> None:
    both = {"pfs": [*wants(3)["pfs"], *wants(2, "enp1s0f1")["pfs"], *wants(1, "enp9s0")["pfs"]]}

    every, second = look(empty, both), look(empty, both, "0000:01:00.1")

    assert [name for name, _ in every.pending] == ["enp1s0f0", "enp1s0f1"]
    assert ([name for name, _ in second.pending], len(every.refused), second.refused) == (["enp1s0f1"], 1, [])
