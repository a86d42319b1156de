"""The operator's files about a cluster, which hold secrets or name them: read only where nobody else could have written
them, and a secret only where nobody else can read it.
"""

from __future__ import annotations

import errno
import os
import stat

from ..words.errors import InputOutput, typed

LIMIT = 1 << 20  # bytes
_EVERYBODY, _WRITERS = 0o077, 0o022


def text_of(path: str, is_secret: bool = True, follow: bool = False) -> str:
    """InputOutput with the remedy if it is missing, no file, a link, another user's, or open to others. `follow`: where
    the file is a link by its nature, what it leads to is judged.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputOutput(
                f"read {path}: a symlink is not followed", "put the file itself there"
            ) from error
        raise InputOutput(f"read {path}: {error.strerror}") from error
    try:
        _judge(path, os.fstat(fd), is_secret)
        return _content(path, fd)
    except OSError as error:
        raise InputOutput(f"read {path}: {error.strerror}") from error
    finally:
        os.close(fd)


def _judge(path: str, found: os.stat_result, is_secret: bool) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        raise InputOutput(f"read {path}: it is no regular file")
    if found.st_uid not in {0, os.geteuid()}:
        raise InputOutput(
            f"read {path}: it belongs to uid {found.st_uid}, not to root", f"chown root {typed(path)}"
        )
    if is_secret and mode & _EVERYBODY:
        raise InputOutput(
            f"read {path}: its mode is {mode:04o}, and others must not read it", f"chmod 600 {typed(path)}"
        )
    if mode & _WRITERS:
        raise InputOutput(
            f"read {path}: its mode is {mode:04o}, and others must not write it", f"chmod go-w {typed(path)}"
        )


def _content(path: str, fd: int) -> str:
    content = b""
    while len(content) <= LIMIT and (piece := os.read(fd, 1 << 16)):
        content += piece
    if len(content) > LIMIT:
        raise InputOutput(f"read {path}: it is larger than {LIMIT} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputOutput(f"read {path}: it is no text") from error
