"""What the tests of several rooms of sriovctl begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.import_node import Node
from tests.world import World


@pytest.fixture(autouse=True)
def a_usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever that of the tests' caller is."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def node(world: World) -> Node:
    return Node(world)


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """Two ports without VFs."""
    world = World(tmp_path)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0")
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", up=False)
    return world
