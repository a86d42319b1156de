"""Files that are old or new, never between."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cni_sriov.state import files
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import InputOutput


def test_replace_is_0600_in_a_0700_directory(tmp_path: Path) -> None:
    directory = str(tmp_path / "a" / "b")
    mask = os.umask(0)
    try:
        files.ensure_directory(directory)
        files.replace(f"{directory}/f", "text")
    finally:
        os.umask(mask)
    assert oct(os.stat(directory).st_mode & 0o7777) == "0o700"
    assert oct(os.stat(f"{directory}/f").st_mode & 0o7777) == "0o600"


def test_a_symlink_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "f").symlink_to(tmp_path / "victim")
    (tmp_path / "dir" / ".tmp-f").symlink_to(tmp_path / "victim")
    (tmp_path / "link").symlink_to(tmp_path / "dir")

    with pytest.raises(InputOutput):
        files.read(str(tmp_path / "dir" / "f"))
    with pytest.raises(InputOutput, match="symlink"):
        files.ensure_directory(str(tmp_path / "link"))
    with pytest.raises(InputOutput):
        Lock(str(tmp_path / "dir" / "f"), "ADD").acquire()
    files.replace(str(tmp_path / "dir" / "f"), "ours")

    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "dir" / "f").read_text() == "ours"


def test_a_leftover_of_a_killed_writer_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".tmp-f").write_text("torn")
    files.replace(str(tmp_path / "f"), "whole")
    assert files.names(str(tmp_path)) == ["f"]
    assert files.read(str(tmp_path / "f")) == "whole"
