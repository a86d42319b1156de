"""What the unit tests of several folders begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drop_in import SriovCni, known
from tests.unit.ipam.test_delegate import HostLocal
from tests.unit.one_port import OTHERS, a_world
from tests.world import World


@pytest.fixture
def one_vf(tmp_path: Path) -> World:
    return a_world(tmp_path)


@pytest.fixture
def old(world: World) -> SriovCni:
    """sriov-cni on the node of `world`."""
    world.kernel.add_pod(OTHERS)
    known(world)
    return SriovCni(world)


@pytest.fixture
def host_local(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/host-local").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)
