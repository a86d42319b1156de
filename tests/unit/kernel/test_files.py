"""What is not there, what cannot be seen, and a root that is elsewhere."""

from __future__ import annotations

import os
import platform
from errno import EACCES, EIO, ENOENT, ENOTDIR
from pathlib import Path

import pytest

from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import InputOutput


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/b").write_bytes(b" 12\xff\n")
    (tmp_path / "sys/a").symlink_to("b")
    files = Files(str(tmp_path))

    assert files.names("/sys") == ["a", "b"]
    assert (files.text("/sys/b"), files.data("/sys/b")) == ("12�", b" 12\xff\n")
    assert (files.target("/sys/a"), files.real("/sys/a"), files.has("/sys/a")) == ("b", "/sys/b", True)
    assert files.target("/sys/b") == ""


def test_a_large_file_is_read_to_its_end_and_what_wants_small_reads_is_read_too(tmp_path: Path) -> None:
    """The kernel refuses one large read below /proc/sys (KMALLOC_MAX_SIZE): ENOMEM."""
    (tmp_path / "modules.alias").write_bytes(b"alias x y\n" * 200_000)

    assert Files(str(tmp_path)).data("/modules.alias") == b"alias x y\n" * 200_000
    assert Files().text("/proc/sys/kernel/osrelease") == platform.release()


def test_the_end_of_what_may_be_of_any_size(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    files = Files(str(tmp_path))

    assert [files.tail("/log", most) for most in (0, 3, 10, 99)] == [
        b"",
        b"789",
        b"0123456789",
        b"0123456789",
    ]
    assert files.tail("/none", 3) is None


def test_the_end_of_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Beside a log, where a container may write: `explain` would hang."""
    os.mkfifo(tmp_path / "log.1")

    with pytest.raises(InputOutput, match="it is no regular file"):
        Files(str(tmp_path)).tail("/log.1", 3)


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    files = Files(str(tmp_path))

    for path in ("/none", "/file/below"):
        assert (files.text(path), files.data(path), files.names(path)) == (None, None, [])
        assert (files.target(path), files.real(path), files.has(path)) == ("", "", False)


@pytest.mark.parametrize(
    ("number", "path", "is_absent"),
    [
        (ENOENT, "/sys/x", True),
        (ENOTDIR, "/sys/x", True),
        (EIO, "/sys/x", False),
        (EACCES, "/sys/x", False),
        (EACCES, "/proc/1/fd", True),
    ],
)
def test_a_failed_look_is_not_absence(
    monkeypatch: pytest.MonkeyPatch, number: int, path: str, is_absent: bool
) -> None:
    def fails(_: str) -> list[str]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "listdir", fails)
    if is_absent:
        assert Files().names(path) == []
        return
    with pytest.raises(InputOutput, match=f"look at {path}: {os.strerror(number)}"):
        Files().names(path)


def test_a_fifo_is_not_waited_for_and_a_directory_is_no_text(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = os.listdir("/proc/self/fd")

    for path in ("/fifo", "/"):
        with pytest.raises(InputOutput, match="no regular file"):
            Files(str(tmp_path)).text(path)

    assert len(os.listdir("/proc/self/fd")) == len(before)
