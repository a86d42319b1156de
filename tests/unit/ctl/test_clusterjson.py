"""A cluster's file: its schema and its parser are two readers of one contract; `validate` knows it by its keys and by its
place.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cni_sriov.conf import cluster
from cni_sriov.ctl import clusterjson, schema
from cni_sriov.words.errors import BadConfig, CniError
from tests import remedies
from tests.remedies import follows
from tests.unit.conf.cluster_table import LOCAL, TABLE, etcd
from tests.unit.conf.conf_table import BAD, GOOD, Json, Row
from tests.unit.ctl.tool import sriovctl
from tests.world import World

CONF = Path(__file__).parents[3] / "conf"
SCHEMA = schema.load(schema.CLUSTER)
DEFS: dict[str, Any] = SCHEMA["$defs"]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/etc/cni-sriov/clusters of this test."""
    path = tmp_path / "clusters"
    path.mkdir()
    monkeypatch.setattr(cluster, "DIRECTORY", str(path))
    return path


def put(path: Path, document: Json | str, mode: int = 0o600) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return path


def parser_takes(document: Json) -> bool:
    try:
        cluster.parse(document)
    except BadConfig:
        return False
    return True


@pytest.mark.parametrize("row", TABLE, ids=[row[0][:80] for row in TABLE])
def test_schema_and_parser_agree(row: Row) -> None:
    _, document, verdict = row

    schema_takes = schema.validator(SCHEMA).is_valid(document)

    expected = {GOOD: (True, True), BAD: (False, False)}.get(verdict, (True, False))
    assert (schema_takes, parser_takes(document)) == expected


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_the_keys_of_the_schema_are_the_parsers() -> None:
    for engine, table in cluster.TABLES.items():
        properties = DEFS[engine]["properties"]
        assert list(properties) == list(table.keys)
        assert all((rule.get("default") == table.defaults.get(key)) for key, rule in properties.items())


def test_every_key_is_described() -> None:
    for engine in cluster.TABLES:
        assert all(rule.get("description") for rule in DEFS[engine]["properties"].values())


def judged(world: World, path: Path) -> list[tuple[str, str, str, int | None, int | None]]:
    run = sriovctl(world, "validate", str(path), "--json")
    found = run.document["findings"]
    assert run.status == bool(found)
    return [(one["path"], one["value"], one["rule"], one["line"], one["column"]) for one in found]


def test_validate_knows_the_file_by_its_keys(world: World, tmp_path: Path) -> None:
    assert judged(world, put(tmp_path / "x.json", LOCAL, 0o644)) == []


def test_validate_names_all_that_is_wrong_and_where(world: World, tmp_path: Path) -> None:
    text = """{
  "engine": "etcd",
  "endpoints": ["https://a:1",
    "http://b:1"],
  "user": "u",
  "perfix": "/x"
}"""

    assert sorted(judged(world, put(tmp_path / "rack.json", text))) == [
        ("", "", '"ca" is a required property', 1, 1),
        ("", "", '"passwordFile" is a dependency of "user"', 1, 1),
        ("endpoints[1]", '"http://b:1"', "must be like https://10.0.0.1:2379; http is for this host alone", 4, 5),
        ("perfix", "", 'unknown key; did you mean "prefix"?', 6, 3),
    ]  # fmt: skip


def test_validate_says_what_only_the_parser_sees(world: World, tmp_path: Path) -> None:
    (found,) = judged(world, put(tmp_path / "rack.json", etcd(endpoints=["https://a:1", "https://a:65536"])))

    assert found[2].startswith('pool would say: read endpoints[1] "https://a:65536": must be like')
    assert found[3:] == (1, 49)


def test_by_its_place_it_is_a_clusters_whatever_its_keys(world: World, directory: Path) -> None:
    assert judged(world, put(directory / "rack.json", LOCAL)) == []
    missing = judged(world, put(directory / "rack.json", {"endpoints": ["https://a:1"]}))
    assert [rule for _, _, rule, _, _ in missing] == [
        '"engine" is a required property',
        '"ca" is a required property',
    ]
    assert "parse JSON" in judged(world, put(directory / "rack.json", "engine: etcd"))[0][2]


def test_by_its_place_it_is_a_secret(world: World, directory: Path) -> None:
    (found,) = judged(world, put(directory / "rack.json", LOCAL, 0o644))

    assert "its mode is 0644, and others must not read it (code 5); chmod 600" in found[2]


def test_their_directory_is_judged_file_by_file(world: World, directory: Path) -> None:
    put(directory / "a.json", LOCAL)
    put(directory / "b.json", {"engine": "etcd"}, 0o644)
    put(directory / "README", "")

    run = sriovctl(world, "validate", str(directory), "--json")
    assert run.status == 1
    assert {one["file"] for one in run.document["findings"]} == {str(directory / "b.json")}
    assert len(run.document["findings"]) == 2
    (directory / "b.json").unlink()
    assert sriovctl(world, "validate", str(directory)).status == 0
    (directory / "a.json").unlink()
    assert (
        "nothing was judged: no cluster has a file there" in sriovctl(world, "validate", str(directory)).out
    )


