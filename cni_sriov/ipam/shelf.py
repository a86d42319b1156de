"""The lease files of one scope in one data directory. The truth about leases is here and nowhere else.

    <dataDir>/<scope>/<boot id>/leases/10.10.1.0_24     who holds the subnet (JSON)
    <dataDir>/<scope>/<boot id>/owners/<cid>@<ifname>   symlink: the names of its leases
    <dataDir>/<scope>/sticky/leases/10.10.1.0_24        kept for a pod, attached or not (JSON, fsynced)
    <dataDir>/<scope>/sticky/keys/<network>@<ns>@<pod>@<ifname>   symlink: the names kept for it

So a reboot frees all but the sticky ones at once. Every call is by directory fd; no symlink is followed. Owner before
lease on the way in, lease before owner on the way out: every lease file has an owner, whenever the process dies.
"""

from __future__ import annotations

import os
import time

from .. import jsontext
from ..domain import Attachment, Lease, Noun
from ..errors import CniError, InputOutput
from ..inet import Prefix, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..log import Log

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 1 << 16
_TEMPORARY = ".tmp"
_SET_ASIDE = ".damaged-"
_DROPPED = ".dropped-"
_STICKY = "sticky"


class Holding(Noun):
    """A lease and who holds it. `attachment` None = a sticky lease that waits for its pod.

    `netns_id` is the netns as (st_dev, st_ino); valid in the boot `boot_id` only.
    """

    __slots__ = ("attachment", "boot_id", "created", "lease", "netns", "netns_id", "network")

    def __init__(
        self,
        lease: Lease,
        attachment: Attachment | None,
        network: str,
        netns: str,
        netns_id: list[int],
        boot_id: str,
        created: int = 0,
    ) -> None:
        self.lease = lease
        self.attachment = attachment
        self.network = network
        self.netns = netns
        self.netns_id = netns_id
        self.boot_id = boot_id
        self.created = created or int(time.time())

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Holding:
        who = raw["attachment"]
        attachment = None if who is None else Attachment(who["container_id"], who["ifname"])
        rest = (raw[name] for name in ("network", "netns", "netns_id", "boot_id", "created"))
        return cls(Lease.from_json(raw["lease"]), attachment, *rest)


class DamagedLease(Exception):
    """A lease file that is not what was written."""


def name_of(prefix: Prefix | str) -> str:
    return str(prefix).replace("/", "_")


def prefix_of(name: str) -> Prefix | None:
    """None if no lease can have that file name."""
    try:
        prefix = parse_prefix(name.replace("_", "/"))
    except ValueError:
        return None
    return prefix if name_of(prefix) == name else None


