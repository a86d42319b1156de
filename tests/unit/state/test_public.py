"""Directories that others read: made where they are missing, and refused where somebody else could put something there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cni_sriov.state import public
from cni_sriov.words.errors import InputOutput


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_missing_is_made_for_all_to_read(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        public.check_directories(str(tmp_path), f"{tmp_path}/a/b/file")
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(mask)

    assert [mode_of(tmp_path / path) for path in ("a", "a/b")] == [0o755, 0o755]
    assert not (tmp_path / "a/b/file").exists()


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
@pytest.mark.parametrize("where", ["", "a", "a/b"])
def test_one_that_others_may_write_to_is_refused(tmp_path: Path, where: str, mode: int) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / where).chmod(mode)

    with pytest.raises(InputOutput, match="others may write to it"):
        public.check_directories(str(tmp_path), f"{tmp_path}/a/b/file")


@pytest.mark.parametrize("where", ["a", "a/b"])
def test_no_symlink_is_followed_below_the_root(tmp_path: Path, where: str) -> None:
    (tmp_path / "elsewhere/b").mkdir(parents=True)
    if where == "a/b":
        (tmp_path / "a").mkdir()
    (tmp_path / where).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(InputOutput, match=where):
        public.check_directories(str(tmp_path), f"{tmp_path}/a/b/c/file")

    assert not list(tmp_path.rglob("c"))


def test_above_the_root_the_system_may_have_some(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to("run")

    public.check_directories(f"{tmp_path}/var/cdi", f"{tmp_path}/var/cdi/file")

    assert (tmp_path / "run/cdi").is_dir()
