"""Known keys of a configuration in the spelling that the parsers look for, and without those that say nothing. Pure.

All other readers of a configuration are Go's encoding/json: it takes a key in any case, and null for "not given". So
callers send them: go-cni v1.1 (types.go) has no JSON tags, and containerd gives {"EgressRate": ...} and null lists.
One pass, over a tree that the parsers' own tables make; what is not in the tree is passed on untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..words.errors import BadConfig
from ..words.jsontext import words


class Known:
    """The keys that are read of an object, or of each object in a list.

    `keys`: what lies below a key: None = a value; a function of the object where another key decides. `blank`: the keys
    of which "" counts as not given, as null does of all.
    """

    __slots__ = ("_lower", "blank", "keys")

    def __init__(self, keys: dict[str, Below], blank: Iterable[str] = ()) -> None:
        self.keys = keys
        self.blank = frozenset(blank)
        self._lower = {name.lower(): name for name in keys}

    def name_of(self, key: str) -> str:
        """The known key that is spelled so, or ""."""
        return key if key in self.keys else self._lower.get(lower(key), "")


Below = Known | Callable[[dict[str, Any]], Known] | None


class Folded:
    """`conf` with known keys in our spelling; what was spelled otherwise, as (path, spelling), and what was there in two
    spellings with different values, as (path, spelling, spelling).
    """

    __slots__ = ("clashes", "conf", "respelled")

    def __init__(self, raw: dict[str, Any], known: Known) -> None:
        self.respelled: list[tuple[str, str]] = []
        self.clashes: list[tuple[str, str, str]] = []
        self.conf = self._object(raw, known, "")

    def refuse_clashes(self) -> None:
        """ADD cannot tell which one is meant; the other verbs take the exact spelling and go on."""
        for path, first, second in self.clashes:
            where = path.rpartition(".")[0] or "configuration"
            raise BadConfig(
                f"read {where}: has {words(first)} and {words(second)} with different values",
                "they are one key, since keys match in any case: leave one out",
            )

    def _object(self, raw: dict[str, Any], known: Known, path: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        spelled: dict[str, str] = {}
        for key, value in raw.items():
            name = known.name_of(key)
            if not name:
                result[key] = value
            elif value is not None and (value != "" or name not in known.blank):
                self._take(result, spelled, name, key, value, path)
        for name in spelled:
            below = known.keys[name]
            if below is not None:
                result[name] = self._below(result[name], below, path + name)
        return result

    def _take(
        self, result: dict[str, Any], spelled: dict[str, str], name: str, key: str, value: Any, path: str
    ) -> None:
        if key != name:
            self.respelled.append((path + name, key))
        if name in spelled:
            before = result[name]
            if type(before) is not type(value) or before != value:
                self.clashes.append((path + name, spelled[name], key))
            if spelled[name] == name:
                return  # the exact one wins; of two others the last, as in Go
        result[name] = value
        spelled[name] = key

    def _below(self, value: Any, below: Known | Callable[[dict[str, Any]], Known], path: str) -> Any:
        """Of an object, or of the objects in a list; anything else is the parser's to refuse."""
        if type(value) is list:
            return [
                self._below(item, below, f"{path}[{n}]") if type(item) is dict else item
                for n, item in enumerate(value)
            ]
        if type(value) is not dict:
            return value
        return self._object(value, below if isinstance(below, Known) else below(value), path + ".")


def lower(key: str) -> str:
    """As encoding/json (foldName, go1.21): by rune, so that the long s is an s and the Kelvin sign a k, but ß not ss."""
    return key.lower().replace("\u017f", "s")


def value_of(raw: dict[str, Any], name: str) -> Any:
    """For a look ahead: the value of a key in any case, the exact spelling first."""
    if name in raw:
        return raw[name]
    return next((value for key, value in raw.items() if lower(key) == lower(name)), None)
