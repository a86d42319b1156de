"""Small files that survive SIGKILL at any instruction: locks with a deadline, atomic replacement, safe directories.

Directories are 0700 and files 0600; no symlink is followed. fsync only where something must outlive power loss.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import time
from typing import Self

from ..words.errors import InputOutput, TryAgain
from ..words.gone import is_gone

LOCK_DEADLINE_S = 30.0
LIMIT = 1 << 20  # bytes; words/stored.LARGEST is the most that is written, twice that was


def ensure_directory(path: str) -> None:
    """Make `path` and its missing parents; the last one must be a real directory of ours, mode 0700."""
    try:
        try:
            found = real_directory(path)
        except FileNotFoundError:
            makedirs(path, 0o700)
            found = real_directory(path)
    except OSError as error:
        raise InputOutput(f"make directory {path}: {error.strerror}") from error
    if found.st_mode == stat.S_IFDIR | 0o700 and found.st_uid == os.geteuid():
        return
    if found.st_uid != os.geteuid():
        raise InputOutput(f"use directory {path}: it belongs to uid {found.st_uid}")
    if found.st_mode & 0o077:
        _close_to_others(path)


def real_directory(path: str) -> os.stat_result:
    """Its owner and mode, for the caller to judge; InputOutput if it is no directory, OSError as lstat."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise InputOutput(f"use directory {path}: it is not a directory (a symlink is not followed)")
    return found


def makedirs(path: str, mode: int) -> None:
    """With missing parents, all of that mode (os.makedirs gives it to the last one alone); OSError as mkdir."""
    parent = path.rstrip("/").rpartition("/")[0]
    if parent and not os.path.lexists(parent):
        makedirs(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _close_to_others(path: str) -> None:
    """Only what is empty: a mistyped stateDir must not lock all the others out of /etc or /var/lib."""
    try:
        if os.listdir(path):
            raise InputOutput(
                f"use directory {path}: it is open to others and not empty",
                "chmod 700 it if it is meant for state",
            )
        os.chmod(path, 0o700)
    except OSError as error:
        raise InputOutput(f"use directory {path}: {error.strerror}") from error


class NoFile(InputOutput):
    """A directory, a FIFO, a symlink: nothing that we wrote."""


def read(path: str) -> str | None:
    """The text of a state file; None if there is none. Bytes that are no UTF-8 come back as they are, to be judged.

    NoFile for what is above LIMIT: it may be a file of the kernel's, or anybody's where a conf names it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NoFile(f"read {path}: a symlink is not followed") from error
        raise InputOutput(f"read {path}: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise NoFile(f"read {path}: it is no regular file")
        chunks, size = [], 0
        while chunk := os.read(fd, 1 << 16):
            chunks.append(chunk)
            size += len(chunk)
            if size > LIMIT:
                raise NoFile(f"read {path}: it is larger than {LIMIT} bytes")
        return b"".join(chunks).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputOutput(f"read {path}: {error.strerror}") from error
    finally:
        os.close(fd)


def exists(path: str) -> bool:
    """Whether anything is there, be it a symlink to nothing; InputOutput where that cannot be seen."""
    try:
        os.lstat(path)
    except OSError as error:
        if is_gone(error):
            return False
        raise InputOutput(f"look at {path}: {error.strerror}") from error
    return True


def replace(path: str, text: str) -> None:
    """Put `text` at `path` so that a reader sees the old or the new file, never a part of one.

    The temporary name follows from the final one: its writer holds the lock that guards `path`.
    """
    temporary = beside(path, "tmp")
    try:
        create(temporary, text.encode("utf-8", "surrogateescape"))
        os.rename(temporary, path)
    except OSError as error:
        remove(temporary)
        raise InputOutput(f"write {path}: {error.strerror}") from error


def create(path: str, content: bytes, mode: int = 0o600, durable: bool = False) -> None:
    """A new file; one that a killed writer left there goes, since the caller holds the lock. OSError as the kernel says."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        os.unlink(path)
        fd = os.open(path, flags, 0o600)
    try:
        while content:  # a nearly full disk takes a part, then says ENOSPC
            content = content[os.write(fd, content) :]
        if mode != 0o600:
            os.fchmod(fd, mode)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def as_name(path: str) -> str:
    """A path as the name of one file, for directories of links to what is in use."""
    return path.replace("%", "%25").replace("/", "%2F")


def from_name(name: str) -> str:
    """The path that `as_name` made the name of."""
    return name.replace("%2F", "/").replace("%25", "%")


def beside(path: str, what: str) -> str:
    """The name of its temporary or set-aside file. No container ID and no PCI address begins with a dot, whereas an
    interface may be called net1.tmp.
    """
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{what}-{name}"


def forget(path: str) -> None:
    """Unlink it, and what a killed writer left of it."""
    remove(beside(path, "tmp"))
    remove(path)


def remove(path: str) -> None:
    """Unlink; nothing there is success."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputOutput(f"remove {path}: {error.strerror}") from error


def names(directory: str) -> list[str]:
    """The files of a state directory, sorted; [] if it is not there. Leaves out temporary and set-aside ones."""
    try:
        return sorted(n for n in os.listdir(directory) if not n.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputOutput(f"list {directory}: {error.strerror}") from error


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

    def try_acquire(self) -> bool:
        try:
            self.acquire(0)
        except TryAgain:
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


def _flock(fd: int, deadline_s: float) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
