"""`sriovctl` as a child of ours: waited for until a deadline, or let go.

It is the program that lies beside ours, whoever installed both: nobody's PATH says which. It gets an environment of our own,
and of our descriptors only the one that it is given: the runtime's stay with us, and so does the attachment's lock, which
other plugins inherit (state/lock.py).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from errno import ENOENT
from select import POLLIN, poll

from ..words.errors import InputOutput, TryAgain
from ..words.gone import is_passing
from .process import ANSWER_LIMIT

GIVEN_FD = 3  # where the child has the descriptor that it is given
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_NAME = "sriovctl"
_OWN = "/proc/self/exe"
_CHECKOUT = (
    globals().get("__file__", "").removesuffix("/cni_sriov/kernel/child.py")
)  # a picture's modules are no files
_SIGNALS = (1, 2, 13, 15, 25)  # HUP, INT, PIPE, TERM, XFSZ: as it would have them without us
_DYING_S = 0.5
_START = "from cni_sriov.ctl.main import entry; entry()"


def command() -> tuple[list[str], dict[str, str]]:
    """How it is started, and its environment. From a checkout (`python -m cni_sriov`) Python runs it; a snapshot's and a
    bundle's modules are no files.
    """
    if _CHECKOUT.startswith("/") and os.path.isfile(f"{_CHECKOUT}/cni_sriov/ctl/main.py"):
        return [sys.executable, "-c", _START], _ENVIRONMENT | {"PYTHONPATH": _CHECKOUT}
    return [f"{_own_directory()}/{_NAME}"], _ENVIRONMENT


def _own_directory() -> str:
    """Of an executable that was replaced meanwhile, too: then its path says so at its end."""
    try:
        return os.readlink(_OWN).rpartition("/")[0]
    except OSError as error:
        raise InputOutput(f"look for {_NAME}: {_OWN}: {error.strerror}", "is /proc mounted?") from error


def run(arguments: Sequence[str], deadline_s: float) -> tuple[int, str]:
    """(exit status, standard output). TryAgain (11) where it has not ended by then; it is killed."""
    out, theirs = os.pipe()
    try:
        until = time.monotonic() + deadline_s
        try:
            pid = _spawn(arguments, [(os.POSIX_SPAWN_DUP2, theirs, 1)])
        finally:
            os.close(theirs)
        try:
            return _answer(out, pid, until)
        except TimeoutError as error:
            told = " ".join(arguments[:3])
            raise TryAgain(f"run {_NAME} {told}: no answer within {deadline_s:g} s") from error
        finally:
            _end(pid)
    finally:
        os.close(out)


def detach(arguments: Sequence[str], fd: int) -> None:
    """Start it in a session of its own, so that nobody who stops us, or waits for the end of what we write, means it. It has
    `fd` as its GIVEN_FD.
    """
    _spawn(arguments, [(os.POSIX_SPAWN_DUP2, fd, GIVEN_FD)], GIVEN_FD, setsid=True)


def _spawn(
    arguments: Sequence[str], actions: list[tuple[int, ...]], kept: int = -1, setsid: bool = False
) -> int:
    """In `/`: it may outlive the directory that the runtime started us in."""
    argv, environment = command()
    nulls = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    ours = [int(name) for name in os.listdir("/proc/self/fd")]
    closing = [(os.POSIX_SPAWN_CLOSE, fd) for fd in ours if fd > 2 and fd != kept]
    where = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir("/")
        return os.posix_spawn(
            argv[0],
            [*argv, *arguments],
            environment,
            file_actions=[*nulls, *actions, *closing],
            setsid=setsid,
            setsigmask=(),
            setsigdef=_SIGNALS,
        )
    except OSError as error:
        kind = TryAgain if is_passing(error) else InputOutput
        raise kind(f"start {argv[0]}: {error.strerror}", _remedy(argv[0], error)) from error
    finally:
        os.fchdir(where)
        os.close(where)


def _remedy(path: str, error: OSError) -> str:
    if error.errno != ENOENT:
        return ""
    if os.path.lexists(path):
        return f"{_NAME} needs a system with glibc"  # what is not there is its loader
    return f"{_NAME} belongs beside sriov: install cni-sriov whole"


def _answer(out: int, pid: int, until: float) -> tuple[int, str]:
    """TimeoutError."""
    answer, poller = bytearray(), poll()
    poller.register(out, POLLIN)
    while True:
        if not poller.poll(max(0, 1000 * (until - time.monotonic()))):
            raise TimeoutError
        part = os.read(out, 1 << 16)
        answer += part
        if len(answer) > ANSWER_LIMIT:
            raise InputOutput(f"read the answer of {_NAME}: it is longer than {ANSWER_LIMIT} bytes")
        if not part:
            return _status(pid, until), answer.decode("utf-8", "replace")


def _status(pid: int, until: float) -> int:
    """It has closed its output, and so is about to end. TimeoutError."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            raise TimeoutError
        time.sleep(0.001)


def _end(pid: int) -> None:
    """Kill it, unless its status is known, since its number may be another's then. What it had begun, its next run settles."""
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
    if not ended:
        os.kill(pid, signal.SIGKILL)
        try:
            _status(pid, time.monotonic() + _DYING_S)
        except TimeoutError:
            pass  # it waits for a disk, or for FUSE, which no signal ends; init has it when we have ended
