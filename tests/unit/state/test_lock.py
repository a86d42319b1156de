"""Locks with a deadline, which end with their holder and name him."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cni_sriov.leases.journal import Journal
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import TryAgain

HOLDER = """
import sys, time
from cni_sriov.state.lock import Lock
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
                Lock(str(tmp_path / "lock"), "DEL").acquire(0.1)
            assert f"pid {holder.pid} (ADD)" in refused.value.msg
            assert refused.value.code == 11
            assert not Lock(str(tmp_path / "lock"), "reclaim").try_acquire()
        finally:
            holder.kill()


def test_a_killed_holder_frees_the_lock_for_who_waits(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {holder.pid}"])
        lock = Lock(str(tmp_path / "lock"), "DEL")
        lock.acquire(20)
        assert holder.wait() == -signal.SIGKILL
        killer.wait()
        lock.release()


def test_waiting_leaves_the_alarm_as_it_was(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with hold(tmp_path / "lock") as holder:
        with pytest.raises(TryAgain):
            Lock(str(tmp_path / "lock"), "DEL").acquire(0.05)
        holder.kill()
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_who_waited_for_a_forgotten_lock_gets_the_new_one(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first, second = Lock(path, "DEL"), Lock(path, "ADD")
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


def test_who_looks_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    looking = Lock(str(path), "doctor")
    assert looking.try_share()
    assert not path.exists()

    path.write_text("pid 1 (ADD)\n")
    assert looking.try_share()
    assert path.read_text() == "pid 1 (ADD)\n"
    assert not Lock(str(path), "ADD").try_acquire()
    looking.release()
    assert Lock(str(path), "ADD").try_acquire()


def test_who_looks_does_not_wait_for_a_holder(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        try:
            looking = Lock(str(tmp_path / "lock"), "doctor")
            assert not looking.try_share()
            assert looking.fd == -1
        finally:
            holder.kill()
