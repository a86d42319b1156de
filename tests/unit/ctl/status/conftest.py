"""The node that is drawn in docs/status.svg."""

from __future__ import annotations

import pytest

from tests.unit.ctl.status.example import furnish
from tests.world import World


@pytest.fixture
def furnished(world: World) -> World:
    furnish(world)
    return world
