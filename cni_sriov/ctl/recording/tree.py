"""What a recording has of a node's files, in memory, and how it answers a look. Nothing of it is ever on a disk, and no link
in it is followed by anybody but this room: a recording comes from others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from errno import EINVAL, EISDIR, ELOOP, ENODATA, ENOENT, ENOTDIR
from os import strerror
from posixpath import dirname

Container = dict[str, bytes] | dict[str, str] | dict[str, list[str]] | dict[str, int] | set[str]
_MOST_LINKS = 40  # as the kernel: MAXSYMLINKS, linux/namei.h


class NotRecorded(OSError):
    """It may have been there or not: nobody looked. ENODATA, which nobody takes for absence (words/gone.py)."""

    def __init__(self, path: str) -> None:
        super().__init__(ENODATA, "it is not in the recording", path)


@dataclass(slots=True)
class Tree:
    """Paths are the node's: absolute, normal, and without links on the way. A directory of `lists` is known whole: what it
    does not name was not there. `there` was there, and no more is known of it. `failed`: the path could not be
    looked at, or leads nowhere (ENOENT); `unread`: it is there, and could not be read or listed, each by errno. `same`:
    another name of a file, `ages`: how many seconds ago it was written; of state files only.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    failed: dict[str, int] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    ages: dict[str, float] = field(default_factory=dict)
    _above: set[str] | None = None

    # -- looks: OSError as the node's own ---------------------------------------------------------------------------------

    def content(self, path: str) -> bytes:
        real = self.real(path)
        if real in self.files:
            return self.files[real]
        self._raise_unread(real, path, ENOTDIR)
        if self._is_directory(real):
            raise _error(EISDIR, path)
        raise NotRecorded(path)

    def names(self, path: str) -> list[str]:
        real = self.real(path)
        if real in self.lists:
            return list(self.lists[real])
        self._raise_unread(real, path, EISDIR)
        if real in self.files:
            raise _error(ENOTDIR, path)
        raise NotRecorded(path)

    def target(self, path: str) -> str:
        """EINVAL for what is no link."""
        real = self.real(path, last=False)
        if real in self.links:
            return self.links[real]
        if real in self.files or self._is_directory(real):
            raise _error(EINVAL, path)
        raise NotRecorded(path)

    def real(self, path: str, last: bool = True) -> str:
        """Where it leads; `last`: also where its last part is a link. ENOENT if it is not there."""
        todo, at, followed = _parts(path), "", 0
        while todo:
            part = todo.pop(0)
            if part == "..":
                at = dirname(at).rstrip("/")
                continue
            at = self._step(at, part, path)
            if at in self.links and (todo or last):
                followed += 1
                if followed > _MOST_LINKS:
                    raise _error(ELOOP, path)
                target = self.links[at]
                if is_magic(target):
                    if todo:
                        raise NotRecorded(path)
                    return at
                todo = _parts(target) + todo
                at = "" if target.startswith("/") else dirname(at).rstrip("/")
        return at or "/"

    def _step(self, at: str, part: str, path: str) -> str:
        """One part further down."""
        below = f"{at}/{part}"
        if below in self.failed:
            raise _error(self.failed[below], path)
        if at in self.files:
            raise _error(ENOTDIR, path)
        if self.has_seen(below) or self._is_directory(below):
            return below
        if at in self.lists:
            if part not in self.lists[at]:
                raise _error(ENOENT, path)
            return below  # it was there, and is all that is known of it
        raise NotRecorded(path)

    def _raise_unread(self, real: str, path: str, other: int) -> None:
        """`other`: what a look of another kind at it says."""
        if self.unread.get(real, other) != other:
            raise _error(self.unread[real], path)

    def _is_directory(self, real: str) -> bool:
        return real in self.lists or real in self._directories()

    def _directories(self) -> set[str]:
        """Those above what was recorded: they were there, and nobody asked what else is in them."""
        if self._above is None:
            self._above = {"/"}
            for path in self.paths():
                above = dirname(path)
                while above not in self._above:
                    self._above.add(above)
                    above = dirname(above)
        return self._above

    # -- all of it --------------------------------------------------------------------------------------------------------

    def has_seen(self, path: str) -> bool:
        return any(path in part for part in self._parts())

    def paths(self) -> set[str]:
        return set().union(*self._parts())

    def below(self, directory: str) -> list[str]:
        """Every path in it, sorted, that itself among them."""
        inside = directory.rstrip("/") + "/"
        return sorted(path for path in self.paths() if path == directory or path.startswith(inside))

    def _parts(self) -> tuple[Container, ...]:
        return self.files, self.links, self.lists, self.there, self.failed, self.unread, self.same


def is_magic(target: str) -> bool:
    """What /proc says of a namespace, a socket, a file without a name: it leads there all the same."""
    return re.match(r"[a-z_]+:", target) is not None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _error(number: int, path: str) -> OSError:
    return OSError(number, strerror(number), path)
