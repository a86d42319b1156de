"""What `sriovctl --version` says: `make build` notes version and commit beside this package (build/bundle.py)."""

from __future__ import annotations

import os

from .. import __version__

# not by pathlib, which costs each verb 5 ms
_NOTE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "version")


def told(note: str | os.PathLike[str] = _NOTE) -> str:
    """The version alone in a checkout, whose sources may be those of no commit."""
    try:
        with open(note, encoding="utf-8") as stream:
            return stream.read().strip()
    except OSError:
        return __version__
