"""What gc and release give back stands in the file where its ADD logged: there `sriovctl explain` looks for its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.test_release import ID, abandon, attach, release
from tests.unit.ctl.tool import sriovctl
from tests.world import World

OTHER = "77aa00bb11cc"


@pytest.fixture
def log(world: World) -> Path:
    path = world.root / "var/log/cni.log"
    path.parent.mkdir(parents=True)
    return path


def given_back(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "given back" in line]


def test_release_says_that_it_was_the_operators_word(world: World, log: Path) -> None:
    attach(world, logFile=str(log))
    abandon(world)
    assert release(world, ID, "--yes", "--dry-run").status == 0
    assert given_back(log) == []

    assert release(world, ID, "--yes").status == 0

    (line,) = given_back(log)
    assert f'verb="sriovctl release" containerID={ID} ifname=eth0 msg="given back" vf=0000:' in line
    assert line.endswith('reason="on the operator\'s word"')


def test_gc_says_what_proved_it_dead(world: World, log: Path) -> None:
    attach(world, OTHER, logFile=str(log))
    world.kernel.kill_netns(f"/run/netns/{OTHER}")

    assert sriovctl(world, "gc").status == 0

    (line,) = given_back(log)
    assert f'verb="sriovctl gc" containerID={OTHER} ifname=eth0 msg="given back" vf=0000:' in line
    assert line.endswith('reason="the VF is back in the host"')


def test_where_add_logged_on_its_standard_error_nothing_is_written(world: World, log: Path) -> None:
    attach(world)
    abandon(world)

    assert release(world, ID, "--yes").status == 0

    assert list(log.parent.iterdir()) == []
