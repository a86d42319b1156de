"""What the unit tests of several folders begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.one_port import a_world
from tests.world import World


@pytest.fixture
def one_vf(tmp_path: Path) -> World:
    return a_world(tmp_path)
