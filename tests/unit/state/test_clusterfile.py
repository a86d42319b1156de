"""Who may have written what a cluster's secrets are read from, and who may read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cni_sriov.state import clusterfile
from cni_sriov.words.errors import InputOutput


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rack.json"
    path.write_text("{}\n")
    path.chmod(0o600)
    return path


def refusal(path: Path, **how: bool) -> tuple[str, str]:
    with pytest.raises(InputOutput) as refused:
        clusterfile.text_of(str(path), **how)
    return refused.value.msg.removeprefix(f"read {path}: "), refused.value.details.replace(str(path), "FILE")


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_roots_own_file_is_read(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert clusterfile.text_of(str(file)) == "{}\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_secret_that_others_can_read_is_none(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert refusal(file) == (f"its mode is {mode:04o}, and others must not read it", "chmod 600 FILE")


@pytest.mark.parametrize(("mode", "is_good"), [(0o644, True), (0o444, True), (0o664, False), (0o646, False)])
def test_what_is_no_secret_may_be_read_by_all_and_written_by_none(
    file: Path, mode: int, is_good: bool
) -> None:
    file.chmod(mode)
    if is_good:
        assert clusterfile.text_of(str(file), is_secret=False) == "{}\n"
    else:
        told = f"its mode is {mode:04o}, and others must not write it"
        assert refusal(file, is_secret=False) == (told, "chmod go-w FILE")


@pytest.mark.skipif(os.geteuid() != 0, reason="chown needs root")
def test_another_users_file_is_not_read(file: Path) -> None:
    os.chown(file, 1000, 0)
    assert refusal(file) == ("it belongs to uid 1000, not to root", "chown root FILE")


def test_a_link_is_followed_only_where_it_is_one_by_its_nature(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)

    assert refusal(link)[0] == "a symlink is not followed"
    assert clusterfile.text_of(str(link), follow=True) == "{}\n"
    file.chmod(0o644)
    assert "others must not read it" in refusal(link, follow=True)[0]


def test_what_is_no_file_is_told_so_and_nobody_waits_for_it(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)

    assert refusal(tmp_path / "none")[0] == "No such file or directory"
    assert refusal(tmp_path / "fifo")[0] == "it is no regular file"
    assert refusal(tmp_path)[0] == "it is no regular file"
    file.write_bytes(b"\xff")
    assert refusal(file)[0] == "it is no text"
    file.write_bytes(b" " * ((1 << 20) + 1))
    assert refusal(file)[0] == "it is larger than 1048576 bytes"
