"""Files that others read again and again: a picture, a textfile of metrics."""

from __future__ import annotations

import os
from typing import TextIO

from ..state import files
from ..words.errors import InputOutput


def write(out: TextIO, path: str, text: str) -> None:
    """To `out` where `path` is "-". Else who reads sees the old file or the new one, whoever it is: mode 0644."""
    if path == "-":
        out.write(text)
        return
    place = os.path.abspath(path)
    temporary = files.beside(place, "tmp")
    try:
        files.create(temporary, text.encode(), 0o644)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        os.rename(temporary, place)
    except OSError as error:
        files.remove(temporary)
        raise _refused(path, error) from error


def _refused(path: str, error: OSError) -> InputOutput:
    return InputOutput(f"write {path}: {error.strerror}", "is its directory there, and writable?")
