"""The answers of the Kubernetes API, read strictly: they decide whose a block is, so one that something else might have given
(a proxy, another API) is none. ValueError says what is not as "API Conventions" has it.
"""

from __future__ import annotations

from typing import Any

from ...words.jsontext import words

Json = dict[str, Any]


def one(found: Json, kind: str, name: str) -> None:
    """The object that was asked for, or made. Its spec is judged by who reads it."""
    if found.get("kind") != kind:
        raise ValueError(f"kind is {words(found.get('kind'))}, and not {kind}")
    metadata = _named(found)
    if metadata["name"] != name:
        raise ValueError(f"it tells of {words(metadata['name'])}, and was asked for {name}")
    for key in ("uid", "resourceVersion"):
        _text(metadata, key)


def deleted(found: Json, kind: str) -> None:
    """What was deleted, or that it was."""
    if found.get("kind") not in {kind, "Status"}:
        raise ValueError(f"kind is {words(found.get('kind'))}, and not {kind} or Status")
    if found["kind"] == "Status" and found.get("status") != "Success":
        raise ValueError(f"status is {words(found.get('status'))}")


def listed(found: Json, kind: str) -> None:
    """As objects, or as their names alone."""
    if found.get("kind") not in {kind, "PartialObjectMetadataList"}:
        raise ValueError(f"kind is {words(found.get('kind'))}, and not {kind}")
    items, metadata = found.get("items"), found.get("metadata")
    if items is not None and not isinstance(items, list):
        raise ValueError(f"items is {words(items)}")
    for item in items or []:
        if not isinstance(item, dict):
            raise ValueError(f"one of items is {words(item)}")
        _named(item)
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata is {words(metadata)}")
    after = metadata.get("continue")
    if after is not None and after != "":
        _text(metadata, "continue")


def _named(found: Json) -> Json:
    metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata is {words(metadata)}")
    _text(metadata, "name")
    return metadata


def _text(metadata: Json, key: str) -> str:
    """Printable ASCII: it is sent again, and told on a terminal."""
    value = metadata.get(key)
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{key} is {words(value)}")
    return value
