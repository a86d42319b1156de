"""A configuration as words: `podman network create -o KEY=VALUE`, where every value is a string. Pure.

The table of the conf says which keys there are and what each may be: a nested one is reached by dots (`ipam.onlink`), and a
word is taken for whatever the key's parser admits: itself, a value of JSON, or a list with commas. So nothing is
described twice, and what is good here is judged again with the rest of the configuration.
"""

from __future__ import annotations

from typing import Any

from ..words import jsontext
from ..words.errors import BadConfig, BadJson
from . import netconf, values
from .keycase import Known
from .requests import SOURCES
from .values import Key, Parser, Table

# what a runtime says of a call, and no operator of a network
_OF_A_CALL = {*SOURCES.keys, "prevResult"}


def read(given: dict[str, str], faults: list[str] | None = None) -> tuple[dict[str, Any], list[str]]:
    """The conf that these options are, and the names of those that are no keys of ours. BadConfig names the first that is
    wrong; with `faults`, it is noted there, and left out.
    """
    conf: dict[str, Any] = {}
    unknown = []
    for name, text in given.items():
        try:
            if not _put(conf, name, text):
                unknown.append(name)
        except BadConfig as error:
            if faults is None:
                raise
            faults.append(str(error))
    return conf, unknown


def near(name: str, more: tuple[str, ...] = ()) -> str:
    """The key that has one character less, more or other than `name`; "" if none has."""
    cut = _without_one(name[:64])  # no key is so long, and what is made of it grows with its square
    return next(
        (known for known in (*netconf.SRIOV.rows, *more) if not cut.isdisjoint(_without_one(known))), ""
    )


def _without_one(word: str) -> set[str]:
    """The word, and what is left of it without any one character."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def typed(parse: Parser | None, text: str, where: str) -> Any:
    """The word as the value that the parser admits; BadConfig says what it must be."""
    if parse is None:
        return text
    meant, listed = _as_json(text), [item.strip() for item in text.split(",")]
    candidates = [text, *([] if meant is None else [meant]), listed]
    for candidate in candidates:
        try:
            values.parsed(parse, candidate, where)
        except BadConfig:
            continue
        return candidate
    likeliest = listed if listed[1:] and meant is None else text if meant is None else meant
    return values.parsed(parse, likeliest, where)  # refuses


def _put(conf: dict[str, Any], name: str, text: str) -> bool:
    """False: no key of the table is called so. Parts of an object stand beside the whole, and count before it."""
    way = _way(name)
    if not way:
        return False
    *above, (key, row) = way
    value = typed(row.parse, text, f"read option {name}")
    for part, _ in above:
        conf = conf.setdefault(part, {})
    conf[key] = value | conf.get(key, {}) if isinstance(value, dict) else value
    return True


def _way(name: str) -> list[tuple[str, Key]]:
    """From the top: each key in our spelling, and its row. [] = there is none."""
    way: list[tuple[str, Key]] = []
    table: Any = netconf.SRIOV
    for part in name.split("."):
        key = table.name_of(part) if isinstance(table, Table) else ""
        if not key or (not way and key in _OF_A_CALL):
            return []
        row = table.rows[key]
        way.append((key, row))
        table = (
            row.below
            if isinstance(row.below, Known) or row.below is None
            else row.below({"type": "host-subnet"})
        )
        if row.parse is values.a_list:
            table = None  # of many, so that no name can say of which
    return way


def _as_json(text: str) -> Any:
    """None if it is none; a word that is no JSON stays a word."""
    try:
        return jsontext.parse(text)
    except BadJson:
        return None
