"""One set of assertions on the kernel and on its fake: what a test on the fake proves must hold in the world."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .node import FakeNode, KernelNode, Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def node(request: pytest.FixtureRequest) -> Node:
    """Both, one after the other."""
    made: Node = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def fake(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


@pytest.fixture
def kernel() -> Iterator[KernelNode]:
    """What no fake has; its tests are marked `root`."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    node = KernelNode(f"cnisriov{os.getpid()}")
    yield node
    node.close()
