"""A file that others read: whole or not at all, and readable."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from cni_sriov.ctl import publish
from cni_sriov.words.errors import InputOutput


def test_it_is_replaced_and_may_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    path.write_text("old")
    before = os.umask(0o077)
    try:
        with path.open() as reader:
            publish.write(io.StringIO(), str(path), "new\n")
            told = reader.read()
    finally:
        os.umask(before)

    assert (path.read_text(), told) == ("new\n", "old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_dash_is_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = io.StringIO()

    publish.write(out, "-", "text")

    assert (out.getvalue(), list(tmp_path.iterdir())) == ("text", [])


@pytest.mark.parametrize("where", ["nowhere/x", "is-a-directory"])
def test_what_cannot_be_written_is_a_sentence_and_leaves_nothing(tmp_path: Path, where: str) -> None:
    (tmp_path / "is-a-directory/full").mkdir(parents=True)

    with pytest.raises(InputOutput, match=f"write .*{where}: ") as raised:
        publish.write(io.StringIO(), str(tmp_path / where), "text")

    assert "writable" in raised.value.details
    assert [path.name for path in tmp_path.iterdir()] == ["is-a-directory"]


@pytest.mark.parametrize("target", ["pipe", "to-stdout"])
def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path: Path, target: str) -> None:
    """As root, /dev/null would be a regular file from then on, and /dev/stdout too."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-stdout").symlink_to("/proc/self/fd/1")
    before = (tmp_path / target).lstat()

    with pytest.raises(InputOutput, match="no regular file") as raised:
        publish.write(io.StringIO(), str(tmp_path / target), "text")

    assert "- is standard output" in raised.value.details
    assert (tmp_path / target).lstat() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_the_old_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    path = tmp_path / "metrics.prom"
    path.write_text("old")
    written = os.write
    seen: list[str] = []

    def some(fd: int, content: bytes) -> int:
        if seen:
            raise stop
        seen.extend(one.name for one in tmp_path.iterdir() if one != path)
        return written(fd, content[:3])

    monkeypatch.setattr(os, "write", some)
    with pytest.raises(InputOutput if isinstance(stop, OSError) else KeyboardInterrupt):
        publish.write(io.StringIO(), str(path), "new text")

    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
    # node_exporter reads whatever ends in .prom (collector/textfile.go); two calls at once write two files
    assert [name.endswith(f".{os.getpid()}.tmp") for name in seen] == [True]
