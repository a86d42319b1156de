"""A template of a configuration (sriov-network-operator, Helm) -> what can be judged of it without its values.

Of {{if}} the first branch is taken, so that all optional parts are there. A value that is filled in later is taken out
with its key, but for `name` and `type`, which must be there: `type` is then ours.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PLACE = "placeholder"
_TAG = re.compile(r"(\s*)\{\{(-?)\s*(.*?)\s*(-?)\}\}(\s*)", re.DOTALL)
_OPENS = ("if", "range", "with", "define", "block")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[,:{}\[\]]|[^",:{}\[\]\s]+|\s+', re.DOTALL)
_LONE = re.compile(rf"^[ \t]*{PLACE}[ \t]*\n", re.MULTILINE)
_KEPT = {"name": PLACE, "type": "sriov"}


def is_one(text: str) -> bool:
    return "{{" in text and "}}" in text


def render(text: str) -> tuple[str, int]:
    """The text with PLACE for what is filled in, and how often that is."""
    out: list[str] = []
    depth: list[bool] = []  # of each open block: whether its branch is left out
    at = 0
    for tag in _TAG.finditer(text):
        before, trims, word, trims_after, after = tag.groups()
        if not any(depth):
            out.append(text[at : tag.start()] + ("" if trims else before))
        at = tag.end()
        kind = word.split(maxsplit=1)[0] if word.split() else ""
        if kind in _OPENS:
            depth.append(False)
        elif kind == "else" and depth:
            depth[-1] = True
        elif kind == "end" and depth:
            depth.pop()
        elif not word.startswith(("/*", "$")) and not any(depth):
            out.append(PLACE)
        if not any(depth):
            out.append("" if trims_after else after)
    out.append(text[at:])
    whole = "".join(out)
    return _LONE.sub("", whole), whole.count(PLACE)


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
