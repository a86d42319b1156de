"""What is node-global about subnets, in RUN_DIR/subnets: the lock, the pending change, which data directories are in
use, the overlap indexes and the next-fit cursors. All of it may be lost at a reboot, and is.

Links that hold a text (dirs/*) are symlinks: created atomically with their content, only ever read by readlink. A
cursor is a hint: a padded pwrite, and what cannot be read counts as none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Self

from ..state import files
from ..words.errors import InputOutput, TryAgain
from .index import Index, open_index

_PAGE = 4096
_HOLDER = 512
_LENGTH = 4
_CURSOR_WIDTH = 40  # 2^128 has 39 digits
_VERSIONS = (4, 6)


class Pending:
    """The change a process was making: which owner and sticky key of which shelves, and all lease names it touches."""

    __slots__ = ("data_dir", "key", "names", "owner", "scope")

    def __init__(self, data_dir: str, scope: str, owner: str, key: str, names: list[str]) -> None:
        self.data_dir = data_dir
        self.scope = scope
        self.owner = owner
        self.key = key
        self.names = names


class NodeLock:
    """The node's lock, one page: who holds it, and the change in the making. The kernel drops it when the holder dies.

    A change is a length, 0 = none, in front of its text; the text is written before the length. It was 60 us of every
    reserve and release while it was a file of its own, and the page is there when the disk is full.
    """

    __slots__ = ("fd", "path", "pending", "verb")

    def __init__(self, path: str, verb: str) -> None:
        self.path = path
        self.verb = verb
        self.fd = -1
        self.pending: Pending | None = None

    def acquire(self, deadline_s: float = files.LOCK_DEADLINE_S) -> None:
        """Wait for it; TryAgain (11) names the holder when the deadline passes."""
        while True:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            self._check_file()
            try:
                files._flock(self.fd, deadline_s)  # noqa: SLF001 # the waiting is one thing, the file another
            except TimeoutError as error:
                holder = os.pread(self.fd, _HOLDER, 0).decode("utf-8", "replace").strip("\0 \n")
                self.release()
                raise TryAgain(
                    f"lock {self.path}: held for more than {deadline_s:g} s by {holder or 'an unknown process'}"
                ) from error
            if os.fstat(self.fd).st_nlink:  # else somebody removed /run/cni-sriov while we waited
                break
            self.release()
        page = os.pread(self.fd, _PAGE, 0).ljust(_PAGE, b"\0")
        ours = f"pid {os.getpid()} ({self.verb})\n".encode()[:_HOLDER]
        os.pwrite(self.fd, ours.ljust(_HOLDER) + page[_HOLDER:], 0)
        self.pending = _parse_pending(page)

    def _check_file(self) -> None:
        """A FIFO can be locked but has no page."""
        if os.fstat(self.fd).st_mode & 0o170000 != 0o100000:  # S_IFMT, S_IFREG: sys/stat.h
            self.release()
            raise InputOutput(f"lock {self.path}: it is no regular file", "remove it")

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def set_pending(self, change: Pending) -> None:
        fields = (change.data_dir, change.scope, change.owner, change.key, " ".join(change.names))
        text = "\n".join(fields).encode("utf-8", "surrogateescape")
        if len(text) > _PAGE - _HOLDER - _LENGTH:
            raise InputOutput(f"change {len(change.names)} leases of {change.owner}: too many for one step")
        os.pwrite(self.fd, text, _HOLDER + _LENGTH)
        os.pwrite(self.fd, len(text).to_bytes(_LENGTH, "little"), _HOLDER)

    def clear_pending(self) -> None:
        os.pwrite(self.fd, bytes(_LENGTH), _HOLDER)
        self.pending = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _parse_pending(page: bytes) -> Pending | None:
    """None also for what we never wrote: then the index may be behind, and the files are right."""
    length = int.from_bytes(page[_HOLDER : _HOLDER + _LENGTH], "little")
    text = page[_HOLDER + _LENGTH :][:length].decode("utf-8", "surrogateescape")
    fields = text.split("\n")
    if len(fields) != 5 or not all(field.isprintable() for field in fields):
        return None
    data_dir, scope, owner, key, names = fields
    if not data_dir.startswith("/") or "/" in scope + owner + key + names:
        return None  # they become parts of paths
    return Pending(data_dir, scope, owner, key, names.split(" ") if names else [])


class Node:
    """RUN_DIR/subnets. Everything but `lock`, `dirs` and `is_registered` wants the lock held."""

    __slots__ = ("boot_id", "path")

    def __init__(self, run_dir: str, boot_id: str) -> None:
        self.path = f"{run_dir}/subnets"
        self.boot_id = boot_id

    def lock(self, verb: str) -> NodeLock:
        return NodeLock(f"{self.path}/lock", verb)

    def ensure(self) -> None:
        files.ensure_directory(self.path)
        files.ensure_directory(f"{self.path}/dirs")

    # data directories in use ---------------------------------------------------------------------

    def is_registered(self, data_dir: str, scope: str) -> bool:
        return _readlink(self._dir_link(data_dir, scope)) == data_dir

    def register(self, data_dir: str, scope: str) -> None:
        """The scope's index is dropped first: whoever needs it builds it anew, from all directories then known."""
        self.drop_index(scope)
        try:
            os.symlink(data_dir, self._dir_link(data_dir, scope))
        except FileExistsError:
            pass

    def dirs(self) -> Iterator[tuple[str, str]]:
        """(data directory, scope) of all that were used in this boot."""
        try:
            names = sorted(os.listdir(f"{self.path}/dirs"))
        except FileNotFoundError:
            return
        for name in names:
            data_dir = _readlink(f"{self.path}/dirs/{name}")
            if data_dir:
                yield data_dir, name.partition("@")[0]

    def _dir_link(self, data_dir: str, scope: str) -> str:
        return f"{self.path}/dirs/{scope}@{data_dir.replace('%', '%25').replace('/', '%2F')}"

    # the index -----------------------------------------------------------------------------------

    def index(self, scope: str, version: int) -> Index:
        """The scope's index of that IP family; index.DamagedIndex if it must be built anew."""
        return open_index(self._index_path(scope, version), version, self.boot_id)

    def put_index(self, scope: str, index: Index) -> Index:
        """Replace the file by an index built in memory, and open it."""
        path = self._index_path(scope, index.version)
        temporary = f"{path}.tmp"
        files.remove(temporary)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            rest = memoryview(index.to_bytes(self.boot_id))
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)
        os.rename(temporary, path)
        return open_index(path, index.version, self.boot_id)

    def drop_index(self, scope: str) -> None:
        for version in _VERSIONS:
            files.remove(self._index_path(scope, version))

    def _index_path(self, scope: str, version: int) -> str:
        return f"{self.path}/{scope}@v{version}"

    # cursors -------------------------------------------------------------------------------------

    def open_cursor(self, scope: str, key: str) -> int:
        path = f"{self.path}/{scope}@{key}"
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def read_cursor(fd: int) -> int | None:
    try:
        return int(os.pread(fd, _CURSOR_WIDTH, 0))
    except ValueError:  # none yet, torn, or not ours
        return None


def write_cursor(fd: int, address: int) -> None:
    os.pwrite(fd, str(address).ljust(_CURSOR_WIDTH).encode(), 0)


def _readlink(path: str) -> str | None:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return None
