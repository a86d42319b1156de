"""Leases of earlier boots below the default dataDir: a reboot forgets where leases were, and nobody's first use may come."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cni_sriov.ctl import oldboots
from tests.unit.ctl.test_gc import attach
from tests.unit.ctl.tool import host
from tests.world import World

NEXT_BOOT = "99999999-2222-3333-4444-555555555555"


@pytest.fixture
def old(world: World) -> Path:
    """The directory of the boot before, whose /run is gone."""
    attach(world, "old")
    (leases,) = [path for path in world.data_dir.rglob("leases") if path.parent.name == world.boot_id]
    world.boot_id = NEXT_BOOT
    shutil.rmtree(world.run_dir)
    world.run_dir.mkdir()
    return leases.parent


def take(world: World, dry_run: bool, data_dir: Path | None = None) -> list[tuple[str, bool, str]]:
    there = host(world)
    there.ledger.open_run_dir()
    found = oldboots.take(there, dry_run, str(data_dir or world.data_dir))
    return [(one.what, one.taken, one.reason) for one in found]


def test_they_are_dropped_and_a_dry_run_only_says_so(world: World, old: Path) -> None:
    told = [(str(old), True, "it is of an earlier boot")]

    assert take(world, True) == told
    assert old.exists()
    assert take(world, False) == told
    assert not old.exists()
    assert take(world, False) == []


def test_a_directory_that_is_not_there_has_none(world: World, tmp_path: Path) -> None:
    assert take(world, False, tmp_path / "none") == []


def test_a_link_is_not_followed(world: World, old: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "default").symlink_to(old.parent)

    assert take(world, False, tmp_path / "linked") == []
    assert old.exists()


def test_one_that_comes_back_after_the_first_use_is_dropped_too(
    world: World, old: Path, tmp_path: Path
) -> None:
    """Of a backup. In place of its owners a link: what that leads to stays."""
    attach(world, "new")
    assert not old.exists()
    away = tmp_path / "away"
    away.mkdir()
    (away / "kept").touch()
    for path in (old, old / "leases"):
        path.mkdir(mode=0o700)
    (old / "owners").symlink_to(away)

    assert take(world, False) == [(str(old), True, "it is of an earlier boot")]

    assert (old.exists(), (away / "kept").exists()) == (False, True)
    assert take(world, False) == []
