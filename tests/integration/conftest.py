"""What several tests use: the rig of those that want no other one, an etcd, and machines at it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.etcd import PREFIX, Etcd, Net
from tests.integration.rig import BUNDLE, Rig
from tests.racks import Machine

Rack = Callable[..., list[Machine]]
_PREFIXES = itertools.count()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    with Rig(vfs=2) as rig:
        rig.add_pod("pod")
        yield rig


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Net() as net, Etcd(tmp_path_factory.mktemp("etcd"), net) as etcd:
        yield etcd


@pytest.fixture
def rack(etcd: Etcd) -> Iterator[Rack]:
    """`rack("n1", "n2")`: machines by these names, of a cluster that is the test's own by its `prefix`."""
    prefix = f"{PREFIX}/{next(_PREFIXES)}"
    with ExitStack() as stack:

        def machines(*names: str, vfs: int = 1) -> list[Machine]:
            return [stack.enter_context(Machine(name, etcd, prefix, vfs)) for name in names]

        yield machines
