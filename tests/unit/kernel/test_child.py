"""`sriovctl` as our child: which one, with what of ours, and that neither waits for the other."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel import child
from cni_sriov.state.lock import Lock
from cni_sriov.words.errors import InputOutput, TryAgain

# what it is, as /proc has it; then whatever the test says
LOOK = """
import json, os, sys
fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{fd}")}
found = {"argv": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ), "fds": fds, "sid": os.getsid(0), "pid": os.getpid(), "pgid": os.getpgid(0)}
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As build/install lays it out: sriov, and sriovctl beside it."""
    home = tmp_path / ".cni-sriov" / "0123456789ab"
    home.mkdir(parents=True)
    (home / "sriov").touch()
    monkeypatch.setattr(child, "_CHECKOUT", "/nonexistent")
    monkeypatch.setattr(child, "_OWN", str(tmp_path / "exe"))
    (tmp_path / "exe").symlink_to(home / "sriov")
    return home


def program(home: Path, text: str) -> Path:
    path = home / "sriovctl"
    path.write_text(f"#!{sys.executable} -I\n{LOOK}{text}\n")
    path.chmod(0o755)
    return path


def looked(home: Path, *arguments: str) -> Any:
    program(home, "print(json.dumps(found))")
    status, answer = child.run(arguments, 20)
    assert status == 0
    return json.loads(answer)


# which one -----------------------------------------------------------------------------------------------------------


def test_it_is_the_one_beside_our_executable(installed: Path) -> None:
    assert child.command()[0] == [f"{installed}/sriovctl"]
    assert looked(installed, "pool", "refill")["argv"] == ["pool", "refill"]


def test_of_a_version_that_was_replaced_meanwhile_it_is_that_versions(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "exe").unlink()
    (tmp_path / "exe").symlink_to(f"{installed}/sriov (deleted)")

    assert child.command()[0] == [f"{installed}/sriovctl"]


def test_who_has_ended_is_not_killed_again(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another process' by then."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))

    looked(installed)

    assert killed == []


def test_from_a_checkout_python_runs_it() -> None:
    status, answer = child.run(["--version"], 30)

    assert (status, answer.startswith("sriovctl ")) == (0, True)


@pytest.mark.parametrize(
    ("interpreter", "told"),
    [(None, "sriovctl belongs beside sriov: install cni-sriov whole"), ("/nonexistent", "sriovctl needs a system with glibc")],
)  # fmt: skip
def test_what_is_missing_is_told(installed: Path, interpreter: str | None, told: str) -> None:
    if interpreter:
        (installed / "sriovctl").write_text(f"#!{interpreter}\n")
        (installed / "sriovctl").chmod(0o755)

    with pytest.raises(InputOutput) as caught:
        child.run(["x"], 5)

    assert (caught.value.msg, caught.value.details) == (
        f"start {installed}/sriovctl: No such file or directory",
        told,
    )


def test_where_proc_is_not_there_that_is_told(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "exe").unlink()
    with pytest.raises(InputOutput, match=r"look for sriovctl: .*No such file.*is /proc mounted\?"):
        child.command()


def test_out_of_processes_is_try_again(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    with pytest.raises(TryAgain):
        child.run(["x"], 5)


# what it has of us ---------------------------------------------------------------------------------------------------


def test_it_has_no_descriptor_of_ours_and_a_plain_environment(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attachment's lock is inherited by plugins, and the runtime may have left us anything."""
    monkeypatch.setenv("CNI_ARGS", "K8S_POD_NAME=secret")
    monkeypatch.chdir(tmp_path)
    with Lock(str(tmp_path / "c1@net1"), "ADD", inherited=True) as lock:
        theirs = os.open(tmp_path / "runtimes", os.O_CREAT | os.O_RDWR)
        os.set_inheritable(theirs, True)
        try:
            found = looked(installed)
        finally:
            os.close(theirs)
        assert os.get_inheritable(lock.fd)

    assert {target for target in found["fds"].values() if not target.startswith(("/proc", "pipe"))} == {
        "/dev/null"
    }
    assert (found["fds"]["0"], found["fds"]["2"]) == ("/dev/null", "/dev/null")
    assert (found["cwd"], os.getcwd()) == ("/", str(tmp_path))
    assert found["env"].keys() <= {"PATH", "LC_CTYPE"}  # Python sets the latter by itself


def test_signals_are_as_without_us(installed: Path) -> None:
    (installed / "sriovctl").write_text("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status\n")
    (installed / "sriovctl").chmod(0o755)
    term = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        _, answer = child.run([], 20)
    finally:
        signal.signal(signal.SIGTERM, term)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    masks = {line.split(":")[0]: int(line.split()[1], 16) for line in answer.splitlines()}
    stopping = sum(1 << number - 1 for number in (1, 2, 13, 15, 25))
    assert (masks["SigBlk"], masks["SigIgn"] & stopping) == (0, 0)


