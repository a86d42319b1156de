"""Which errors a configuration's key may bring, read off its schema: what it must be, what it needs or bears not beside it, and
what can become of it on the node (`x-errors`: by code, when).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..words.errors import BadConfig

Json = dict[str, Any]
_ABOVE = ("then", "else", "allOf", "anyOf")


def of(name: str, value: str, node: Json, parent: Json, root: Json) -> Iterator[tuple[int, str]]:
    """`node` is the key's own part of the schema, `parent` the one of its object."""
    if value not in {"anything", "nothing"}:
        yield BadConfig.code, f"it is {_not(value, node)}"
    if name in parent.get("required", []):
        yield BadConfig.code, "it is missing"
    needs = parent.get("dependentRequired", {}).get(name, [])
    if needs:
        yield BadConfig.code, f"it is given without {', '.join(needs)}"
    own = str(node.get("title", ""))
    for title in dict.fromkeys([own, *_titles(name, parent, root)]):
        if title and (title != own or not title.startswith("must ")):
            yield BadConfig.code, title
    yield from ((int(code), when) for code, when in node.get("x-errors", {}).items())


def _not(value: str, node: Json) -> str:
    if value.startswith("one of"):
        return f"n{value}"
    if "enum" in node:
        return f"none of {value}"
    return f"not a {value}" if value.startswith("list") else f"not {value}"


def _titles(name: str, node: Json, root: Json) -> Iterator[str]:
    """What the branches of an object say of one of its keys, which depends on the others."""
    for word in _ABOVE:
        found = node.get(word, [])
        for branch in found if isinstance(found, list) else [found]:
            whole = _whole(branch, root)
            rule = _whole(whole.get("properties", {}).get(name, {}), root)
            if "title" in rule:
                yield str(rule["title"])
            yield from _titles(name, whole, root)


def _whole(node: Json, root: Json) -> Json:
    return root["$defs"][node["$ref"].removeprefix("#/$defs/")] | node if "$ref" in node else node
