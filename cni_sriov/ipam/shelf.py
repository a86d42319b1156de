"""The lease files of one scope in one data directory. The truth about leases is here and nowhere else.

    <dataDir>/<scope>/<boot id>/owners/<cid>@<ifname>   who holds which leases (JSON), and the same file again as
    <dataDir>/<scope>/<boot id>/leases/10.10.1.0_24     hard links, one for each lease
    <dataDir>/<scope>/sticky/{owners,leases}/...        the same, for what is kept for a pod: fsynced, owner = its key

So a reboot frees all but the sticky ones at once. One inode per attachment: it costs one file creation, the file
appears whole (rename), a second taker of a subnet gets EEXIST from link(), and whether a lease is the owner's is a
question of the inode number. Owner before leases on the way in, leases before owner on the way out: every lease has
its owner, whenever the process dies. Every call is by directory fd; no symlink is followed.
"""

from __future__ import annotations

import os

from ..errors import InputOutput
from .holding import DamagedLease, Holding, parse_holding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 1 << 16
_TEMPORARY = ".tmp"
_SET_ASIDE = ".damaged-"
_DROPPED = ".dropped-"
STICKY = "sticky"


class ScopeDirectory:
    """<dataDir>/<scope>, opened when it is first needed."""

    __slots__ = ("_fd", "data_dir", "path", "scope")

    def __init__(self, data_dir: str, scope: str) -> None:
        self.data_dir = data_dir
        self.scope = scope
        self.path = f"{data_dir}/{scope}"
        self._fd = -1

    def fd(self, create: bool = False) -> int:
        """-1 if it is not there."""
        if self._fd < 0:
            if create:
                os.makedirs(self.data_dir, 0o700, exist_ok=True)
            above = _enter(self.data_dir, None, self.path)
            if above >= 0:
                try:
                    self._fd = _enter(self.scope, above, self.path, create)
                finally:
                    os.close(above)
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def shelves(self) -> list[str]:
        return [name for name in os.listdir(self.fd()) if not name.startswith(".")] if self.fd() >= 0 else []

    def drop(self, shelf: str) -> int:
        """Put a whole shelf out of use; the answer is how many leases it had."""
        found = Shelf(self, shelf)
        count = len(found.names())
        found.close()
        os.rename(shelf, _DROPPED + shelf, src_dir_fd=self.fd(), dst_dir_fd=self.fd())
        return count

    def sweep(self) -> None:
        """Remove the files of dropped shelves; needs no lock, since nobody looks at them any more."""
        for name in os.listdir(self.path):
            for top, directories, files in os.walk(f"{self.path}/{name}", topdown=False):
                if not name.startswith(_DROPPED):
                    break
                try:
                    for file in files:
                        os.unlink(f"{top}/{file}")
                    for directory in directories:
                        os.rmdir(f"{top}/{directory}")
                    os.rmdir(top)
                except OSError:
                    pass  # another process sweeps too


