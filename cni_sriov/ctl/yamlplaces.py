"""Where in a YAML text its values are, and where in it the characters of one that is itself a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from ..conf import keycase
from . import position
from .position import Places, Spot

_NULL = "tag:yaml.org,2002:null"


@dataclass(slots=True)
class Document:
    places: Places
    nodes: dict[str, yaml.Node] = field(default_factory=dict)

    def inner(self, path: str, value: str) -> Places:
        """The JSON text `value`, which stands there."""
        node = self.nodes.get(path)
        return position.of_json(value, _spots(self.places, node) if node is not None else None)


def documents(text: str) -> list[Document]:
    """Those that are not empty, as yamltext has them."""
    roots = [root for root in yaml.compose_all(text, yaml.SafeLoader) if root is not None]
    return [_document(text, root) for root in roots if root.tag != _NULL]


def _document(text: str, root: yaml.Node) -> Document:
    found = Document(Places(text))
    for path, begins, node in _walk("", root, root, set()):
        found.places.found.setdefault(keycase.lower(path), begins.start_mark.index)
        found.nodes[path] = node
    return found


def _walk(
    path: str, begins: yaml.Node, node: yaml.Node, seen: set[int]
) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Path, where it begins, and the value. What an alias stands for is looked at once."""
    yield path, begins, node
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _walk(f"{path}.{key.value}".removeprefix("."), key, value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _walk(f"{path}[{number}]", value, value, seen)


def _spots(whole: Places, node: yaml.Node) -> list[Spot] | Spot:
    """Of the text's characters; where they do not stand in the file as they are, where it begins."""
    start, end = node.start_mark, node.end_mark
    style, value = getattr(node, "style", None), str(node.value)
    if style == "|":
        return position.spots_of_lines(whole, start.line + 1, value)
    raw = whole.text[start.index : end.index]
    if value and value in raw:
        first = start.index + raw.index(value)
        return [whole.spot(first + number) for number in range(len(value))]
    if style == '"' and "\n" not in raw:
        return position.spots_of_string(whole, start.index)
    return whole.spot(start.index)
