"""The JSON Schema and the parser are two readers of one contract: they must agree, row by row and key by key."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cni_sriov.conf import hostsubnet, netconf, routeconf
from cni_sriov.conf.keycase import Folded
from cni_sriov.ctl import schema, validate
from cni_sriov.words import versions
from cni_sriov.words.errors import CniError
from tests.unit.conf_table import BAD, GOOD, TABLE, Row

CONF = Path(__file__).parents[2] / "conf"
SCHEMA = schema.load()
DEFS: dict[str, Any] = SCHEMA["$defs"]
NOT_KEYS = {"first", "last", "none", "default", "address", "length"}  # values, and slots of Pool


def parser_takes(conf: dict[str, Any]) -> bool:
    try:
        validate.parse_envelope(conf)
        validate.parse_plugin(conf)
    except CniError as error:
        return error.code not in {1, 2, 7}
    return True


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_schema_and_parser_agree(row: Row) -> None:
    _, conf, verdict = row

    conf = Folded(conf, netconf.known("sriov" if conf.get("type") == "sriov" else "host-subnet")).conf

    schema_takes = not list(schema.errors_of(conf, SCHEMA))

    expected = {GOOD: (True, True), BAD: (False, False)}.get(verdict, (True, False))
    assert (schema_takes, parser_takes(conf)) == expected


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_little_is_left_to_the_parser_alone() -> None:
    assert len([row for row in TABLE if row[2] not in {GOOD, BAD}]) <= 21


@pytest.mark.parametrize("path", sorted(CONF.glob("*.conflist")), ids=lambda path: path.name)
def test_samples_are_good(path: Path) -> None:
    sample = json.loads(path.read_text())

    assert (sample["cniVersion"], validate.judge(sample)) == ("1.0.0", [])


def test_every_key_of_the_plugin_is_in_the_schema() -> None:
    assert set(DEFS["sriov"]["properties"]) == set(netconf.KEYS) | {"cniVersion", "name", "type"}
    assert set(DEFS["pf"]["properties"]) == set(netconf.PF_KEYS)
    assert DEFS["cniVersion"]["enum"] == [*versions.VERSIONS, "", None]


def test_every_key_of_host_subnet_is_in_the_schema() -> None:
    assert set(DEFS["route"]["properties"]) == set(routeconf.KEYS)
    known = {key for name in ("hostSubnet", "pool") for key in DEFS[name]["properties"]}
    known |= set(DEFS["dns"]["properties"])
    runtime = DEFS["sriov"]["properties"]["args"]["properties"]["cni"]["properties"]

    read = keys_read(Path(hostsubnet.__file__))

    assert "ipRanges" in DEFS["sriov"]["properties"]["runtimeConfig"]["properties"]
    assert read - {"ips", "subnets", "ipRanges"} == known - {"type"}
    assert {"ips", "subnets"} <= read & set(runtime)


def test_the_tree_of_known_keys_is_the_schemas() -> None:
    """conf/keycase.py folds what is in the tree and nothing else: a key that is missing there is read in one case alone."""
    sriov, tree = DEFS["sriov"]["properties"], netconf.known("sriov").keys
    runtime, args = sriov["runtimeConfig"]["properties"], sriov["args"]["properties"]["cni"]["properties"]
    ipam = tree["ipam"]({"Type": "host-subnet"})

    assert names(tree) == set(sriov)
    assert names(tree["pf"].keys) == set(DEFS["pf"]["properties"])
    assert names(tree["dns"].keys) == names(ipam.keys["dns"].keys) == set(DEFS["dns"]["properties"])
    assert names(tree["runtimeConfig"].keys) == set(runtime)
    assert names(tree["runtimeConfig"].keys["bandwidth"].keys) == set(runtime["bandwidth"]["properties"])
    assert names(tree["runtimeConfig"].keys["dns"].keys) == set(runtime["dns"]["properties"])
    assert names(tree["args"].keys["cni"].keys) == set(args)
    assert names(ipam.keys) == set(DEFS["hostSubnet"]["properties"])
    assert names(ipam.keys["pools"].keys) == set(DEFS["pool"]["properties"])
    assert names(ipam.keys["routes"].keys) == set(DEFS["route"]["properties"])
    assert names(tree["ipam"]({"type": "static"}).keys) == {"type"}


def names(keys: dict[str, Any]) -> set[str]:
    """Two of which differ by case would be one."""
    assert len({key.lower() for key in keys}) == len(keys)
    return set(keys)


def keys_read(path: Path) -> set[str]:
    """Words that the source looks up in a configuration: _get(x, "key"), x.get("key"), "key" in x, tables of keys."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_get":
            found |= constants(node.args[1:2])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found |= constants(node.args[:1])
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            found |= constants([node.left])
        elif isinstance(node, ast.Tuple):  # tables of (key, type) and (where, source, key)
            found |= constants(node.elts[:1] if len(node.elts) == 2 else node.elts[2:3])
    return {word for word in found if word.isalpha() and not word.isupper()} - NOT_KEYS


def constants(nodes: list[ast.expr]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_key_is_described() -> None:
    lists = [DEFS["sriov"], DEFS["hostSubnet"], DEFS["pool"], DEFS["route"], DEFS["pf"], DEFS["list"]]
    for properties in (one["properties"] for one in lists):
        bare = [key for key, rule in properties.items() if "description" not in described(rule)]
        assert set(bare) <= {"type"}


def described(rule: dict[str, Any]) -> dict[str, Any]:
    return (
        rule if "description" in rule or "$ref" not in rule else dict(DEFS[rule["$ref"].rpartition("/")[2]])
    )


def test_defaults_are_the_parsers() -> None:
    properties = DEFS["sriov"]["properties"]
    made = netconf.parse({"cniVersion": "1.0.0", "name": "n", "master": "x"}, {})
    told = [
        properties[key]["default"]
        for key in ("pfUp", "acceptRA", "announceWait", "verifyTimeout", "logLevel")
    ]

    assert told == [made.pf_up, made.accept_ra, made.announce_wait_ms, made.verify_timeout_ms, made.log_level]
    assert properties["stateDir"]["default"] == netconf.STATE_DIR
    assert DEFS["hostSubnet"]["properties"]["dataDir"]["default"] == hostsubnet.DATA_DIR
    assert DEFS["hostSubnet"]["properties"]["scope"]["default"] == hostsubnet.SCOPE
