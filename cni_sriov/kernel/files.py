"""What the node's files say, for who looks and changes nothing: doctor, oracle, the tables.

One door, so that a recording (below another root) answers as the node did. Paths are the node's, absolute.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EINVAL, ENOTDIR
from functools import partial
from typing import TypeVar

from ..words.errors import InputOutput
from ..words.gone import is_gone

T = TypeVar("T")
_PIECE = 1 << 18
_MOST = 1 << 23  # bytes: modules.alias of a distribution's kernel has more than one MiB


@dataclass(slots=True)
class Files:
    """None (text, data), "" (target) or [] (names) = it is not there. InputOutput where a look fails otherwise
    (words/gone.py): what cannot be seen is not taken for absent.
    """

    root: str = ""

    def text(self, path: str) -> str | None:
        """Without white space around it; what is no UTF-8 is replaced."""
        found = self.data(path)
        return None if found is None else found.decode("utf-8", "replace").strip()

    def data(self, path: str) -> bytes | None:
        return self._look(content, path)

    def tail(self, path: str, most: int) -> bytes | None:
        """The last so many bytes: a log may be of any size, and its end is what is new."""
        return self._look(partial(_end, most=most), path)

    def names(self, path: str) -> list[str]:
        """What is in that directory, sorted."""
        return sorted(self._look(os.listdir, path) or [])

    def target(self, path: str) -> str:
        """What a symbolic link says; "" for what is none."""
        return self._look(os.readlink, path, EINVAL) or ""

    def number(self, path: str) -> int:
        """Of a character device (st_rdev), 0 for what is none."""
        found = self._look(os.stat, path)
        return found.st_rdev if found is not None and stat.S_ISCHR(found.st_mode) else 0

    def real(self, path: str) -> str:
        """Without symbolic links, as the node sees it; "" if nothing is there."""
        found = self._look(_real, path) or ""
        root = os.path.realpath(self.root) if self.root else ""
        return found.removeprefix(root) if found else ""

    def has(self, path: str) -> bool:
        return self._look(os.stat, path) is not None

    def _look(self, look: Callable[[str], T], path: str, *absent: int) -> T | None:
        try:
            return look(self.root + path)
        except OSError as error:
            if is_absent(error, path, absent):
                return None
            raise InputOutput(f"look at {path}: {error.strerror}") from error


def is_absent(error: OSError, path: str, absent: Collection[int] = ()) -> bool:
    """Whether that is as good as "nothing is there"; `absent`: what says so in that look alone.

    ENOTDIR: a file where a directory was looked for; EACCES: a process that a security module shows to nobody.
    """
    if error.errno == EACCES and path.startswith("/proc/"):
        return True
    return is_gone(error) or error.errno in {ENOTDIR, *absent}


def content(path: str) -> bytes:
    """Of a regular file, to a size that none of the node's has; OSError as it comes.

    In pieces: one read of more than 4 MiB is ENOMEM below /proc/sys (KMALLOC_MAX_SIZE in proc_sys_call_handler).
    """
    found = b""
    with _regular(path) as fd:
        while len(found) < _MOST and (piece := os.read(fd, _PIECE)):
            found += piece
    return found


def _end(path: str, most: int) -> bytes:
    found = b""
    with _regular(path) as fd:
        os.lseek(fd, max(0, os.fstat(fd).st_size - most), os.SEEK_SET)
        while len(found) < most and (piece := os.read(fd, min(_PIECE, most - len(found)))):
            found += piece
    return found


@contextmanager
def _regular(path: str) -> Iterator[int]:
    """EINVAL for what is no file: a FIFO would never end, and a device might do something."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(EINVAL, "it is no regular file")
        yield fd
    finally:
        os.close(fd)


def _real(path: str) -> str:
    return os.path.realpath(path, strict=True)
