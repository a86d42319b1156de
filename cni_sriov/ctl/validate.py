"""`sriovctl validate FILE`: the schema finds everything that is wrong, the plugin's own parser has the last word.

jsonschema lives here and only here. Unknown keys are ignored by the plugin, so they are warnings, with the key that
was perhaps meant.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys

from .. import jsontext, netconf, poolconf, protocol, subnets, versions
from ..errors import BadJson, CniError, InputOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

    Json = dict[str, Any]

# beside the package: <checkout>/conf, and <bundle>/lib/conf (build/cni-sriov.spec)
_ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(__file__))
)  # no "..": the bundle has no such directories
SCHEMA = os.path.join(_ROOT, "conf", "netconf.schema.json")
_LIMIT = 60
_TYPES = {"boolean": "true or false", "array": "a list", "object": "an object", "string": "a string"}


class Finding:
    """`path` like plugins[0].ipam.pools[1].subnet, `value` as JSON, `rule` = what it must be."""

    def __init__(self, severity: str, path: str, value: str, rule: str) -> None:
        self.severity = severity
        self.path = path
        self.value = value
        self.rule = rule

    def to_json(self) -> Json:
        return {"severity": self.severity, "path": self.path, "value": self.value, "rule": self.rule}


def run(file: str) -> list[Finding]:
    try:
        conf = read(file)
    except BadJson as error:
        return [Finding("error", "", "", f"{error.msg} (code {error.code})")]
    return judge(conf)


def read(file: str) -> Json:
    return jsontext.parse_object(_text(file))


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError as error:
        raise InputOutput(f"read {file}: {error.strerror}") from error


def judge(conf: Json) -> list[Finding]:
    """Errors first, in the order of the document; then what only the parser sees; then warnings."""
    schema = load_schema()
    found = list(schema_errors(conf, schema))
    found += _parser_errors(conf)
    found += _unknown(conf, schema, schema, "")
    if not any(_is_ours(plugin) for _, plugin in plugins(conf)):
        found.append(Finding("warning", "", "", _nothing_of_ours(conf)))
    return found


# the schema ----------------------------------------------------------------------------------------------------------


def load_schema() -> Json:
    try:
        with open(SCHEMA, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except OSError as error:
        raise InputOutput(
            f"read the schema {SCHEMA}: {error.strerror}",
            "it belongs to the checkout and to the bundle of `make build`",
        ) from error


def schema_errors(conf: Json, schema: Json) -> Iterator[Finding]:
    errors = sorted(
        validator(schema).iter_errors(conf), key=lambda error: list(map(str, error.absolute_path))
    )
    seen = set()
    for error in errors:
        finding = Finding("error", _path(error.absolute_path), _value(error), _rule(error))
        key = (finding.path, finding.rule)
        if key not in seen:
            yield finding
        seen.add(key)


def validator(schema: Json) -> Draft202012Validator:
    """With patterns as ECMA-262 has them: Python's `$` would let a newline at the end through."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def pattern(_: object, text: str, value: object, __: object) -> Iterator[ValidationError]:
        if isinstance(value, str) and not re.search(text.replace("$", r"\Z"), value):
            yield ValidationError(f"{value!r} does not match {text!r}")

    made: type[Draft202012Validator] = extend(Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call] # typeshed
    return made(schema)


