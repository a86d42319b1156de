"""Where in a file something is said: line and column of a path like plugins[0].ipam.pools[1].subnet.

The text is looked through as it stands, so that one that is no JSON yet (a template, a comma too many) has places too.
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass, field

from ..conf import keycase

Spot = tuple[int, int]

_TOKEN = re.compile(r'\{\{[^{}]*+\}\}|"(?:[^"\\]|\\.)*+"?|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)
_LONGEST = 1 << 10  # characters of a path: each value below a key of a megabyte would keep that key
_DEEPEST = 64  # what is deeper nobody reads (jsontext.DEEPEST), and its paths would grow without end


@dataclass(slots=True)
class Places:
    """`found`: offsets by path, in our spelling; a key that is given twice is in `twice`. `spots`: of each of the text's
    characters its place in the file, where the text is a part of one.
    """

    text: str = ""
    spots: list[Spot] | Spot | None = None
    found: dict[str, int] = field(default_factory=dict)
    twice: dict[str, int] = field(default_factory=dict)
    _begins: list[int] = field(default_factory=list)

    def spot(self, offset: int) -> Spot:
        """Line and column, both from 1 on."""
        if isinstance(self.spots, tuple):
            return self.spots
        if self.spots:
            return self.spots[min(offset, len(self.spots) - 1)]
        if not self._begins:
            self._begins = [0, *(found.end() for found in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self._begins, offset)
        return line, offset - self._begins[line - 1] + 1

    def at(self, path: str) -> Spot:
        """Of what is not there, of that which it should be in."""
        wanted = keycase.lower(path)
        while wanted and wanted not in self.found:
            wanted = wanted[: max(wanted.rfind("."), wanted.rfind("["), 0)]
        return self.spot(self.found.get(wanted, 0))


@dataclass(slots=True)
class _Inside:
    """An object or a list that is open. `key` None: the next word is one, or none at all."""

    path: str
    is_list: bool
    count: int = 0
    key: str | None = None

    def path_of_value(self) -> str:
        path = f"{self.path}[{self.count}]" if self.is_list else f"{self.path}.{self.key}".removeprefix(".")
        return path[:_LONGEST]


def of_json(text: str, spots: list[Spot] | Spot | None = None) -> Places:
    places = Places(text, spots)
    opened: list[_Inside] = []
    for token in _TOKEN.finditer(text):
        _take(places, opened, token[0], token.start())
    return places


def _take(places: Places, opened: list[_Inside], word: str, at: int) -> None:
    inside = opened[-1] if opened else None
    if word in "}]":
        del opened[-1:]
    elif word == ",":
        if inside:
            inside.count, inside.key = inside.count + 1, None
    elif word in "{[" or (inside and inside.is_list):
        path = inside.path_of_value() if inside and len(opened) < _DEEPEST else ""
        places.found.setdefault(path, at)
        if word in "{[":
            opened.append(_Inside(path, word == "["))
    elif inside and inside.key is None and word.startswith('"'):
        inside.key = keycase.lower(_text_of(word))
        path = inside.path_of_value()
        if path in places.found:
            places.twice.setdefault(inside.key, at)
        places.found.setdefault(path, at)


def _text_of(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError:
        return word.strip('"')


def inner_of(whole: Places, path: str, value: str) -> Places:
    """The JSON text `value`, which is the string that stands there."""
    key = whole.found.get(keycase.lower(path), 0)
    string = re.compile(r'"(?:[^"\\]|\\.)*"\s*:\s*').match(whole.text, key)
    return of_json(value, spots_of_string(whole, string.end() if string else key))


def spots_of_string(whole: Places, start: int) -> list[Spot]:
    """Of the characters of a string in double quotes that begins at `start`."""
    token = _TOKEN.match(whole.text, start)
    raw = token[0][1:-1] if token else ""
    return [whole.spot(start + 1 + escape.start()) for escape in _ESCAPE.finditer(raw)] or [whole.spot(start)]


def spots_of_lines(whole: Places, first: int, value: str) -> list[Spot]:
    """Of the characters of `value`, whose lines stand from line `first` (from 0 on), further in."""
    lines = whole.text.split("\n")[first:]
    indent = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)
    return [
        (first + number + 1, indent + column + 1)
        for number, line in enumerate(value.split("\n"))
        for column in range(len(line) + 1)
    ]
