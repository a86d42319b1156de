"""The keys of a configuration as its schema documents them: name, what may stand there, default, meaning.

For who reads them: cni-sriov.conf(5), and whoever is asked what a key is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import keyerrors
from .schema import TYPES, load

_MUST = "must be "


@dataclass(slots=True, frozen=True)
class Key:
    """`name` with those above it, like pf.names or ipam.pools[].subnet; `value` says what may stand there; `default` "" =
    none. `errors`: by code, when there is one.
    """

    name: str
    value: str
    default: str
    about: str
    errors: tuple[tuple[int, str], ...] = ()


def keys(path: str, *parts: str) -> list[Key]:
    """Of the schema at `path`: those of its definitions `parts`, in order; of the document itself where none is named."""
    root = load(path)
    nodes = [root["$defs"][part] for part in parts] or [root]
    return [key for node in nodes for key in _keys(node, root, "")]


def _keys(node: dict[str, Any], root: dict[str, Any], above: str) -> Iterator[Key]:
    node = _whole(node, root)
    if "items" in node:
        yield from _keys(node["items"], root, f"{above.removesuffix('.')}[].")
    for name, inner in node.get("properties", {}).items():
        if name == "$schema":
            continue
        found = _whole(inner, root)
        default = json.dumps(found["default"]) if "default" in found else ""
        errors = tuple(keyerrors.of(name, _value(found, root), found, node, root))
        yield Key(f"{above}{name}", _value(found, root), default, found.get("description", ""), errors)
        if name != "plugins":  # a list's are documents of their own
            yield from _keys(found, root, f"{above}{name}.")


def _whole(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to. Of two branches it is the first one: ours."""
    if "$ref" in node:
        node = _whole(root["$defs"][node["$ref"].removeprefix("#/$defs/")], root) | node
    if "properties" not in node and "$ref" in node.get("then", {}):
        node = _whole(node["then"], root) | node
    return node


def _value(node: dict[str, Any], root: dict[str, Any]) -> str:
    node = _whole(node, root)
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return ", ".join(json.dumps(word) for word in node["enum"] if word not in {None, ""})
    if node.get("title", "").startswith(_MUST):
        return str(node["title"]).removeprefix(_MUST)
    return "nothing" if "not" in node else _of_type(node, root)


def _of_type(node: dict[str, Any], root: dict[str, Any]) -> str:
    if "minimum" in node:
        return f"{node['minimum']}-{node['maximum']}"
    if "items" in node:
        return f"list, each {_value(node['items'], root)}"
    if "anyOf" in node and "type" not in node:
        return " or ".join(_value(one, root) for one in node["anyOf"])
    kind = "object" if "properties" in node else node.get("type", "anything")
    return TYPES.get(kind, kind)