def _path(parts: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _value(error: ValidationError) -> str:
    """Of what is small enough to be read; a missing key has none."""
    if isinstance(error.instance, dict) or error.validator == "required":
        return ""
    text = json.dumps(error.instance)
    return text if len(text) <= _LIMIT else text[:_LIMIT] + "..."


def _rule(error: ValidationError) -> str:
    """A rule that needs words has them as its title; a missing key has jsonschema's own."""
    schema: Json = error.schema if isinstance(error.schema, dict) else {}
    if error.validator in {"required", "dependentRequired"}:
        return error.message
    if "title" in schema:
        return str(schema["title"])
    if "minimum" in schema:
        return f"must be an integer in {schema['minimum']}-{schema['maximum']}"
    if "enum" in schema:
        return f"must be one of {', '.join(map(str, schema['enum']))}"
    if error.validator == "type":
        return f"must be {_TYPES.get(str(schema['type']), schema['type'])}"
    return error.message


# the parser ----------------------------------------------------------------------------------------------------------


def plugins(conf: Json) -> list[tuple[str, Json]]:
    """(path, conf as the plugin gets it): libcni puts name and cniVersion of the list into each."""
    if "plugins" not in conf:
        return [("", conf)]
    inherited = {key: conf[key] for key in ("name", "cniVersion") if key in conf}
    listed = conf["plugins"] if isinstance(conf["plugins"], list) else []
    return [
        (f"plugins[{n}]", plugin | inherited) for n, plugin in enumerate(listed) if isinstance(plugin, dict)
    ]


def _is_ours(plugin: Json) -> bool:
    ipam = plugin.get("ipam")
    return plugin.get("type") == "sriov" or (isinstance(ipam, dict) and ipam.get("type") == "host-subnet")


def _parser_errors(conf: Json) -> list[Finding]:
    found = []
    for path, plugin in plugins(conf):
        if _is_ours(plugin):
            for parse in (parse_envelope, parse_plugin):
                try:
                    parse(plugin)
                except CniError as error:
                    rule = f"the plugin would say: {error.msg} (code {error.code})"
                    hint = f"; {error.details}" if error.details else ""
                    found.append(Finding("error", path, "", rule + hint))
                    break
    return found


def parse_envelope(plugin: Json) -> None:
    """What the door judges before the configuration."""
    protocol.check_version(plugin, "ADD", versions.VERSIONS[0])
    protocol.check_name(plugin.get("name"))


def parse_plugin(plugin: Json) -> None:
    """As ADD would; CniError is its answer."""
    ipam = plugin.get("ipam", {})
    if plugin.get("type") == "sriov":
        conf = netconf.parse(plugin, {})
        if conf.ipam.get("type") == "host-subnet":
            poolconf.parse(conf.ipam, conf.runtime_config, conf.args_cni, {})
        return
    asked = poolconf.parse(ipam, {}, {}, {})
    subnets.check_main_plugin(asked, foreign=True)
    protocol.check_carries_routes(str(plugin.get("cniVersion") or versions.VERSIONS[0]), asked.routes)


def _nothing_of_ours(conf: Json) -> str:
    types = [str(plugin.get("type", "")) for _, plugin in plugins(conf)]
    close = any(difflib.get_close_matches(name, ["sriov"]) for name in types)
    meant = '; did you mean "sriov"?' if close else ""
    return (
        f'no plugin here is of type "sriov" or has an ipam of type "host-subnet": nothing was judged{meant}'
    )


# unknown keys --------------------------------------------------------------------------------------------------------


def _unknown(value: Any, schema: Json, root: Json, path: str) -> list[Finding]:
    """Where the schema lists properties and does not say that others are welcome (additionalProperties)."""
    schema = _resolved(_branch(value, schema, root), root)
    found: list[Finding] = []
    if isinstance(value, dict) and "properties" in schema:
        known: Json = schema["properties"]
        for key, inner in value.items():
            where = f"{path}.{key}".removeprefix(".")
            if key in known:
                found += _unknown(inner, known[key], root, where)
            elif "additionalProperties" not in schema:
                found.append(Finding("warning", where, "", f"unknown key, ignored{_meant(key, list(known))}"))
    elif isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            found += _unknown(inner, schema["items"], root, f"{path}[{number}]")
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


def _meant(key: str, known: list[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(key.lower(), by_lower, n=1, cutoff=0.7)
    return f'; did you mean "{by_lower[close[0]]}"?' if close else ""
