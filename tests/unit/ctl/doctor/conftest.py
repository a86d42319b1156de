"""What the tests of the doctor's looks begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.doctor.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A node with nothing in it."""
    return Tree(tmp_path / "node")
