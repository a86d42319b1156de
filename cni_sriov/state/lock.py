"""Locks with a deadline, which end with the process, and say who holds them."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from typing import Self

from ..words.errors import InputOutput, TryAgain
from .files import exists, read, remove

LOCK_DEADLINE_S = 30.0


class Lock:
    """An flock on `path`, with the holder's pid and verb in the file for the one who waits in vain.

    The kernel drops it when the holder dies. The file of a lock that is no longer needed may be unlinked by its holder
    (`forget`), so whoever gets the lock looks whether the path still names what was locked.

    `inherited`: a plugin that the holder starts holds it too, and on where the holder is killed: what it does is of the
    same attachment.
    """

    __slots__ = ("fd", "inherited", "is_new", "path", "verb", "waited")

    def __init__(self, path: str, verb: str, inherited: bool = False) -> None:
        self.path = path
        self.verb = verb
        self.inherited = inherited
        self.fd = -1
        self.is_new = False  # nobody has signed the file before us
        self.waited = False  # for the one who had it

    def acquire(self, deadline_s: float = LOCK_DEADLINE_S) -> None:
        """Wait for the lock; TryAgain (11) names the holder when the deadline passes. 0 = do not wait."""
        try:
            while not self._has_locked(deadline_s):
                self.release()
            self._sign(f"pid {os.getpid()} ({self.verb})\n".encode())
        except (
            BaseException
        ):  # a full disk, a stop signal: whoever undoes may need it again, and would wait for us
            self.release()
            raise

    def _has_locked(self, deadline_s: float) -> bool:
        """False: the path names another file by now."""
        self._open()
        return self._has_locked_open(deadline_s)

    def _has_locked_open(self, deadline_s: float) -> bool:
        try:
            _flock(self.fd, deadline_s)
        except TimeoutError as error:
            raise TryAgain(
                f"lock {self.path}: held for more than {deadline_s:g} s by {self._holder()}"
            ) from error
        return self._is_current()

    def _holder(self) -> str:
        holder = os.pread(self.fd, 512, 0).decode("utf-8", "replace").strip("\0 \n")
        pid = holder.removeprefix("pid ").partition(" ")[0]
        if self.inherited and pid.isdigit() and not exists(f"/proc/{pid}"):
            return f"a plugin that {holder} started, which has ended"
        return holder or "an unknown process"

    def _sign(self, ours: bytes) -> None:
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, ours, 0)
        except OSError:
            pass  # on a full /run the lock holds all the same, and a DEL must go through: it frees

    def adopt(self, fd: int) -> None:
        """The lock as whoever started us took it: he gave us its descriptor, so that there was no moment without a holder.
        TryAgain if another has it, or the descriptor is of another file.
        """
        self.fd = fd
        try:
            os.set_inheritable(fd, False)
            if not self._has_locked_open(0):
                raise TryAgain(f"lock {self.path}: descriptor {fd} is of another file")
            self._sign(f"pid {os.getpid()} ({self.verb})\n".encode())
        except OSError as error:
            self.fd = -1
            raise InputOutput(f"lock {self.path}: descriptor {fd}: {error.strerror}") from error
        except BaseException:
            self.release()
            raise

    def try_acquire(self) -> bool:
        try:
            self.acquire(0)
        except TryAgain:
            return False
        return True

    def try_share(self) -> bool:
        """Keep others from it while somebody looks, and write nothing: False where one has it, True where there is no file."""
        try:
            self.fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise InputOutput(f"lock {self.path}: {error.strerror}") from error
        try:
            _flock(self.fd, 0, fcntl.LOCK_SH)
        except TimeoutError:
            self.release()
            return False
        return True

    def held_for(self) -> str | None:
        """The verb of whoever holds it now, to be asked after `try_acquire` failed; "" = it does not say, None = the file
        is gone, and its holder with it.
        """
        verb = ""
        for _ in range(20):
            page = read(self.path)
            if page is None:
                return None
            pid, _, rest = page.strip().removeprefix("pid ").partition(" ")
            verb = rest.removeprefix("(").removesuffix(")")
            if os.path.lexists(f"/proc/{pid or '-'}"):
                return verb
            time.sleep(0.001)  # the last holder is named: who has just got it has not signed yet
        return verb

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def forget(self) -> None:
        """Unlink the file while holding the lock: the attachment is gone, its lock must not pile up."""
        remove(self.path)

    def _open(self) -> None:
        try:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            if self.inherited:
                os.set_inheritable(self.fd, True)
        except OSError as error:
            raise InputOutput(f"lock {self.path}: {error.strerror}") from error

    def _is_current(self) -> bool:
        try:
            there, ours = os.lstat(self.path), os.fstat(self.fd)
        except FileNotFoundError:
            return False
        self.is_new = ours.st_size == 0
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _flock(fd: int, deadline_s: float, how: int = fcntl.LOCK_EX) -> None:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
        return
    except OSError as error:
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise InputOutput(f"lock a state file: {error.strerror}") from error
    if deadline_s <= 0:
        raise TimeoutError
    _flock_until(fd, deadline_s)


def _flock_until(fd: int, deadline_s: float) -> None:
    """Block in flock and let SIGALRM end it: no polling, so waiters are served in the kernel's order."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, deadline_s)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
