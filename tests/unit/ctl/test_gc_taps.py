"""gc of attachments to the host's VPP: by the same proof, and only when VPP can be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.ctl.test_gc import name_process, told
from tests.vpp.world import VppWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VppWorld]:
    with VppWorld(tmp_path) as world:
        yield world


def test_takes_back_the_dead_and_leaves_the_living(world: VppWorld) -> None:
    world.add("alive", "/run/netns/alive")
    inside = name_process(world, "/run/netns/alive")
    before = world.snapshot()
    world.add("dead", "/run/netns/dead")
    world.kernel.kill_netns("/run/netns/dead")

    dry = told(world, "--dry-run")

    assert dry == [
        ("vf", "alive/net1", False, f"its container is alive: {inside} in its network namespace"),
        ("lease", "alive/net1", False, "its attachment has it still"),
        ("vf", "dead/net1", True, "its netns is dead"),
        ("lease", "dead/net1", True, "it goes with its VF"),
    ]
    assert told(world) == dry
    assert world.snapshot() == before


def test_what_a_del_left_is_finished_when_vpp_is_back(world: VppWorld) -> None:
    before = world.snapshot()
    world.add("c1", "/run/netns/c1")
    world.server.stop()
    world.kernel.kill_netns("/run/netns/c1")
    assert world.call("DEL", world.conf(), "c1", netns="").code == 0

    ((kind, owner, taken, reason),) = told(world)
    assert (kind, owner, taken, "is it running" in reason) == ("vf", "c1/net1", False, True)

    world.server.start()
    assert [item[2] for item in told(world)] == [True]
    assert world.snapshot() == before