class Shelf:
    __slots__ = ("_fds", "boot_id", "data_dir", "log", "path", "scope")

    def __init__(self, data_dir: str, scope: str, boot_id: str, log: Log) -> None:
        self.data_dir = data_dir
        self.scope = scope
        self.path = f"{data_dir}/{scope}"
        self.boot_id = boot_id
        self.log = log
        self._fds: dict[str, int] = {}

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def exists(self) -> bool:
        """Whether this boot has used the shelf."""
        return self._fd("leases") is not None and self._fd("owners") is not None

    def create(self) -> None:
        os.makedirs(self.data_dir, 0o700, exist_ok=True)
        for kind in ("leases", "owners"):
            self._fd(kind, create=True)

    def _fd(self, kind: str, create: bool = False) -> int | None:
        """The directory <boot id>/leases, <boot id>/owners, sticky/leases or sticky/keys; None if it is not there."""
        if kind in self._fds:
            return self._fds[kind]
        shelf, _, last = kind.rpartition("/")
        fd: int | None = None
        for name in (self.data_dir, self.scope, shelf or self.boot_id, last):
            above, fd = fd, None
            try:
                fd = _enter(name, above, create and name != self.data_dir, f"{self.path} ({name})")
            finally:
                if above is not None:
                    os.close(above)
            if fd is None:
                return None
        assert fd is not None
        self._fds[kind] = fd
        return fd

    # leases --------------------------------------------------------------------------------------

    def add_lease(self, holding: Holding) -> None:
        """FileExistsError if somebody has it."""
        _put(self._need("leases"), name_of(holding.lease.subnet), holding, durable=False)

    def lease(self, name: str) -> Holding | None:
        """DamagedLease if its file is not what we wrote."""
        return _get(self._fd("leases"), name)

    def drop_lease(self, name: str) -> None:
        _unlink(self._fd("leases"), name)

    def set_aside(self, name: str, why: Exception) -> None:
        """A damaged lease file is named and kept for the operator."""
        kept = f"{_SET_ASIDE}{name}"
        self.log.error(
            "damaged lease file set aside", file=f"{self.path}/*/leases/{name}", kept_as=kept, reason=why
        )
        fd = self._need("leases")
        try:
            os.rename(name, kept, src_dir_fd=fd, dst_dir_fd=fd)
        except FileNotFoundError:
            pass

    def is_claimed(self, name: str) -> bool:
        """By an attachment, or kept for one."""
        return _exists(self._fd("leases"), name) or _exists(self._fd("sticky/leases"), name)

    def holdings(self) -> Iterator[Holding]:
        """All leases of this boot; a damaged one is set aside and keeps its prefix until its owner is released."""
        for name in _names(self._fd("leases")):
            try:
                holding = self.lease(name)
            except DamagedLease as error:
                self.set_aside(name, error)
                continue
            if holding is not None:
                yield holding

    def claims(self) -> Iterator[Prefix]:
        """The prefixes of all leases of this boot, by file name alone."""
        names = _names(self._fd("leases"), hidden=True)
        aside = {name[len(_SET_ASIDE) :] for name in names if name.startswith(_SET_ASIDE)}
        if aside:
            aside &= {lease for owner in self.owners() for lease in self.owner(owner) or []}
        for name in [*(name for name in names if not name.startswith(".")), *sorted(aside)]:
            prefix = prefix_of(name)
            if prefix is None:
                self.log.error(
                    "file with a foreign name among the leases", file=f"{self.path}/*/leases/{name}"
                )
            else:
                yield prefix

    # owners --------------------------------------------------------------------------------------

    def owner(self, name: str) -> list[str] | None:
        """The lease names of an attachment; None if it has none."""
        return _read_names(self._fd("owners"), name)

    def owners(self) -> list[str]:
        return _names(self._fd("owners"))

    def add_owner(self, name: str, leases: list[str]) -> None:
        os.symlink(" ".join(leases), name, dir_fd=self._need("owners"))

    def drop_owner(self, name: str) -> None:
        _unlink(self._fd("owners"), name)

    # sticky --------------------------------------------------------------------------------------

    def keep(self, holding: Holding) -> bool:
        """Keep the lease for its pod over power loss; False if it is so already."""
        try:
            _put(self._need("sticky/leases"), name_of(holding.lease.subnet), holding, durable=True)
        except FileExistsError:
            return False
        return True

    def kept(self, name: str) -> Holding | None:
        """DamagedLease if its file is not what we wrote."""
        return _get(self._fd("sticky/leases"), name)

    def unkeep(self, name: str) -> None:
        _unlink(self._fd("sticky/leases"), name)

    def touch_kept(self, name: str) -> None:
        """Its age begins anew: the oldest are reclaimed first."""
        fd = self._fd("sticky/leases")
        if fd is not None and _exists(fd, name):
            os.utime(name, dir_fd=fd, follow_symlinks=False)

    def kept_names(self) -> list[str]:
        return [name for name in _names(self._fd("sticky/leases")) if prefix_of(name)]

    def kept_age(self, name: str) -> int:
        return os.stat(name, dir_fd=self._need("sticky/leases"), follow_symlinks=False).st_mtime_ns

    def key(self, sticky: str) -> list[str] | None:
        return _read_names(self._fd("sticky/keys"), _key_name(sticky))

    def set_key(self, sticky: str, leases: list[str]) -> None:
        fd, name = self._need("sticky/keys"), _key_name(sticky)
        _unlink(fd, _TEMPORARY)
        os.symlink(" ".join(leases), _TEMPORARY, dir_fd=fd)
        os.rename(_TEMPORARY, name, src_dir_fd=fd, dst_dir_fd=fd)
        os.fsync(fd)

    def drop_key(self, sticky: str) -> None:
        _unlink(self._fd("sticky/keys"), _key_name(sticky))

    def _need(self, kind: str) -> int:
        fd = self._fd(kind, create=True)
        assert fd is not None
        return fd

    # earlier boots -------------------------------------------------------------------------------

    def drop_earlier_boots(self) -> list[str]:
        """Another boot id is proof of death: rename such shelves out of the way; the answer is what to `sweep`."""
        dropped = []
        for name in os.listdir(self.path):
            if name.startswith(_DROPPED):
                dropped.append(name)
            elif name not in (self.boot_id, _STICKY) and os.path.isdir(f"{self.path}/{name}/leases"):
                count = len(os.listdir(f"{self.path}/{name}/leases"))
                self.log.info("leases of an earlier boot dropped", scope=self.path, boot=name, leases=count)
                os.rename(f"{self.path}/{name}", f"{self.path}/{_DROPPED}{name}")
                dropped.append(f"{_DROPPED}{name}")
        return dropped

    def sweep(self, dropped: list[str]) -> None:
        """Remove the files of dropped shelves; without the lock, since nobody looks at them any more."""
        for name in dropped:
            for top, directories, files in os.walk(f"{self.path}/{name}", topdown=False):
                try:
                    for file in files:
                        os.unlink(f"{top}/{file}")
                    for directory in directories:
                        os.rmdir(f"{top}/{directory}")
                    os.rmdir(top)
                except OSError as error:  # another process sweeps too
                    self.log.debug("sweep", path=top, reason=error.strerror)


