"""The host's file: its schema and its parser are two readers of one contract; `validate` knows it by its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cni_sriov.conf import hostfile
from cni_sriov.ctl import hostjson, schema
from cni_sriov.kernel.files import Files
from cni_sriov.words.errors import BadConfig, CniError
from tests.unit.conf.conf_table import BAD, GOOD, Json, Row
from tests.unit.conf.host_table import TABLE, host, one, vfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World

CONF = Path(__file__).parents[3] / "conf"
SCHEMA = schema.load(schema.HOST)
DEFS: dict[str, Any] = SCHEMA["$defs"]


def parser_takes(document: Json) -> bool:
    try:
        hostfile.parse(document)
    except BadConfig:
        return False
    return True


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_schema_and_parser_agree(row: Row) -> None:
    _, document, verdict = row

    schema_takes = Draft202012Validator(SCHEMA).is_valid(document)

    expected = {GOOD: (True, True), BAD: (False, False)}.get(verdict, (True, False))
    assert (schema_takes, parser_takes(document)) == expected


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_keys_of_the_schema_are_the_parsers() -> None:
    assert list(SCHEMA["properties"]) == list(hostfile.FILE.keys)
    assert list(DEFS["entry"]["properties"]) == list(hostfile.ENTRY.keys)
    assert list(DEFS["vfs"]["properties"]) == list(hostfile.VFS.keys)
    assert list(DEFS["pf"]["properties"]) == list(hostfile.PF.keys)
    assert tuple(DEFS["vfs"]["properties"]["driver"]["enum"]) == hostfile.DRIVERS
    for name, table in (("optional", hostfile.ENTRY), ("up", hostfile.ENTRY)):
        assert DEFS["entry"]["properties"][name]["default"] == table.defaults[name]


def test_every_key_is_described() -> None:
    for part in (SCHEMA, DEFS["entry"], DEFS["vfs"], DEFS["pf"]):
        for key, rule in part["properties"].items():
            named = DEFS[rule["$ref"].rpartition("/")[2]] if "$ref" in rule else {}
            assert (named | rule).get("description"), key


def test_a_selector_is_that_of_a_network_but_for_its_vfs() -> None:
    theirs = dict(schema.load()["$defs"]["pf"]["properties"])
    del theirs["vfs"]

    assert DEFS["pf"]["properties"] == theirs


def judged(world: World, path: Path, document: Json | str) -> list[tuple[str, str, str]]:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    run = sriovctl(world, "validate", str(path), "--json")
    found = run.document["findings"]
    assert run.status == bool(found)
    return [(one["path"], one["value"], one["rule"]) for one in found]


def test_validate_knows_the_file_by_its_keys(world: World, tmp_path: Path) -> None:
    assert judged(world, tmp_path / "x.json", (CONF / "host.json").read_text()) == []
    assert judged(world, tmp_path / "x.conf", {"pfs": []}) == []


def test_validate_names_all_that_is_wrong_with_paths(world: World, tmp_path: Path) -> None:
    wrong = vfs({"range": "0-3", "turst": "on"}, {"range": "2", "driver": "igbvf"}, mtu=1, numvfs="many")

    assert judged(world, tmp_path / "host.json", wrong) == [
        ("pfs[0].mtu", "1", "must be an integer in 68-65535"),
        ("pfs[0].numvfs", '"many"', 'must be an integer in 0-65535 or "max"'),
        ("pfs[0].vfs[0].turst", "", 'unknown key; did you mean "trust"?'),
        ("pfs[0].vfs[1].driver", '"igbvf"',
         "must be one of kernel, auto, vfio-pci, uio_pci_generic, igb_uio"),
    ]  # fmt: skip


def test_validate_says_what_only_the_parser_sees(world: World, tmp_path: Path) -> None:
    (found,) = judged(world, tmp_path / "host.json", one(range="0-9"))

    assert "VF 9 is beyond numvfs 7" in found[2]


def test_a_file_that_is_not_there_or_wrong_says_what_to_do(tmp_path: Path) -> None:
    files = Files(str(tmp_path))
    (tmp_path / "bad.json").write_text(json.dumps(host(mtu=1)))
    (tmp_path / "broken.json").write_text('{"pfs": [')

    for name, code, words in (
        ("none", 5, "read /none.json: no such file"),
        ("bad", 7, "/bad.json: read pfs[0].mtu 1: must be an integer in 68-65535"),
        ("broken", 6, "/broken.json: parse JSON: "),
    ):
        with pytest.raises(CniError) as refused:
            hostjson.read(files, f"/{name}.json")
        assert (refused.value.code, refused.value.msg[: len(words)]) == (code, words)
        assert f"`sriovctl validate /{name}.json`" in refused.value.details
