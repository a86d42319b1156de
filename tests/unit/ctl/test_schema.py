"""The JSON Schema and the parser are two readers of one contract: they must agree, row by row and key by key."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cni_sriov.conf import hostsubnet, netconf, planeconf, vppconf
from cni_sriov.conf.keycase import Folded, Known
from cni_sriov.ctl import schema, validate
from cni_sriov.words import versions
from cni_sriov.words.errors import CniError
from tests.unit.conf.conf_table import BAD, GOOD, TABLE, Row

CONF = Path(__file__).parents[3] / "conf"
SCHEMA = schema.load()
DEFS: dict[str, Any] = SCHEMA["$defs"]


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
    assert len([row for row in TABLE if row[2] not in {GOOD, BAD}]) <= 26


@pytest.mark.parametrize(
    "path", sorted(CONF.rglob("*.conflist")), ids=lambda path: str(path.relative_to(CONF))
)
def test_samples_are_good(path: Path) -> None:
    """Debian's runtimes stop at 1.0.0; CRI-O sends GC and STATUS only for 1.1.0."""
    sample = json.loads(path.read_text())

    found = [finding for finding in validate.judge(sample) if finding.severity != "note"]
    version = "1.1.0" if path.parent.name == "crio" else "1.0.0"
    assert (sample["cniVersion"], found) == (version, [])


def test_every_key_of_the_plugin_is_in_the_schema() -> None:
    assert set(DEFS["sriov"]["properties"]) == set(netconf.SRIOV.keys) | {"cniVersion", "name", "type"}
    assert set(DEFS["pf"]["properties"]) == set(netconf.PF.keys)
    assert set(DEFS["sriov"]["properties"]["hugepages"]["properties"]) == set(planeconf.HUGEPAGES.keys)
    assert set(DEFS["vpp"]["properties"]) == set(vppconf.VPP.keys)
    assert set(DEFS["vpp"]["properties"]["tap"]["properties"]) == set(vppconf.TAP.keys)
    assert set(DEFS["dpdk"]["properties"]) == set(planeconf.LEGACY.keys)
    assert DEFS["cniVersion"]["enum"] == [*versions.VERSIONS, "", None]


def test_every_key_of_host_subnet_is_in_the_schema_and_read() -> None:
    """What a table lets through and nobody looks up would be a key that does nothing."""
    known = {key for name in ("hostSubnet", "pool") for key in DEFS[name]["properties"]}

    assert keys_read(Path(hostsubnet.__file__)) == known


def test_the_tree_of_known_keys_is_the_schemas() -> None:
    """conf/keycase.py folds what is in the tree and nothing else: a key that is missing there is read in one case alone."""
    sriov, tree = DEFS["sriov"]["properties"], netconf.known("sriov")
    runtime, args = sriov["runtimeConfig"]["properties"], sriov["args"]["properties"]["cni"]["properties"]

    assert names(tree) == set(sriov)
    assert names(tree, "pf") == set(DEFS["pf"]["properties"])
    assert names(tree, "hugepages") == set(sriov["hugepages"]["properties"])
    assert names(tree, "vpp") == set(DEFS["vpp"]["properties"])
    assert names(tree, "vpp", "tap") == set(DEFS["vpp"]["properties"]["tap"]["properties"])
    assert names(tree, "dpdk") == set(DEFS["dpdk"]["properties"])
    assert names(tree, "dns") == names(tree, "ipam", "dns") == set(DEFS["dns"]["properties"])
    assert names(tree, "runtimeConfig") == set(runtime)
    assert names(tree, "runtimeConfig", "bandwidth") == set(runtime["bandwidth"]["properties"])
    assert names(tree, "runtimeConfig", "dns") == set(runtime["dns"]["properties"])
    assert names(tree, "args", "cni") == set(args)
    assert names(tree, "ipam") == set(DEFS["hostSubnet"]["properties"])
    assert names(tree, "ipam", "pools") == set(DEFS["pool"]["properties"])
    assert names(tree, "ipam", "routes") == set(DEFS["route"]["properties"])
    assert names(tree, "ipam", ipam="static") == {"type"}


def test_what_an_ipam_reads_under_another_plugin_is_a_part_of_that() -> None:
    tree = netconf.known("host-subnet")

    assert names(tree) == {
        *("cniVersion", "name", "type", "ipam", "prevResult", "runtimeConfig", "args", "allowRequests"),
        *("stateDir", "cniDir", "verifyTimeout", "logLevel", "logFile", "master"),
    }
    for below in (("ipam",), ("ipam", "pools"), ("runtimeConfig",), ("args", "cni")):
        assert names(tree, *below) == names(netconf.known("sriov"), *below)


def names(known: Known, *below: str, ipam: str = "host-subnet") -> set[str]:
    """The keys of a table, or of the one below those keys of it; two of them that differ by case would be one."""
    for key in below:
        found = known.keys[key]
        assert found is not None
        known = found if isinstance(found, Known) else found({"Type": ipam})
    assert len({key.lower() for key in known.keys}) == len(known.keys)
    return set(known.keys)


def keys_read(path: Path) -> set[str]:
    """Words that the source looks up in what a table read: x["key"], x.get("key")."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            found |= constants([node.slice])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found |= constants(node.args[:1])
    return found


def constants(nodes: list[ast.expr]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_key_is_described() -> None:
    lists = [DEFS["sriov"], DEFS["hostSubnet"], DEFS["pool"], DEFS["route"], DEFS["pf"], DEFS["list"]]
    lists += [
        DEFS["sriov"]["properties"]["hugepages"],
        DEFS["vpp"],
        DEFS["vpp"]["properties"]["tap"],
        DEFS["dpdk"],
    ]
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
