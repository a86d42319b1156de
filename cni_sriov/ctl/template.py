"""A template of a configuration (sriov-network-operator, Helm) -> what can be judged of it without its values.

Of {{if}} the first branch is taken, so that all optional parts are there. A value that is filled in later is taken out
with its key, but for `name` and `type`, which must be there: `type` is then ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PLACE = "placeholder"
_OPENS = ("if", "range", "with", "define", "block")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[,:{}\[\]]|[^",:{}\[\]\s]+|\s+', re.DOTALL)
_LONE = re.compile(rf"^[ \t]*{PLACE}[ \t]*\n", re.MULTILINE)
_KEPT = {"name": PLACE, "type": "sriov"}


def is_one(text: str) -> bool:
    return "{{" in text and "}}" in text


def render(text: str) -> tuple[str, int]:
    """The text with PLACE for what is filled in, and how often that is."""
    out: list[str] = []
    opened: list[bool] = []  # of each open block: whether its branch is left out
    left_out = 0
    for before, word in _tags(text):
        if not left_out:
            out.append(before)
        kind = word.split(maxsplit=1)[0] if word else ""
        if kind in _OPENS:
            opened.append(False)
        elif kind == "else" and opened:
            left_out += not opened[-1]
            opened[-1] = True
        elif kind == "end" and opened:
            left_out -= opened.pop()
        elif word and not word.startswith(("/*", "$")) and not left_out:
            out.append(PLACE)
    whole = "".join(out)
    return _LONE.sub("", whole), whole.count(PLACE)


def _tags(text: str) -> Iterator[tuple[str, str]]:
    """What stands before each {{word}}, and the word; last, what follows them all, and "". In linear time."""
    at, trims = 0, False
    while (start := text.find("{{", at)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        before, word = text[at:start], text[start + 2 : end]
        before = before.lstrip() if trims else before
        trims = word.endswith("-")
        yield before.rstrip() if word.startswith("-") else before, word.strip("-").strip()
        at = end + 2
    yield text[at:].lstrip() if trims else text[at:], ""


def as_json(text: str) -> str:
    """PLACE as a string where a value stands, and nothing where a member or an element stands."""
    pieces = [piece for piece in _PIECE.findall(text) if not piece.isspace()]
    out: list[str] = []
    for piece in pieces:
        if PLACE in piece and not piece.startswith('"'):
            if out and out[-1] == ":":
                out.append(f'"{PLACE}"')
        elif piece in "]}" and out and out[-1] == ",":
            out[-1] = piece
        elif piece != "," or (out and out[-1] not in {",", "[", "{"}):
            out.append(piece)
    return " ".join(out)


def settled(value: Any) -> Any:
    """Without the keys that are filled in later."""
    if isinstance(value, list):
        return [settled(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: item for key, item in value.items() if not _open(item)}
    return {key: settled(item) for key, item in kept.items()} | {
        key: word for key, word in _KEPT.items() if key in value and key not in kept
    }


def _open(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return any(isinstance(item, str) and PLACE in item for item in items)
