"""What `os` has and `posix`, its half in C, has not: importing `os` costs 2 ms, a tenth of an ADD (docs/speed.md)."""

from __future__ import annotations

import posix

_S_IFMT, _S_IFDIR, _S_IFREG = 0o170000, 0o040000, 0o100000  # sys/stat.h


def lexists(path: str) -> bool:
    """Whether anything has that name, a dangling symlink too."""
    try:
        posix.lstat(path)
    except (OSError, ValueError):
        return False
    return True


def isdir(path: str) -> bool:
    return _kind(path) == _S_IFDIR


def isfile(path: str) -> bool:
    return _kind(path) == _S_IFREG


def _kind(path: str) -> int:
    try:
        return posix.stat(path).st_mode & _S_IFMT
    except (OSError, ValueError):
        return 0


def makedirs(path: str, mode: int) -> None:
    """With missing parents, all of that mode; a directory that is there is left as it is. OSError as mkdir."""
    parent = path.rstrip("/").rpartition("/")[0]
    if parent and not lexists(parent):
        makedirs(parent, mode)
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        if not isdir(path):
            raise


def environment() -> dict[str, str]:
    """The process's own; what is no UTF-8 becomes surrogates, as in os.environ."""
    return {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in posix.environ.items()
    }