def test_no_descriptor_and_no_process_is_left(installed: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    left = looked(installed)["pid"]

    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(left, os.WNOHANG)


# waited for ----------------------------------------------------------------------------------------------------------


def test_its_status_and_answer_are_the_answer(installed: Path) -> None:
    program(installed, "print('{}'); sys.exit(3)")

    assert child.run([], 20) == (3, "{}\n")


@pytest.mark.parametrize(
    "text", ["import time; time.sleep(60)", "import time; print('{}'); os.close(1); time.sleep(60)"]
)
def test_after_the_deadline_it_is_killed(installed: Path, tmp_path: Path, text: str) -> None:
    program(installed, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); {text}")
    begin = time.monotonic()

    with pytest.raises(TryAgain, match=r"^run sriovctl pool refill rack: no answer within 3 s$"):
        child.run(["pool", "refill", "rack", "--json"], 3)

    assert time.monotonic() - begin < 15
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_an_answer_without_end_is_an_error(installed: Path) -> None:
    program(installed, "while True: print('x' * 65536)")

    with pytest.raises(InputOutput, match="longer than 1048576 bytes"):
        child.run([], 20)


def test_a_stop_signal_of_ours_ends_it(installed: Path, tmp_path: Path) -> None:
    program(
        installed,
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); import time; time.sleep(60)",
    )

    def stop(*_: object) -> None:
        raise SystemExit(1)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        with pytest.raises(SystemExit):
            child.run([], 20)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


# let go --------------------------------------------------------------------------------------------------------------

PARENT = """
import os, sys, time
sys.path.insert(0, {root!r})
from cni_sriov.kernel import child
from cni_sriov.state.lock import Lock
child._CHECKOUT, child._OWN = "/nonexistent", {exe!r}
own = Lock({attachment!r}, "ADD", inherited=True)
own.acquire()
lock = Lock({lock!r}, "ADD")
lock.acquire()
child.detach(["pool", "refill", "rack"], lock.fd)
lock.release()
print("done", flush=True)
{then}
"""


def parent(tmp_path: Path, then: str = "") -> subprocess.Popen[str]:
    """An ADD, as a runtime has started it: it waits for the end of both outputs."""
    text = PARENT.format(
        root=str(Path(__file__).parents[3]),
        exe=str(tmp_path / "exe"),
        lock=str(tmp_path / "lock"),
        attachment=str(tmp_path / "c1@net1"),
        then=then,
    )
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip


def sleeping(home: Path, tmp_path: Path) -> None:
    """It tells what it is, and then waits for the word."""
    program(
        home,
        f"""
import time
open({str(tmp_path / "told.tmp")!r}, "w").write(json.dumps(found))
os.rename({str(tmp_path / "told.tmp")!r}, {str(tmp_path / "told")!r})
while not os.path.exists({str(tmp_path / "go")!r}):
    time.sleep(0.01)
""",
    )


def told(tmp_path: Path) -> Any:
    until = time.monotonic() + 20
    while not (tmp_path / "told").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return json.loads((tmp_path / "told").read_text())


def is_locked(path: Path) -> bool:
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_gone(pid: int) -> None:
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_nobody_waits_for_it_and_it_has_the_lock_alone(installed: Path, tmp_path: Path) -> None:
    sleeping(installed, tmp_path)

    out, err = parent(tmp_path).communicate(timeout=20)  # up to the end of its outputs

    assert (out, err) == ("done\n", "")
    found = told(tmp_path)
    try:
        there = {fd: target for fd, target in found["fds"].items() if not target.startswith("/proc")}
        lock = str(tmp_path / "lock")
        assert there == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null", str(child.GIVEN_FD): lock}
        assert (found["sid"], found["pgid"], found["cwd"]) == (found["pid"], found["pid"], "/")
        assert (is_locked(tmp_path / "lock"), is_locked(tmp_path / "c1@net1")) == (True, False)
    finally:
        (tmp_path / "go").touch()
    wait_gone(found["pid"])
    assert not is_locked(tmp_path / "lock")


def test_it_outlives_the_process_group_of_the_add(installed: Path, tmp_path: Path) -> None:
    sleeping(installed, tmp_path)
    add = parent(tmp_path, "time.sleep(60)")
    found = told(tmp_path)

    os.killpg(add.pid, signal.SIGKILL)
    add.communicate(timeout=20)

    try:
        assert Path(f"/proc/{found['pid']}").exists()
        assert (is_locked(tmp_path / "lock"), is_locked(tmp_path / "c1@net1")) == (True, False)
    finally:
        (tmp_path / "go").touch()
    wait_gone(found["pid"])


def test_who_cannot_be_killed_is_not_waited_for(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process that waits for a disk, or for FUSE: it ends when that answers, and not before."""
    kill, pids = os.kill, list[int]()
    monkeypatch.setattr(os, "kill", lambda pid, _: pids.append(pid))
    monkeypatch.setattr(child, "_DYING_S", 0.1)
    program(installed, "import time; time.sleep(60)")

    began = time.monotonic()
    try:
        with pytest.raises(TryAgain, match=r"no answer within 0\.1 s"):
            child.run(["pool"], 0.1)
        assert time.monotonic() - began < 20
    finally:
        for pid in pids:
            kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
