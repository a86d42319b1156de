"""test_podman.py for podman 5, Debian 13's, which knows netavark's plugins and no CNI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .node import Node
from .podman import Podman
from .test_podman import *  # noqa: F403  the tests
from .test_podman import with_podman


@pytest.fixture  # type: ignore[no-redef]  # the other file's is of podman 4
def podman(trixie_node: Node, request: pytest.FixtureRequest) -> Iterator[Podman]:
    yield from with_podman(trixie_node, 5, request)