# files by directory fd ---------------------------------------------------------------------------


def _enter(name: str, above: int | None, create: bool, where: str) -> int | None:
    if create:
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            pass
    try:
        fd = os.open(name, _DIRECTORY, dir_fd=above)
    except FileNotFoundError:
        return None
    found = os.fstat(fd)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        os.close(fd)
        raise InputOutput(f"use directory {where}: others can write to it", "chown root, chmod 0700")
    return fd


def _exists(fd: int | None, name: str) -> bool:
    if fd is None:
        return False
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _unlink(fd: int | None, name: str) -> None:
    if fd is not None:
        try:
            os.unlink(name, dir_fd=fd)
        except OSError:
            if _exists(fd, name):  # a read-only disk says EROFS also where there is nothing
                raise


def _names(fd: int | None, hidden: bool = False) -> list[str]:
    names = [] if fd is None else sorted(os.listdir(fd))
    return names if hidden else [name for name in names if not name.startswith(".")]


def _read_names(fd: int | None, name: str) -> list[str] | None:
    """The prefix names that a symlink's text lists; what is none is left out."""
    if fd is None:
        return None
    try:
        text = os.readlink(name, dir_fd=fd)
    except FileNotFoundError:
        return None
    return [word for word in text.split(" ") if prefix_of(word)]


def _get(fd: int | None, name: str) -> Holding | None:
    if fd is None:
        return None
    try:
        file = os.open(name, _READ, dir_fd=fd)
        try:
            text = os.read(file, _LARGEST)
        finally:
            os.close(file)
        holding = Holding.from_json(jsontext.parse_object(text.decode()))
    except FileNotFoundError:
        return None
    except (CniError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedLease(str(error) or type(error).__name__) from error
    if name_of(holding.lease.subnet) != name:
        raise DamagedLease(f"it speaks of {holding.lease.subnet}")
    return holding


def _put(fd: int, name: str, holding: Holding, durable: bool) -> None:
    """tmp + link: the name is there with its whole content or not at all, and never replaces another's."""
    _unlink(fd, _TEMPORARY)  # left by a killed writer; we hold the lock
    file = os.open(_TEMPORARY, _CREATE, 0o600, dir_fd=fd)
    try:
        try:
            rest = jsontext.render(holding.to_json()).encode()
            while rest:  # a nearly full disk takes a part, then says ENOSPC
                rest = rest[os.write(file, rest) :]
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        os.link(_TEMPORARY, name, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)
    finally:
        os.unlink(_TEMPORARY, dir_fd=fd)
    if durable:
        os.fsync(fd)


def _key_name(sticky: str) -> str:
    """A file name for network/namespace/pod/ifname; what is too long ends in a hash of the whole (FNV-1a, 64 bits).

    The lease file holds the whole key, so two keys of one hash cannot take each other's lease.
    """
    name = sticky.replace("/", "@")
    if len(name.encode()) <= 255:
        return name
    number = 0xCBF29CE484222325
    for byte in sticky.encode():
        number = (number ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{name[:200]}~{number:016x}"
