"""What a CustomResourceDefinition says of its objects: "Extend the Kubernetes API with CustomResourceDefinitions"."""

from __future__ import annotations

import copy
import datetime
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from .status import Cause

Json = dict[str, Any]
PRESERVES = "x-kubernetes-preserve-unknown-fields"
OWN = ("apiVersion", "kind", "metadata")  # of every object: the server judges them itself
# of a schema, what this stand-in knows; a manifest with more is refused rather than half judged
KNOWN = {
    *(
        "type",
        "properties",
        "additionalProperties",
        "items",
        "required",
        "enum",
        "pattern",
        "format",
        "nullable",
        "default",
    ),
    *(
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    ),
    *("uniqueItems", "minProperties", "maxProperties", "description", "title", "example", PRESERVES),
    *(
        "anyOf",
        "allOf",
        "oneOf",
        "not",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
    ),
}
FORMATS = FormatChecker(
    ()
)  # of the formats that the page has, those that our manifests have; int64 is a number's own
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
REASONS = {
    "required": "FieldValueRequired",
    "enum": "FieldValueNotSupported",
    "type": "FieldValueTypeInvalid",
}


@FORMATS.checks("date-time", ValueError)
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True  # its type is judged by itself
    return bool(RFC_3339.fullmatch(value) and datetime.datetime.fromisoformat(value.upper()))


class Resource(NamedTuple):
    """A served kind. `schema` is None where the server has the type built in, which this one does not judge."""

    group: str
    version: str
    plural: str
    kind: str
    is_namespaced: bool = False
    schema: Json | None = None
    has_status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def resources(definition: Json) -> Iterator[Resource]:
    """Of a CRD that a real server would serve; an AssertionError names what it would refuse."""
    spec, name = definition["spec"], definition["metadata"]["name"]
    assert name == f"{spec['names']['plural']}.{spec['group']}", (
        f"{name}: must be spec.names.plural+'.'+spec.group"
    )
    assert definition["apiVersion"] == "apiextensions.k8s.io/v1", definition["apiVersion"]
    assert [version["storage"] for version in spec["versions"]].count(True) == 1, (
        f"{name}: one storage version"
    )
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        check_structure(schema, name)
        if version["served"]:
            yield Resource(
                *(spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"]),
                *(spec["scope"] == "Namespaced", schema, "status" in version.get("subresources", {})),
            )


def check_structure(schema: Json, where: str, *, is_in_junctor: bool = False) -> None:
    """As "Specifying a structural schema" says: a type everywhere, and none of it within a logical junctor."""
    assert schema.keys() <= KNOWN, f"{where}: the stand-in does not know {schema.keys() - KNOWN}"
    assert is_in_junctor or schema.get("type") or schema.get(PRESERVES), (
        f"{where}: Required value: must not be empty"
    )
    forbidden = {"description", "type", "default", "additionalProperties", "nullable"}
    assert not (is_in_junctor and forbidden & schema.keys()), f"{where}: not within a junctor"
    assert schema.get("type") != "array" or "items" in schema, (
        f"{where}.items: Required value: must be specified"
    )
    assert not (schema.get("properties") and schema.get("additionalProperties")), (
        f"{where}: mutually exclusive"
    )
    for name, inner in schema.get("properties", {}).items():
        if not (where.count(".") and name == "metadata" and inner == {"type": "object"}):
            check_structure(inner, f"{where}.{name}", is_in_junctor=is_in_junctor)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            check_structure(schema[key], f"{where}.{key}", is_in_junctor=is_in_junctor)
    for key in ("anyOf", "allOf", "oneOf"):
        for inner in schema.get(key, ()):
            check_structure(inner, f"{where}.{key}", is_in_junctor=True)


def judged(document: Json, schema: Json) -> Json:
    """As it would be stored: without what the schema does not name ("Field pruning"), with its defaults ("Defaulting")."""
    own = {key: document[key] for key in OWN if key in document}
    rest = {key: value for key, value in document.items() if key not in OWN}
    found: Json = _defaulted(_pruned(copy.deepcopy(rest), schema), schema)
    return own | found


def _pruned(value: Any, schema: Json) -> Any:
    if isinstance(value, list):
        return [_pruned(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    if isinstance(others, dict):
        return {key: _pruned(inner, others) for key, inner in value.items()}
    keeps = schema.get(PRESERVES) or others
    return {
        key: _pruned(inner, named[key]) if key in named else inner
        for key, inner in value.items()
        if key in named or keeps
    }


def _defaulted(value: Any, schema: Json) -> Any:
    """A null is dropped first where it may not be: "Defaulting and Nullable"."""
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items", {})) for item in value]
    if isinstance(value, float) and schema.get("type") == "integer" and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    found: Json = {}
    for key, inner in value.items():
        its = named.get(key, others if isinstance(others, dict) else {})
        if inner is not None or its.get("nullable") or key not in named:
            found[key] = _defaulted(inner, its)
    for key, its in named.items():
        if "default" in its and key not in found:
            found[key] = _defaulted(copy.deepcopy(its["default"]), its)
    return found


def causes(document: Json, schema: Json) -> list[Cause]:
    """What the schema has against it. "Validation": OpenAPI v3.0's dialect is near JSON Schema's fourth draft."""
    rest = {key: value for key, value in document.items() if key not in OWN}
    ours = {**schema, "required": [key for key in schema.get("required", ()) if key not in OWN]}
    if not ours["required"]:
        del ours["required"]
    found = Draft4Validator(_translated(ours), format_checker=FORMATS).iter_errors(rest)
    return sorted({_cause(problem) for problem in found})


def _translated(schema: Any) -> Any:
    """OpenAPI's `nullable`, and formats that only annotate, in JSON Schema's words."""
    if isinstance(schema, list):
        return [_translated(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if key not in {"nullable", "default"}}
    for key in ("properties",):
        if key in found:
            found[key] = {name: _translated(inner) for name, inner in found[key].items()}
    for key in ("items", "additionalProperties", "anyOf", "allOf", "oneOf", "not"):
        if key in found:
            found[key] = _translated(found[key])
    if schema.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def _cause(problem: ValidationError) -> Cause:
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem.absolute_path
    ).lstrip(".")
    reason = REASONS.get(str(problem.validator), "FieldValueInvalid")
    if problem.validator == "required":
        missing = problem.message.split("'")[1]
        return Cause(f"{path}.{missing}".lstrip("."), reason, "Required value")
    return Cause(path or "<nil>", reason, f"Invalid value: {problem.instance!r}: {problem.message}")
