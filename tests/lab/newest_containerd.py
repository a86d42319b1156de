"""test_containerd.py for the newest containerd of the archive. `make lab-containerd`."""

from __future__ import annotations

import pytest

from .containerd import Containerd
from .node import Node
from .test_containerd import *  # noqa: F403 # the tests
from .test_containerd import set_up


@pytest.fixture  # type: ignore[no-redef] # another guest's
def containerd(newest_node: Node) -> Containerd:
    return set_up(newest_node)
