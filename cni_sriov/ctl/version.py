"""What `sriovctl --version` says: `make build` notes version and commit beside this package (build/bundle.py)."""

from __future__ import annotations

from pathlib import Path

from .. import __version__

_NOTE = Path(__file__).parents[2] / "version"


def told(note: Path = _NOTE) -> str:
    """The version alone in a checkout, whose sources may be those of no commit."""
    try:
        return note.read_text(encoding="utf-8").strip()
    except OSError:
        return __version__
