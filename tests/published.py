"""conf/sriovctl.schema.json and conf/status.schema.json: each document that `sriovctl --json` prints is judged by them."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

from cni_sriov.ctl.main import COMMANDS
from tests.pages import ROOT

OF_VERBS, OF_STATUS = "sriovctl.schema.json", "status.schema.json"
SCHEMAS: dict[str, dict[str, Any]] = {
    name: json.loads((ROOT / "conf" / name).read_text()) for name in (OF_VERBS, OF_STATUS)
}


def closed(node: Any) -> Any:
    """The published ones let a reader live with keys that come later; here none may come unseen."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: closed(value) for key, value in node.items()}
    return found | {"additionalProperties": False} if "properties" in node and "required" in node else found


@functools.cache
def validator(name: str, is_closed: bool = True) -> Draft202012Validator:
    """`name`: that of a verb, or "error"."""
    known: Registry[Any] = Registry()
    for path, schema in SCHEMAS.items():
        contents = closed(schema) if is_closed else schema
        known = known.with_resource(path, Resource.from_contents(contents))
    return Draft202012Validator({"$ref": f"{OF_VERBS}#/$defs/{name}"}, registry=known)


def verb_of(argv: Sequence[str]) -> str:
    verbs = {command.name for command in COMMANDS}
    return next((word for word in argv if word in verbs), "error")


def judge(verb: str, document: dict[str, Any]) -> None:
    """What is new is described in conf/ first, for whoever parses it."""
    found = validator("error" if "error" in document else verb).iter_errors(document)
    worst = best_match(found)
    assert worst is None, f"sriovctl {verb} --json, {worst.json_path}: {worst.message}; see conf/{OF_VERBS}"
