"""`sriovctl explain KEY`: what the schemas say of a configuration's key."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from ..conf.cluster import path_of
from ..conf.hostfile import PATH
from . import schema
from .keys import Key, keys
from .meant import meant

NETWORK = "a network's configuration"
CLUSTER = path_of("NAME")
_INDEX = re.compile(r"\[\d*\]")


@dataclass(slots=True)
class Meaning:
    """`file`: whose key it is. `below`: the keys of what stands there."""

    key: Key
    file: str
    below: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.key.name,
            "file": self.file,
            "about": self.key.about,
            "value": self.key.value,
            "default": self.key.default,
            "errors": [{"code": code, "when": when} for code, when in self.key.errors],
            "below": self.below,
        }


@dataclass(slots=True)
class Found:
    """`others`: keys that end so, too."""

    meanings: list[Meaning]
    others: list[str]

    @property
    def notes(self) -> list[str]:
        return [f"others are called so, too: {', '.join(self.others)}"] if self.others else []


def find(word: str) -> Found:
    """By its whole name, else by its end; in any case, and with or without [] for a list."""
    known = _known()
    ends = {name: mine for name, mine in known.items() if f".{name}".endswith(f".{_plain(word)}")}
    exact = ends.get(_plain(word), [])
    others = [one for mine in ends.values() for one in mine if one not in exact]
    if not exact:
        return Found(others, [])
    return Found(exact, [f"{one.key.name} ({one.file})" for one in others])


def near(word: str) -> str:
    """What may have been meant by it, "" for nothing."""
    names = [one.key.name for mine in _known().values() for one in mine]
    return meant(word, [*names, *(name.rpartition(".")[2] for name in names)])


@functools.cache
def _known() -> dict[str, list[Meaning]]:
    """By name as one types it. A plugin's own keys come before those of a list."""
    found: dict[str, list[Meaning]] = {}
    of_network = {key.name: key for key in [*keys(schema.SCHEMA, "list"), *keys(schema.SCHEMA, "sriov")]}
    of_cluster = {key.name: key for key in keys(schema.CLUSTER, "etcd", "kubernetes")}
    for file, all_keys in (
        (NETWORK, [*of_network.values()]),
        (PATH, keys(schema.HOST)),
        (CLUSTER, [*of_cluster.values()]),
    ):
        names = [key.name for key in all_keys]
        for key in all_keys:
            below = [name for name in names if re.match(rf"{re.escape(key.name)}(\[\])?\.[^.]+$", name)]
            found.setdefault(_plain(key.name), []).append(Meaning(key, file, below))
    return found


def _plain(name: str) -> str:
    return _INDEX.sub("", name).lower()
