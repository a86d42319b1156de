"""A CDI specification as the text of the Container Device Interface, version 1.1.0, asks for it: what a runtime refuses must
not be written.

Of versions: what a field or a name needs at least is in "Released versions" there. An unknown field makes a runtime refuse
the whole file.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema

_STRING = {"type": "string", "minLength": 1}
_UINT32 = {"type": "integer", "minimum": 0, "maximum": (1 << 32) - 1}
_WORDS = {"type": "array", "items": _STRING}


def _closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_PATH = {"type": "string", "pattern": "^/"}
_NODE = _closed(
    {
        "path": _PATH,
        "hostPath": _PATH,
        "type": {"enum": ["b", "c", "u", "p"]},
        "major": {"type": "integer"},
        "minor": {"type": "integer"},
        "fileMode": {"type": "integer"},
        "permissions": {"type": "string", "pattern": "^([rwm]{1,3}|none)$"},
        "uid": _UINT32,
        "gid": _UINT32,
    },
    "path",
)
_MOUNT = _closed(
    {"hostPath": _PATH, "containerPath": _PATH, "type": _STRING, "options": _WORDS},
    "hostPath",
    "containerPath",
)
_HOOK = _closed(
    {"hookName": _STRING, "path": _PATH, "args": _WORDS, "env": _WORDS, "timeout": _UINT32},
    "hookName",
    "path",
)
_EDITS = _closed(
    {
        "env": {"type": "array", "items": {"type": "string", "pattern": "^[^=]+="}},
        "deviceNodes": {"type": "array", "items": _NODE},
        "mounts": {"type": "array", "items": _MOUNT},
        "hooks": {"type": "array", "items": _HOOK},
        "additionalGids": {"type": "array", "items": _UINT32},
    }
)
_DEVICE = _closed(
    {"name": {"type": "string", "pattern": r"^[0-9A-Za-z]([-_.:0-9A-Za-z]*[0-9A-Za-z])?$"},
     "containerEdits": _EDITS | {"minProperties": 1}},
    "name",
    "containerEdits",
)  # fmt: skip
_LABEL = "[0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?"
SCHEMA = _closed(
    {
        "cdiVersion": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "kind": {"type": "string",
                 "pattern": rf"^{_LABEL}(\.{_LABEL})*/[0-9A-Za-z]([-_.0-9A-Za-z]{{0,61}}[0-9A-Za-z])?$"},
        "devices": {"type": "array", "minItems": 1, "items": _DEVICE},
        "containerEdits": _EDITS,
    },
    "cdiVersion",
    "kind",
    "devices",
)  # fmt: skip


def check(document: dict[str, Any]) -> None:
    """AssertionError or ValidationError says what a runtime would not take."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(document)
    names = [device["name"] for device in document["devices"]]
    assert len(names) == len(set(names)), "a name is there twice"
    said = tuple(map(int, document["cdiVersion"].split(".")))
    assert said >= _needed(document), f"{said} has not what it uses"


def _needed(document: dict[str, Any]) -> tuple[int, ...]:
    """By the table of released versions."""
    everywhere = [document.get("containerEdits", {}), *(d["containerEdits"] for d in document["devices"])]
    if any("additionalGids" in edits for edits in everywhere):
        return 0, 7, 0
    if "." in document["kind"].partition("/")[2]:
        return 0, 6, 0
    digits = any(re.match("[0-9]", device["name"]) for device in document["devices"])
    from_host = any("hostPath" in node for edits in everywhere for node in edits.get("deviceNodes", ()))
    return (0, 5, 0) if digits or from_host else (0, 3, 0)
