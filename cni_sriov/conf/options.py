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
from .values import Parser, Table

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
            if not _put(conf, netconf.SRIOV, name, text):
                unknown.append(name)
        except BadConfig as error:
            if faults is None:
                raise
            faults.append(str(error))
    return conf, unknown


def typed(parse: Parser | None, text: str, where: str) -> Any:
    """The word as the value that the parser admits; BadConfig says what it must be."""
    if parse is None:
        return text
    meant = _as_json(text)
    candidates = [text, *([] if meant is None else [meant]), [item.strip() for item in text.split(",")]]
    for candidate in candidates:
        try:
            values.parsed(parse, candidate, where)
        except BadConfig:
            continue
        return candidate
    return values.parsed(parse, text if meant is None else meant, where)  # refuses


def _put(conf: dict[str, Any], table: Table, name: str, text: str) -> bool:
    """False: no key of the table is called so."""
    above, parts = conf, name.split(".")
    for depth, part in enumerate(parts, 1):
        key = table.name_of(part)
        row = table.rows.get(key)
        if row is None or (depth == 1 and key in _OF_A_CALL):
            return False
        if depth == len(parts):
            above[key] = typed(row.parse, text, f"read option {name}")
            return True
        below = row.below
        below = below if isinstance(below, Known) or below is None else below({"type": "host-subnet"})
        if not isinstance(below, Table) or row.parse is values.a_list:
            return False
        inner = above.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BadConfig(f"read option {name}: {key} is given as a whole, too", "leave one of them out")
        above, table = inner, below
    return False


def _as_json(text: str) -> Any:
    """None if it is none; a word that is no JSON stays a word."""
    try:
        return jsontext.parse(text)
    except BadJson:
        return None
