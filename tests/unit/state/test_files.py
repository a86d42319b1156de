"""Locks with a deadline that outlive their holders, and files that are old or new, never between."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cni_sriov.leases.journal import Journal
from cni_sriov.state import files
from cni_sriov.words.errors import InputOutput, TryAgain

HOLDER = """
import sys, time
from cni_sriov.state.files import Lock
Lock(sys.argv[1], "ADD").acquire()
print("held", flush=True)
time.sleep(60)
"""


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_lock_in_vain_names_its_holder(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        try:
            with pytest.raises(TryAgain) as refused:
                files.Lock(str(tmp_path / "lock"), "DEL").acquire(0.1)
            assert f"pid {holder.pid} (ADD)" in refused.value.msg
            assert refused.value.code == 11
            assert not files.Lock(str(tmp_path / "lock"), "reclaim").try_acquire()
        finally:
            holder.kill()


def test_a_killed_holder_frees_the_lock_for_who_waits(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {holder.pid}"])
        lock = files.Lock(str(tmp_path / "lock"), "DEL")
        lock.acquire(20)
        assert holder.wait() == -signal.SIGKILL
        killer.wait()
        lock.release()


def test_waiting_leaves_the_alarm_as_it_was(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with hold(tmp_path / "lock") as holder:
        with pytest.raises(TryAgain):
            files.Lock(str(tmp_path / "lock"), "DEL").acquire(0.05)
        holder.kill()
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_who_waited_for_a_forgotten_lock_gets_the_new_one(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first, second = files.Lock(path, "DEL"), files.Lock(path, "ADD")
    first.acquire()
    first.forget()
    second.acquire(0.1)
    first.release()
    assert os.fstat(second.fd).st_ino == os.stat(path).st_ino


def test_a_lock_that_cannot_be_signed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full /run the first change of leases fails; the next one of this process must not wait for it."""
    path = str(tmp_path / "lock")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", full)
        journal = Journal(path, "release for c1/net1")
        with pytest.raises(OSError, match="No space left"):
            journal.acquire()

    with Journal(path, "release for c2/net1") as following:
        assert following.pending is None


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
        files.Lock(str(tmp_path / "dir" / "f"), "ADD").acquire()
    files.replace(str(tmp_path / "dir" / "f"), "ours")

    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "dir" / "f").read_text() == "ours"


def test_a_leftover_of_a_killed_writer_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".tmp-f").write_text("torn")
    files.replace(str(tmp_path / "f"), "whole")
    assert files.names(str(tmp_path)) == ["f"]
    assert files.read(str(tmp_path / "f")) == "whole"