def test_clusters_are_those_that_have_a_file(directory: Path) -> None:
    for name in ("b.json", "a.json", ".a.json.swp", "README", "b.json~"):
        put(directory / name, LOCAL)

    assert clusterjson.configured() == ["a", "b"]
    for path in directory.iterdir():
        path.unlink()
    assert clusterjson.configured() == []
    directory.rmdir()
    assert clusterjson.configured() == []


def test_a_node_is_called_as_its_host_if_the_file_says_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(directory / "rack.json", LOCAL)
    put(directory / "other.json", LOCAL | {"node": "n7"})

    assert clusterjson.read("rack").node == os.uname().nodename
    assert clusterjson.read("other").node == "n7"

    put(directory / "api.json", {"engine": "kubernetes"})
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "Host-7", "", "", "")))
    assert (clusterjson.read("rack").node, clusterjson.read("api").node) == ("Host-7", "host-7")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "my host", "", "", "")))
    with pytest.raises(BadConfig) as refused:
        clusterjson.read("rack")
    assert "use the host's name \"my host\" as node's: it must be a node's name" in refused.value.msg
    assert 'give "node"' in refused.value.details
    assert clusterjson.read("other").node == "n7"


@pytest.mark.parametrize(
    ("document", "mode", "told", "command"),
    [
        (LOCAL, 0o600, [], ""),
        (None, 0o600, ["read PATH: No such file or directory"], ""),
        (LOCAL, 0o640, ["read PATH: its mode is 0640, and others must not read it"], "chmod 600 PATH"),
        ("{", 0o600, ["PATH: parse JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"], ""),
        ({"engine": "etcd"}, 0o600, ['PATH: "endpoints" is a required property'], ""),
        (etcd(user="u", passwordFile="hunter-2"), 0o600, ["PATH: passwordFile: must be an absolute path"], ""),
        (etcd(password="hunter-2", user=7, passwordFile="/p"), 0o600, ["PATH: password: unknown key", "PATH: user: "], ""),
        (etcd(endpoints=["https://u:hunter-2@h:1"]), 0o600, ["PATH: endpoints[0]: must be like"], ""),
        (etcd(endpoints=["https://h:65536"]), 0o600, ["PATH: a port or an address in it is none"], ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_told_without_a_value(
    directory: Path, document: Json | str | None, mode: int, told: list[str], command: str
) -> None:
    path = directory / "rack.json"
    if document is not None:
        put(path, document, mode)

    found = clusterjson.faults(str(path))

    said = [one.why.replace(str(path), "PATH") for one in found]
    assert [one[: len(wanted)] for one, wanted in zip(said, told, strict=True)] == told
    assert [one.command.replace(str(path), "PATH") for one in found] == [command] * len(told)
    assert "hunter" not in "".join(said)


@follows("ctl/clusterjson", "sriovctl validate")
def test_a_file_that_is_not_there_or_wrong_says_what_to_do(world: World, directory: Path) -> None:
    put(directory / "bad.json", {"engine": "etcd"})
    put(directory / "broken.json", '{"engine": ')
    put(directory / "open.json", LOCAL, 0o640)

    for name, code, words in (
        ("none", 5, "read PATH: No such file or directory"),
        ("bad", 7, 'PATH: read the file: has no "endpoints"'),
        ("broken", 6, "PATH: parse JSON: "),
        ("open", 5, "read PATH: its mode is 0640, and others must not read it"),
    ):
        path = f"{directory}/{name}.json"
        with pytest.raises(CniError) as refused:
            clusterjson.read(name)
        told = refused.value.msg.replace(path, "PATH")
        assert (refused.value.code, told[: len(words)]) == (code, words)
        ((verb, file),) = remedies.followed(refused.value.details)
        assert (verb, file) == ("validate", path)
        assert sriovctl(world, verb, file).status == 1


@pytest.mark.parametrize("name", ["etcd/rack.json", "kubernetes/shared-pool/rack.json"])
def test_a_sample_of_a_cluster_is_one(world: World, name: str) -> None:
    assert judged(world, CONF / name) == []


@pytest.mark.parametrize("name", ["etcd/10-shared.conflist", "kubernetes/shared-pool/10-shared.conflist"])
def test_a_sample_of_a_network_is_one_and_names_the_sample_of_a_cluster(world: World, name: str) -> None:
    (pool,) = json.loads((CONF / name).read_text())["plugins"][0]["ipam"]["pools"]

    assert judged(world, CONF / name) == []
    assert (CONF / name).with_name(f"{pool['blocks']['cluster']}.json").exists()


def test_what_only_a_pod_can_do_is_a_warning(world: World, tmp_path: Path) -> None:
    path = tmp_path / "rack.json"
    path.write_text('{"engine": "kubernetes"}')

    found = sriovctl(world, "validate", str(path), "--json").document["findings"]
    ((severity, told),) = [(one["severity"], one["rule"]) for one in found]
    assert (severity, told.partition(":")[0]) == ("warning", 'no "kubeconfig"')
    assert "the plugin, which is in none, claims nothing by it" in told
