"""The lease files of one scope in one data directory. The truth about leases is here and nowhere else.

    <dataDir>/<scope>/<boot id>/owners/<cid>@<ifname>   who holds which leases (JSON), and the same file again as
    <dataDir>/<scope>/<boot id>/leases/10.10.1.0_24     hard links, one for each lease
    <dataDir>/<scope>/sticky/{owners,leases}/...        the same, for what is kept for a pod: fsynced, owner = its key

So a reboot frees all but the sticky ones at once. One inode per attachment: it costs one file creation, the file
appears whole (rename), a second taker of a subnet gets EEXIST from link(), and whether a lease is the owner's is a
question of the inode number. Owner before leases on the way in, leases before owner on the way out: every lease has
its owner, whenever the process dies. Directories must be real ones that nobody but root (or we) can write to, looked
at once per transaction: then nobody else can put a symlink into them, and paths are as good as directory fds.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator

from ..state import files
from ..words.errors import InputOutput, Unreadable
from ..words.lease import LeaseDir
from ..words.stored import parsed
from .holding import Holding

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LARGEST = 1 << 16
_BOOT_ID_LENGTH = 36  # a UUID: /proc/sys/kernel/random/boot_id
_DROPPED = ".dropped-"
STICKY = "sticky"


def boots(where: LeaseDir) -> list[str]:
    """The boots it has leases of. By their look, so that a dataDir that points somewhere else costs nothing there."""
    if not (_is_safe(where.data_dir) and _is_safe(where.path)):
        return []
    return [
        name for name in _list(where.path) if len(name) == _BOOT_ID_LENGTH and Directory(where, name).exists
    ]


def drop(where: LeaseDir, boot: str) -> int:
    """Put all leases of a boot out of use; the answer is how many there were."""
    count = len(Directory(where, boot).names())
    os.rename(f"{where.path}/{boot}", f"{where.path}/{_DROPPED}{boot}")
    return count


def sweep(where: LeaseDir) -> None:
    """Remove what was dropped; needs no lock, since nobody looks at it any more."""
    for name in os.listdir(where.path):
        if name.startswith(_DROPPED):
            for top, below, found in os.walk(f"{where.path}/{name}", topdown=False):
                links = [entry for entry in below if os.path.islink(f"{top}/{entry}")]  # to directories
                _sweep(top, found + links)


class Directory:
    """Owners and leases of one boot, or STICKY: what must outlive power loss."""

    __slots__ = ("_where", "exists", "leases", "name", "owners", "path")

    def __init__(self, where: LeaseDir, name: str, strict: bool = True) -> None:
        """InputOutput if it is not what it should be; a missing one is empty. Not strict: to list."""
        self._where = where
        self.name = name
        self.path = f"{where.path}/{name}"
        self.owners = f"{self.path}/owners"
        self.leases = f"{self.path}/leases"
        self.exists = self._is_there() if strict else os.path.isdir(self.leases)

    def _is_there(self) -> bool:
        """`leases` is made last; killed in between, a directory is not there yet."""
        return _is_safe(self.leases) and _is_safe(self._where.path) and _is_safe(self._where.data_dir)

    def create(self) -> None:
        if not self.exists:
            files.makedirs(self._where.data_dir, 0o700)
            for path in (self._where.data_dir, self._where.path, self.path, self.owners, self.leases):
                if not _is_safe(path):
                    os.mkdir(path, 0o700)
            self.exists = True

    # look ----------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether somebody has the lease of that name."""
        return self.exists and _inode(f"{self.leases}/{name}") != 0

    def has_owner(self, owner: str) -> bool:
        return self.exists and _inode(f"{self.owners}/{owner}") != 0

    def holder(self, name: str) -> Holding | None:
        """Who has that lease; Unreadable if its file is not what we wrote."""
        return _read(f"{self.leases}/{name}") if self.exists else None

    def holding(self, owner: str) -> Holding | None:
        """What the owner has; Unreadable if its file is not what we wrote, or is another owner's."""
        found = _read(f"{self.owners}/{owner}") if self.exists else None
        if found is not None and found.attachment is not None and found.attachment.filename != owner:
            raise Unreadable.of(f"{self.owners}/{owner}", f"it is of {found.attachment}")
        return found

    def is_whole(self, owner: str, holding: Holding) -> bool:
        """Whether every lease of the holding is there and the owner's."""
        inode = _inode(f"{self.owners}/{owner}")
        return all(self._is_own(owner, inode, name) for name in holding.names)

    def _is_own(self, owner: str, inode: int, name: str) -> bool:
        """One inode; or one text: the directory was restored from a backup that knows no hard links."""
        if inode and _inode(f"{self.leases}/{name}") == inode:
            return True
        try:
            holding, other = self.holding(owner), self.holder(name)
        except Unreadable:
            return False
        return holding is not None and holding == other

    def names(self) -> list[str]:
        """Of all leases."""
        return _list(self.leases) if self.exists else []

    def owner_names(self) -> list[str]:
        return _list(self.owners) if self.exists else []

    def holdings(self) -> Iterator[tuple[str, Holding | Unreadable]]:
        """(owner, what it has) for all owners."""
        for owner in self.owner_names():
            try:
                holding = self.holding(owner)
            except Unreadable as error:
                yield owner, error
                continue
            if holding is not None:
                yield owner, holding

    def names_of_damaged(self, owner: str) -> list[str]:
        """Its leases by inode; where the owner's file was replaced, by what the leases say."""
        inode = _inode(f"{self.owners}/{owner}")
        names = [name for name in self.names() if _inode(f"{self.leases}/{name}") == inode]
        return names or [name for name in self.names() if self._says(name, owner)]

    def _says(self, name: str, owner: str) -> bool:
        try:
            holding = self.holder(name)
        except Unreadable:
            return False
        return holding is not None and holding.attachment is not None and holding.attachment.filename == owner

    def owner_of(self, name: str) -> str:
        """By inode; "" if no owner has it."""
        inode = _inode(f"{self.leases}/{name}")
        return next((owner for owner in _list(self.owners) if _inode(f"{self.owners}/{owner}") == inode), "")

    def used_at(self, name: str) -> int:
        """When the lease was made or its owner `touch`ed."""
        return os.lstat(f"{self.leases}/{name}").st_mtime_ns

    def is_over(self, kept: Holding) -> bool:
        """Whether what is kept for a pod has waited for it as long as it shall. Where that cannot be told it has not."""
        try:
            return 0 < kept.lifetime < (time.time_ns() - self.used_at(kept.names[0])) / 1e9
        except FileNotFoundError:
            return False

    # change; under the node's lock ---------------------------------------------------------------

    def add(self, owner: str, holding: Holding) -> None:
        """FileExistsError if somebody has one of the leases; then the caller drops the owner."""
        self.create()
        path, temporary = f"{self.owners}/{owner}", f"{self.owners}/.tmp"
        try:
            files.create(temporary, holding.render(), durable=self.name == STICKY)
            os.rename(temporary, path)
        except OSError:
            _unlink(temporary)
            raise
        for name in holding.names:
            os.link(path, f"{self.leases}/{name}")
        if self.name == STICKY:
            files.sync(self.owners)
            files.sync(self.leases)

    def drop(self, owner: str, names: list[str]) -> set[str]:
        """Remove the owner and those of the named leases that are its own. The answer: the names that nobody has now."""
        gone: set[str] = set()
        if self.exists:
            inode = _inode(f"{self.owners}/{owner}")
            for name in names:
                if self._is_own(owner, inode, name) or self._is_nobodys(name):
                    _take_away(f"{self.leases}/{name}")
                    gone.add(name)
            _unlink(f"{self.owners}/{owner}")
        return gone

    def _is_nobodys(self, name: str) -> bool:
        """No file of ours, or half of one, and no owner's by its inode: of who says that it is his there is a good copy."""
        try:
            self.holder(name)
        except Unreadable as error:
            return not error.passing and not self.owner_of(name)
        return False

    def forget(self, owner: str, names: list[str]) -> None:
        """What cannot be read, given up by the operator."""
        for path in (
            *(f"{self.leases}/{name}" for name in names),
            *([f"{self.owners}/{owner}"] if owner else []),
        ):
            _take_away(path)

    def touch(self, owner: str) -> None:
        if self.exists and _inode(f"{self.owners}/{owner}"):
            os.utime(f"{self.owners}/{owner}", follow_symlinks=False)


