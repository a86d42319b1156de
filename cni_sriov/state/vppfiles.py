"""The files for a container's VPP, in a directory that the container mounts: so whatever is in it may be the container's.

Who writes holds the node's lock. Nothing in it is read for a decision, and no symlink in it is followed. Where the operator's
own part of the path leads (`root`) is his; what is below it is made here, and nobody else may write there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from ..words.errors import InputOutput
from ..words.gone import is_gone
from . import files, public

_NOT_OURS = frozenset((errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.EPERM))


def write(directory: str, root: str, texts: dict[str, str], names: tuple[str, ...]) -> None:
    """Each file is the old or the new one; of `names` those without a text go."""
    _make(directory, root)
    for name in names:
        if name in texts:
            _replace(f"{directory}/{name}", texts[name])
        else:
            files.forget(f"{directory}/{name}")


def unlike(directory: str, texts: dict[str, str]) -> list[str]:
    """For CHECK: the files that do not say what was written."""
    wrong = []
    for name, text in texts.items():
        try:
            found = files.read(f"{directory}/{name}")
        except files.NoFile as error:
            wrong.append(error.msg)
            continue
        if found != text:
            wrong.append(f"{directory}/{name} is {'missing' if found is None else 'not as it was written'}")
    return wrong


def remove(directory: str, root: str, names: tuple[str, ...]) -> None:
    """All of it, and what a killed writer left. What the container has there besides stays, and the directories with it;
    those below `root` go where they are empty. A symlink in place of one of them is not ours, nor is what it leads to.
    """
    if not _is_real(directory, root):
        return
    for name in names:
        for path in (files.beside(f"{directory}/{name}", "tmp"), f"{directory}/{name}"):
            _take_away(os.unlink, path)
    path = directory
    while path.startswith(f"{root}/") and _take_away(os.rmdir, path):
        path = path.rpartition("/")[0]


def _is_real(directory: str, root: str) -> bool:
    while directory.startswith(f"{root}/"):
        if os.path.islink(directory):
            return False
        directory = directory.rpartition("/")[0]
    return True


def _make(directory: str, root: str) -> None:
    """The last one may have any owner and mode: the container may be its root."""
    if directory != root:
        public.check_directories(root, directory)
    mask = os.umask(0o022)  # ours is 077, and the VPP of a container may have any uid
    try:
        if not os.path.lexists(directory):
            files.makedirs(directory, 0o755)
        files.real_directory(directory)
    except OSError as error:
        raise InputOutput(f"make directory {directory}: {error.strerror}") from error
    finally:
        os.umask(mask)


def _replace(path: str, text: str) -> None:
    temporary = files.beside(path, "tmp")
    try:
        files.create(temporary, text.encode(), 0o644)
        os.rename(temporary, path)
    except OSError as error:
        raise InputOutput(f"write {path}: {error.strerror}") from error


def _take_away(act: Callable[[str], None], path: str) -> bool:
    """False where something is there that is not ours."""
    try:
        act(path)
    except OSError as error:
        if error.errno in _NOT_OURS:
            return False
        if not is_gone(error):
            raise InputOutput(f"remove {path}: {error.strerror}") from error
    return True
