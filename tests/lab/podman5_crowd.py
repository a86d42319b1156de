"""podman_crowd.py for podman 5. `make lab-podman`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from .conftest import Nodes
from .node import Node
from .podman import Podman
from .podman_crowd import *  # noqa: F403  the tests
from .test_podman import with_podman


@pytest.fixture  # type: ignore[no-redef]  # the other file's is of podman 4
def podman(trixie_node: Node, request: pytest.FixtureRequest) -> Iterator[Podman]:
    yield from with_podman(trixie_node, 5, request)


@pytest.fixture  # type: ignore[no-redef]
def rebooted(trixie_nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Podman]:
    with contextlib.closing(trixie_nodes):
        yield from with_podman(trixie_nodes.node()[0], 5, request)
