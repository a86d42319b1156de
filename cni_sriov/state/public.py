"""Directories of the operator's that runtimes and their tools read in. What is ours alone: state/files.py."""

from __future__ import annotations

import os

from ..words.errors import InputOutput
from . import files


def check_directories(root: str, path: str) -> None:
    """From `root` down to where `path` is, each one is a real directory that we alone may write to, looked at before what
    is in it: so nobody else can put a symlink there, then or later. Where `root` itself is found, also by symlinks
    (/var/run), is the system's. What is missing is made, as the specification asks.
    """
    parts = path.rpartition("/")[0].removeprefix(root).split("/")
    for count in range(1, len(parts) + 1):
        _check_directory(root + "/".join(parts[:count]))


def _check_directory(path: str) -> None:
    try:
        if not os.path.lexists(path):
            mask = os.umask(0o022)  # ours is 077; the runtime and its tools read there
            try:
                files.makedirs(path, 0o755)
            finally:
                os.umask(mask)
        found = files.real_directory(path)
    except OSError as error:
        raise InputOutput(f"make directory {path}: {error.strerror}") from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise InputOutput(f"use directory {path}: others may write to it", "chmod 755 it, with our owner")
