"""The lease files of one directory: one inode for an owner and its leases, and nobody's but its own are taken away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cni_sriov.leases import directory
from cni_sriov.leases.directory import STICKY, Directory
from cni_sriov.words.errors import InputOutput
from tests.unit.leases.kept import BOOT, a_dir, a_holding


def test_an_owner_and_its_leases_are_one_file_of_roots_alone(tmp_path: Path) -> None:
    there = Directory(a_dir(tmp_path), BOOT)
    there.add("c1@net1", a_holding("c1", "10.10.1.0/24", "fd00:10::/64"))

    top = tmp_path / "data/default" / BOOT
    files = [top / "owners/c1@net1", top / "leases/10.10.1.0_24", top / "leases/fd00:10::_64"]
    assert len({file.stat().st_ino for file in files}) == 1
    assert sorted(file.name for file in top.rglob("*") if file.is_file()) == sorted(
        file.name for file in files
    )
    assert [path.stat().st_mode & 0o777 for path in (top, top / "owners", files[0])] == [0o700, 0o700, 0o600]
    assert (
        there.holder("10.10.1.0_24")
        == there.holding("c1@net1")
        == a_holding("c1", "10.10.1.0/24", "fd00:10::/64")
    )


def test_a_second_taker_is_told_and_drops_nothing_of_the_first(tmp_path: Path) -> None:
    there = Directory(a_dir(tmp_path), BOOT)
    there.add("c1@net1", a_holding("c1", "10.10.1.0/24"))

    with pytest.raises(FileExistsError):
        there.add("c2@net1", a_holding("c2", "10.10.2.0/24", "10.10.1.0/24"))

    assert there.drop("c2@net1", ["10.10.2.0_24", "10.10.1.0_24"]) == {"10.10.2.0_24"}
    assert (there.has("10.10.1.0_24"), there.has("10.10.2.0_24"), there.has_owner("c2@net1")) == (
        True,
        False,
        False,
    )
    assert there.drop("c1@net1", ["10.10.1.0_24"]) == {"10.10.1.0_24"}
    assert there.drop("c1@net1", ["10.10.1.0_24"]) == set(), "again is success"


@pytest.mark.parametrize("where", ["data", "data/default", f"data/default/{BOOT}/leases"])
@pytest.mark.parametrize("what", ["symlink", "writable"])
def test_a_directory_that_others_could_change_is_refused(tmp_path: Path, where: str, what: str) -> None:
    Directory(a_dir(tmp_path), BOOT).create()
    path = tmp_path / where
    if what == "symlink":
        path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
    else:
        path.chmod(0o777)

    with pytest.raises(InputOutput, match=f"use directory {path}: "):
        Directory(a_dir(tmp_path), BOOT)


def test_a_boot_goes_as_a_whole_and_what_is_no_boot_stays(tmp_path: Path) -> None:
    """A dataDir that points somewhere else costs nothing there."""
    where = a_dir(tmp_path)
    Directory(where, BOOT).add("c1@net1", a_holding("c1", "10.10.1.0/24"))
    Directory(where, STICKY).create()
    (tmp_path / "data/default" / ("x" * 36)).mkdir()
    assert directory.boots(where) == [BOOT]

    assert directory.drop(where, BOOT) == 1
    assert directory.boots(where) == []
    directory.sweep(where)

    assert sorted(os.listdir(tmp_path / "data/default")) == [STICKY, "x" * 36]


@pytest.mark.parametrize("what", ["owners", "leases"])
def test_what_was_dropped_goes_with_its_links_and_not_what_they_lead_to(tmp_path: Path, what: str) -> None:
    where = a_dir(tmp_path)
    Directory(where, BOOT).add("c1@net1", a_holding("c1", "10.10.1.0/24"))
    directory.drop(where, BOOT)
    (dropped,) = Path(where.path).iterdir()
    (dropped / what).rename(tmp_path / "moved")
    (dropped / what).symlink_to(tmp_path / "moved")

    directory.sweep(where)

    assert os.listdir(where.path) == []
    assert len(os.listdir(tmp_path / "moved")) == 1
