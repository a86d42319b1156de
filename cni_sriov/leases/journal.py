"""The node's lock, and in its page the journal: which change of leases is in the making.

It names what is being changed before anything is. A process that dies leaves that behind, and whoever gets the lock
next finishes it (transaction.py).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Self

from ..state import files
from ..words.errors import InputOutput, TryAgain
from ..words.lease import LeaseDir

_PAGE = 4096
_HOLDER = 512
_LENGTH = 4


@dataclass(slots=True)
class Change:
    """Which owner and sticky key of which directory, and all lease names that the change touches."""

    where: LeaseDir
    owner: str
    key: str
    names: list[str]


class Journal:
    """One page: who holds the lock, and the change in the making. The kernel drops the lock when its holder dies.

    A change is a length, 0 = none, in front of its text; the text is written before the length. It was 60 us of every
    reserve and release while it was a file of its own, and the page is there when the disk is full.
    """

    __slots__ = ("fd", "path", "pending", "verb")

    def __init__(self, path: str, verb: str) -> None:
        self.path = path
        self.verb = verb
        self.fd = -1
        self.pending: Change | None = None

    def acquire(self, deadline_s: float = files.LOCK_DEADLINE_S) -> None:
        """Wait for the lock; TryAgain (11) names the holder when the deadline passes."""
        while True:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                files._flock(self.fd, deadline_s)  # noqa: SLF001 # the waiting is one thing, the file another
            except TimeoutError as error:
                holder = os.pread(self.fd, _HOLDER, 0).decode("utf-8", "replace").strip("\0 \n")
                self.release()
                raise TryAgain(
                    f"lock {self.path}: held for more than {deadline_s:g} s by {holder or 'an unknown process'}"
                ) from error
            found = os.fstat(self.fd)
            if not stat.S_ISREG(found.st_mode):  # a FIFO can be locked but has no page
                self.release()
                raise InputOutput(f"lock {self.path}: it is no regular file", "remove it")
            if found.st_nlink:  # else somebody removed /run/cni-sriov while we waited
                break
            self.release()
        self._sign()

    def _sign(self) -> None:
        page = os.pread(self.fd, _PAGE, 0)
        ours = f"pid {os.getpid()} ({self.verb})\n".encode()[:_HOLDER].ljust(_HOLDER)
        if len(page) < _PAGE:  # a new one, which takes its room on the disk now
            page = page.ljust(_PAGE, b"\0")
            ours += page[_HOLDER:]
        os.pwrite(self.fd, ours, 0)
        self.pending = _parse(page)

    def release(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def begin(self, change: Change) -> None:
        """Before the first change to this owner, this sticky key, and these leases."""
        where = change.where
        fields = (where.data_dir, where.scope, change.owner, change.key, " ".join(change.names))
        text = "\n".join(fields).encode("utf-8", "surrogateescape")
        if len(text) > _PAGE - _HOLDER - _LENGTH:
            raise InputOutput(f"change {len(change.names)} leases of {change.owner}: too many for one step")
        os.pwrite(self.fd, text, _HOLDER + _LENGTH)
        os.pwrite(self.fd, len(text).to_bytes(_LENGTH, "little"), _HOLDER)

    def end(self) -> None:
        os.pwrite(self.fd, bytes(_LENGTH), _HOLDER)
        self.pending = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _parse(page: bytes) -> Change | None:
    """None also for what we never wrote: then the index may be behind, and the files are right."""
    length = int.from_bytes(page[_HOLDER : _HOLDER + _LENGTH], "little")
    if not length:
        return None
    text = page[_HOLDER + _LENGTH :][:length].decode("utf-8", "surrogateescape")
    fields = text.split("\n")
    if len(fields) != 5 or not all(field.isprintable() for field in fields):
        return None
    data_dir, scope, owner, key, names = fields
    if not data_dir.startswith("/") or "/" in scope + owner + key + names:
        return None  # they become parts of paths
    return Change(LeaseDir(data_dir, scope), owner, key, names.split(" ") if names else [])
