"""conf/netconf.schema.json and conf/host.schema.json: they find everything that is wrong, with paths, and the keys that
nobody reads.

jsonschema lives here and only here. A network's keys are in our spelling already, and null is gone (conf/keycase.py).
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..words.errors import BadConfig, InputOutput
from ..words.jsontext import words
from .finding import Finding, error, refused, warning
from .meant import meant

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    Json = dict[str, Any]

# beside the package: <checkout>/conf, and <bundle>/lib/conf (build/cni-sriov.spec)
# no "..": the bundle has no such directories
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
CONF = os.path.join(_ROOT, "conf")
SCHEMA = os.path.join(CONF, "netconf.schema.json")
HOST = os.path.join(CONF, "host.schema.json")
CLUSTER = os.path.join(CONF, "cluster.schema.json")
_LIMIT = 60
_OF_KEYS = {"required", "dependentRequired", "additionalProperties"}
TYPES = {"boolean": "true or false", "array": "a list", "object": "an object", "string": "a string"}


def load(path: str = SCHEMA) -> Json:
    try:
        with open(path, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except OSError as error:
        raise InputOutput(
            f"read the schema {path}: {error.strerror}",
            "it belongs to the checkout and to the bundle of `make build`",
        ) from error


def errors_of(conf: Json, schema: Json) -> Iterator[Finding]:
    errors = sorted(
        validator(schema).iter_errors(conf), key=lambda found: list(map(str, found.absolute_path))
    )
    seen = set()
    for found in errors:
        for finding in _findings(found):
            # what is wrong with one value is one fault, however many rules forbid it; several keys may be missing
            key = (finding.path, finding.rule if found.validator in _OF_KEYS else "")
            if key not in seen:
                yield finding
            seen.add(key)


def judged(document: Json, path: str, parse: Callable[[Json], object], who: str) -> list[Finding]:
    """By the schema at `path`; where that finds nothing, by the parser, which has the last word."""
    found = list(errors_of(document, load(path)))
    if found:
        return found
    try:
        parse(document)
    except BadConfig as failed:
        found.append(refused(who, failed))
    return found


def _findings(found: ValidationError) -> Iterator[Finding]:
    path = _path(found.absolute_path)
    if found.validator != "additionalProperties":
        yield error(path, _value(found), _rule(found))
        return
    schema: Any = found.schema
    instance: Any = found.instance
    known = list(schema["properties"])
    for key in instance:
        if key not in known:
            yield error(f"{path}.{key}".removeprefix("."), "", f"unknown key{meant(key, known)}")


def validator(schema: Json) -> Draft202012Validator:
    return _kind()(schema)


@functools.cache
def _kind() -> type[Draft202012Validator]:
    """With patterns as ECMA-262 has them: Python's `$` would let a newline at the end through. To make the class takes
    longer than to judge a conf by it.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(_: object, text: str, value: object, __: object) -> Iterator[ValidationError]:
        if isinstance(value, str) and not re.search(text.replace("$", r"\Z"), value):
            yield ValidationError(f"{words(value)} does not match {text}")

    made: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call] # typeshed
    return made


def _path(parts: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _value(found: ValidationError) -> str:
    """Of what is small enough to be read; a missing key has none."""
    if isinstance(found.instance, dict) or found.validator == "required":
        return ""
    return words(found.instance, _LIMIT)


def _rule(found: ValidationError) -> str:
    """A rule that needs words has them as its title; a missing key has jsonschema's own."""
    schema: Json = found.schema if isinstance(found.schema, dict) else {}
    if found.validator in {"required", "dependentRequired"}:
        return found.message.replace("'", '"')
    if "title" in schema:
        return str(schema["title"])
    if "minimum" in schema:
        return f"must be an integer in {schema['minimum']}-{schema['maximum']}"
    if "enum" in schema:
        return f"must be one of {', '.join(_plain(word) for word in schema['enum'])}"
    if found.validator == "type":
        return f"must be {TYPES.get(str(schema['type']), schema['type'])}"
    if found.validator == "minLength":
        return "must not be empty"
    return f"must fit the schema's {found.validator}: {words(found.validator_value)}"


def _plain(word: Any) -> str:
    return word if isinstance(word, str) else words(word)


def unknown(value: Any, schema: Json, root: Json, path: str) -> list[Finding]:
    """Where the schema lists properties and does not say that others are welcome (additionalProperties)."""
    schema = _resolved(_branch(value, schema, root), root)
    found: list[Finding] = []
    if isinstance(value, dict) and "properties" in schema:
        known: Json = schema["properties"]
        for key, inner in value.items():
            where = f"{path}.{key}".removeprefix(".")
            if key in known:
                found += unknown(inner, known[key], root, where)
            elif "additionalProperties" not in schema:
                found.append(warning(where, f"unknown key, ignored{meant(key, list(known))}"))
    elif isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            found += unknown(inner, schema["items"], root, f"{path}[{number}]")
    return found


def _branch(value: Any, schema: Json, root: Json) -> Json:
    """The def for this document or plugin: the schema says it by if/then/else on `plugins` and `type`."""
    schema = _resolved(schema, root)
    while "if" in schema and "properties" not in schema:
        fits = validator(schema["if"]).is_valid(value)
        schema = _resolved(schema.get("then" if fits else "else", {}), root)
    return schema


def _resolved(schema: Json, root: Json) -> Json:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema
