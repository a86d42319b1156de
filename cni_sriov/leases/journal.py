"""The node's lock, and in its page the journal: which change of leases is in the making.

It names what is being changed before anything is. A process that dies leaves that behind, and whoever gets the lock
next finishes it (transaction.py).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ..state.lock import Lock
from ..words.errors import InputOutput
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


class Journal(Lock):
    """One page: who holds the lock, and the change in the making.

    A change is a length, 0 = none, in front of its text; the text is written before the length. It was 60 us of every
    reserve and release while it was a file of its own, and the page is there when the disk is full.
    """

    __slots__ = ("is_garbled", "pending")

    def __init__(self, path: str, verb: str) -> None:
        super().__init__(path, verb)
        self.pending: Change | None = None
        self.is_garbled = False  # there is a change in it, and it is none that we know

    def _is_current(self) -> bool:
        """Not if somebody removed /run/cni-sriov while we waited. It is never unlinked by its holder, so one look will do."""
        found = os.fstat(self.fd)
        if not stat.S_ISREG(found.st_mode):  # a FIFO can be locked but has no page
            raise InputOutput(f"lock {self.path}: it is no regular file", "remove it")
        return found.st_nlink > 0

    def _sign(self, ours: bytes) -> None:
        page = os.pread(self.fd, _PAGE, 0)
        text = ours[:_HOLDER].ljust(_HOLDER)
        if len(page) < _PAGE:  # a new one, which takes its room on the disk now
            text += page.ljust(_PAGE, b"\0")[_HOLDER:]
        os.pwrite(self.fd, text, 0)
        length = int.from_bytes(page[_HOLDER : _HOLDER + _LENGTH], "little")
        self.pending = _parse(page[_HOLDER + _LENGTH :][:length]) if length else None
        self.is_garbled = length > 0 and self.pending is None

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
        self.pending, self.is_garbled = None, False


def _parse(page: bytes) -> Change | None:
    """None for what we never wrote. A later version may say more, in further lines."""
    text = page.decode("utf-8", "surrogateescape")
    fields = text.split("\n")
    if len(fields) < 5 or not all(field.isprintable() for field in fields):
        return None
    data_dir, scope, owner, key, names = fields[:5]
    if not data_dir.startswith("/") or "/" in scope + owner + key + names:
        return None  # they become parts of paths
    return Change(LeaseDir(data_dir, scope), owner, key, names.split(" ") if names else [])