class Shelf:
    """A pair of directories, owners and leases; `durable` = it must outlive power loss."""

    __slots__ = ("_fds", "_scope", "durable", "name", "path")

    def __init__(self, scope: ScopeDirectory, name: str) -> None:
        self._scope = scope
        self.name = name
        self.path = f"{scope.path}/{name}"
        self.durable = name == STICKY
        self._fds: tuple[int, int] | None = None

    def close(self) -> None:
        for fd in self._fds or ():
            os.close(fd)
        self._fds = None

    def close_all(self) -> None:
        self.close()
        self._scope.close()

    def open(self, create: bool = False) -> tuple[int, int] | None:
        """(owners, leases), or None if they are not there."""
        if self._fds is None:
            above = self._scope.fd(create)
            shelf = _enter(self.name, above, self.path, create) if above >= 0 else -1
            if shelf < 0:
                return None
            try:
                owners = _enter("owners", shelf, self.path, create)
                leases = _enter("leases", shelf, self.path, create)
            finally:
                os.close(shelf)
            if owners >= 0 and leases >= 0:
                self._fds = owners, leases
        return self._fds

    # look ----------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether somebody has the lease of that name."""
        fds = self.open()
        return fds is not None and _inode(fds[1], name) != 0

    def holder(self, name: str) -> Holding | None:
        """Who has that lease; DamagedLease if its file is not what we wrote."""
        fds = self.open()
        return _read(fds[1], name) if fds else None

    def holding(self, owner: str) -> Holding | None:
        """What the owner has; DamagedLease if its file is not what we wrote."""
        fds = self.open()
        return _read(fds[0], owner) if fds else None

    def has_owner(self, owner: str) -> bool:
        fds = self.open()
        return fds is not None and _inode(fds[0], owner) != 0

    def is_whole(self, owner: str, holding: Holding) -> bool:
        """Whether every lease of the holding is there and the owner's."""
        fds = self.open()
        inode = _inode(fds[0], owner) if fds else 0
        return fds is not None and all(_inode(fds[1], name) == inode for name in holding.names)

    def names(self) -> list[str]:
        """Of all leases."""
        fds = self.open()
        return _list(fds[1]) if fds else []

    def owners(self) -> list[str]:
        fds = self.open()
        return _list(fds[0]) if fds else []

    def holdings(self) -> Iterator[tuple[str, Holding | DamagedLease]]:
        for owner in self.owners():
            try:
                holding = self.holding(owner)
            except DamagedLease as error:
                yield owner, error
                continue
            if holding is not None:
                yield owner, holding

    def used_at(self, name: str) -> int:
        """When the lease was made or `touch`ed."""
        fds = self.open()
        return os.stat(name, dir_fd=fds[1], follow_symlinks=False).st_mtime_ns if fds else 0

    # change; under the node's lock ---------------------------------------------------------------

    def add(self, owner: str, holding: Holding) -> None:
        """FileExistsError if somebody has one of the leases; then the caller drops the owner."""
        owners, leases = self._made()
        _write(owners, holding.render(), self.durable)
        os.rename(_TEMPORARY, owner, src_dir_fd=owners, dst_dir_fd=owners)
        for name in holding.names:
            os.link(owner, name, src_dir_fd=owners, dst_dir_fd=leases, follow_symlinks=False)
        if self.durable:
            os.fsync(owners)
            os.fsync(leases)

    def drop(self, owner: str, names: list[str]) -> None:
        """Remove the owner and those of the named leases that are its own."""
        fds = self.open()
        if fds is None:
            return
        inode = _inode(fds[0], owner)
        for name in names:
            if inode and (_inode(fds[1], name) == inode or self._is_copy(fds, owner, name)):
                _unlink(fds[1], name)
        _unlink(fds[0], owner)

    def _is_copy(self, fds: tuple[int, int], owner: str, name: str) -> bool:
        """Same text but another inode: the directory was restored from a backup that knows no hard links."""
        try:
            holding, other = _read(fds[0], owner), _read(fds[1], name)
        except DamagedLease:
            return False
        return holding is not None and holding == other

    def set_aside(self, owner: str) -> list[str]:
        """Keep a damaged owner's file for the operator and free its leases; the answer is their names."""
        owners, leases = self._made()
        inode = _inode(owners, owner)
        names = [name for name in _list(leases) if _inode(leases, name) == inode] if inode else []
        for name in names:
            _unlink(leases, name)
        os.rename(owner, _SET_ASIDE + owner[: 255 - len(_SET_ASIDE)], src_dir_fd=owners, dst_dir_fd=owners)
        return names

    def touch(self, owner: str) -> None:
        fds = self.open()
        if fds and _inode(fds[0], owner):
            os.utime(owner, dir_fd=fds[0], follow_symlinks=False)

    def _made(self) -> tuple[int, int]:
        fds = self.open(create=True)
        if fds is None:
            raise InputOutput(f"make directory {self.path}: it vanished")
        return fds


# files by directory fd ---------------------------------------------------------------------------


def _enter(name: str, above: int | None, where: str, create: bool = False) -> int:
    """A directory's fd, -1 if it is not there."""
    if create:
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            pass
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=above)
    except FileNotFoundError:
        return -1
    found = os.fstat(fd)
    if found.st_uid not in {0, os.geteuid()} or found.st_mode & 0o022:
        os.close(fd)
        raise InputOutput(f"use directory {where} ({name}): others can write to it", "chown root, chmod 0700")
    return fd


def _inode(fd: int, name: str) -> int:
    """0 if it is not there."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return 0


def _unlink(fd: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=fd)
    except OSError:
        if _inode(fd, name):  # a read-only disk says EROFS also where there is nothing
            raise


def _list(fd: int) -> list[str]:
    return sorted(name for name in os.listdir(fd) if not name.startswith("."))


def _read(fd: int, name: str) -> Holding | None:
    try:
        file = os.open(name, _READ, dir_fd=fd)
    except FileNotFoundError:
        return None
    except OSError as error:  # a symlink, a device
        raise DamagedLease(error.strerror) from error
    try:
        return parse_holding(os.read(file, _LARGEST))
    except OSError as error:
        raise DamagedLease(error.strerror) from error
    finally:
        os.close(file)


def _write(fd: int, content: bytes, durable: bool) -> None:
    try:
        file = os.open(_TEMPORARY, _CREATE, 0o600, dir_fd=fd)
    except FileExistsError:  # left by a killed writer; we hold the lock
        os.unlink(_TEMPORARY, dir_fd=fd)
        file = os.open(_TEMPORARY, _CREATE, 0o600, dir_fd=fd)
    try:
        while content:  # a nearly full disk takes a part, then says ENOSPC
            content = content[os.write(file, content) :]
        if durable:
            os.fsync(file)
    except OSError:
        os.unlink(_TEMPORARY, dir_fd=fd)
        raise
    finally:
        os.close(file)
