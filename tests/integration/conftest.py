"""The rig of tests that want no other one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.rig import BUNDLE, Rig


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=2) as rig:
        rig.add_pod("pod")
        yield rig
