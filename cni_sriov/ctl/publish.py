"""Files that the operator names: a picture, a textfile of metrics, a recording. Each is there whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TextIO

from ..state import files
from ..words.errors import InputOutput
from ..words.gone import is_gone


def write(out: TextIO, path: str, text: str) -> None:
    """To `out` where `path` is "-". Else who reads sees the old file or the new one, whoever it is: mode 0644."""
    if path == "-":
        out.write(text)
        return
    try:
        put(path, text.encode(), 0o644)
    except OSError as error:
        raise InputOutput(
            f"write {path}: {error.strerror}", "is its directory there, and writable?"
        ) from error


def give(out: TextIO, content: bytes) -> None:
    """What is no text."""
    out.buffer.write(content)
    out.flush()


def put(path: str, content: bytes, mode: int, replaces: bool = True, keeps_owner: bool = False) -> None:
    """OSError as the kernel says; FileExistsError if it is there and may not be replaced. InputOutput for what is no file.
    `keeps_owner`: and the mode of the file before, if there is one.
    """
    found = _refuse_other(path)
    before = found if keeps_owner else None
    directory, _, name = os.path.abspath(path).rpartition("/")
    # of this process alone, since nobody has a lock; and not .prom, or node_exporter reads it half written
    temporary = f"{directory}/.{name}.{os.getpid()}.tmp"
    try:
        files.create(temporary, content, stat.S_IMODE(before.st_mode) if before else mode)
        if before:
            os.chown(temporary, before.st_uid, before.st_gid)
        (os.rename if replaces else os.link)(temporary, f"{directory}/{name}")
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _refuse_other(path: str) -> os.stat_result | None:
    """What a rename would turn into a file: /dev/null, a FIFO, /dev/stdout, which is a link to where standard output goes.
    What is there else, None = nothing.
    """
    try:
        link, found = os.lstat(path), os.stat(path)
    except OSError as error:
        if is_gone(error):
            return None
        raise
    is_standard = stat.S_ISLNK(link.st_mode) and os.readlink(path).startswith("/proc/")
    if is_standard or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise InputOutput(f"write {path}: it is no regular file", "- is standard output")
    return found
