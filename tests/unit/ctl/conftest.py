"""What the tests of `sriovctl import` begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.import_node import Node
from tests.unit.ipam.test_delegate import HostLocal
from tests.world import World


@pytest.fixture
def node(world: World) -> Node:
    return Node(world)


@pytest.fixture
def host_local(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/host-local").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)
