"""The doctor's scripts about shared pools, followed as they stand, with an engine in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cni_sriov.conf import cluster
from tests.memoryengine import Cluster
from tests.unit.conf.cluster_table import LOCAL
from tests.unit.ctl.pooled import on_world
from tests.unit.ctl.scripts import findings, follow
from tests.unit.ctl.test_clusterjson import put
from tests.unit.ctl.tool import Run
from tests.unit.ipam.test_shared import add, remove
from tests.world import World

REFILL = (
    "pool",
    "refill",
    "rack",
    "--subnet",
    "10.10.0.0/16",
    "--block-length",
    "22",
    "--prefix-length",
    "24",
)
State = Callable[[World, Cluster], object]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cluster-files"
    directory.mkdir()
    monkeypatch.setattr(cluster, "DIRECTORY", str(directory))
    return put(directory / "rack.json", LOCAL)


@pytest.fixture
def engine(world: World, file: Path) -> Cluster:
    """Of which this node has a block, with c1 in it."""
    engine = Cluster()
    assert on_world(world, engine, *REFILL).status == 0
    assert add(world, 1).code == 0
    return engine


def on(engine: Cluster) -> Callable[..., Run]:
    return lambda world, *words: on_world(world, engine, *words)


def two_hours_ago(world: World, _: Cluster) -> None:
    """Another ADD came since, which had it asked in vain."""
    then = time.time() - 7200
    for path in (world.cluster_dir / "rack/contact", world.run_dir / "clusters/rack/contacted"):
        os.utime(path, (then, then))
    then += 4000
    for path in world.data_dir.rglob("leases/*"):
        os.utime(path, (then, then))


def in_vain(world: World, engine: Cluster) -> None:
    """A block more than the pool has."""
    for _ in range(63):
        assert on_world(world, engine, *REFILL).status == 0
    assert on_world(world, engine, *REFILL).status == 1


def another_has_it(_: World, engine: Cluster) -> None:
    for holder in engine.holders.values():
        holder.fingerprint, holder.node = "5a" * 16, "r1n2"


@pytest.mark.parametrize(("rule", "state"), [
    ("engine-not-asked", two_hours_ago), ("refill-failed", in_vain),
])  # fmt: skip
def test_an_engine_that_was_not_asked_or_refused_is_asked(
    world: World, engine: Cluster, rule: str, state: State
) -> None:
    assert findings(world, rule) == []
    state(world, engine)
    (finding,) = findings(world, rule)

    follow(world, finding["remedy"], on=on(engine))

    assert findings(world, rule) == []


def test_a_lost_block_goes_when_the_containers_in_it_have_ended(world: World, engine: Cluster) -> None:
    another_has_it(world, engine)
    assert on_world(world, engine, "pool", "refill", "rack").status == 0
    (finding,) = findings(world, "block-lost")
    assert "c1/net1" in finding["why"]

    follow(world, finding["remedy"], on=on(engine))
    assert len(findings(world, "block-lost")) == 1, "its container runs"
    remove(world, 1)
    follow(world, finding["remedy"], on=on(engine))

    assert findings(world, "block-lost") == []


def test_a_file_that_is_open_to_others_and_one_that_is_wrong(
    world: World, engine: Cluster, file: Path
) -> None:
    file.chmod(0o644)
    (finding,) = findings(world, "cluster-file-broken")
    follow(world, finding["remedy"])
    assert findings(world, "cluster-file-broken") == []

    put(file, LOCAL | {"perfix": "/x"})
    (finding,) = findings(world, "cluster-file-broken")
    (run,) = follow(world, finding["remedy"])
    assert 'did you mean "prefix"?' in run.out
    put(file, LOCAL)

    assert findings(world, "cluster-file-broken") == []
