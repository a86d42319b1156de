"""Text of others for a person's eyes: nothing in it that a terminal would obey."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Control characters, line feeds and bytes that are no text as an escape that can be read."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