# files -------------------------------------------------------------------------------------------


def _is_safe(path: str) -> bool:
    """False if it is not there; InputOutput if it is no directory of ours alone."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise InputOutput(f"use directory {path}: it is not a directory (a symlink is not followed)")
    if found.st_uid not in {0, os.geteuid()} or found.st_mode & 0o022:
        raise InputOutput(f"use directory {path}: others can write to it", "chown root, chmod 0700")
    return True


def _inode(path: str) -> int:
    """0 if it is not there."""
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return 0


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        if _inode(path):  # a read-only disk says EROFS also where there is nothing
            raise


def _take_away(path: str) -> None:
    """Whatever stands there; OSError for a directory with something in it."""
    try:
        _unlink(path)
    except IsADirectoryError:
        os.rmdir(path)


def _list(path: str) -> list[str]:
    return sorted(name for name in os.listdir(path) if not name.startswith("."))


def _read(path: str) -> Holding | None:
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        text = os.read(fd, _LARGEST)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(fd)
    return parsed(path, text.decode("utf-8", "surrogateescape"), Holding.from_json)


def _unreadable(path: str, error: OSError) -> Unreadable:
    """A symlink, a device and a directory are none of our files; all else says nothing about it."""
    is_none = error.errno in {errno.ELOOP, errno.ENXIO, errno.EISDIR}
    return (Unreadable.of if is_none else Unreadable.failed)(path, error.strerror or str(error))


def _sweep(top: str, files: list[str]) -> None:
    try:
        for file in files:
            os.unlink(f"{top}/{file}")
        os.rmdir(top)
    except OSError:
        pass  # another process sweeps too
