"""Small files that survive SIGKILL at any instruction: atomic replacement, safe directories. Locks: state/lock.py.

Directories are 0700 and files 0600; no symlink is followed. fsync only where something must outlive power loss.
"""

from __future__ import annotations

import errno
import os
import stat

from ..words.errors import InputOutput
from ..words.gone import is_gone

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


def modified(path: str) -> float | None:
    """When, in seconds since 1970; None if it is not there; InputOutput where that cannot be seen."""
    try:
        return os.lstat(path).st_mtime
    except OSError as error:
        if is_gone(error):
            return None
        raise InputOutput(f"look at {path}: {error.strerror}") from error


def replace(path: str, text: str, durable: bool = False) -> None:
    """Put `text` at `path` so that a reader sees the old or the new file, never a part of one.

    The temporary name follows from the final one: its writer holds the lock that guards `path`. `durable`: it outlives power
    loss from here on.
    """
    temporary = beside(path, "tmp")
    try:
        create(temporary, text.encode("utf-8", "surrogateescape"), durable=durable)
        os.rename(temporary, path)
        if durable:
            sync(path.rpartition("/")[0])
    except OSError as error:
        remove(temporary)
        raise InputOutput(f"write {path}: {error.strerror}") from error


def sync(directory: str) -> None:
    """What was made, renamed and removed in it outlives power loss from here on; OSError as fsync."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
