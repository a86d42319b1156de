"""What each verb prints as JSON is published: conf/sriovctl.schema.json has all of it, and a reader finds nothing else.

`sriovctl` of these tests judges every document; here each verb has something to tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cni_sriov.ctl import profile, split
from cni_sriov.ctl.main import COMMANDS
from cni_sriov.state import blocks
from cni_sriov.words.inet import parse_prefix
from tests import published
from tests.unit.ctl.import_node import Node
from tests.unit.ctl.test_bind import card as card  # noqa: PLC0414 # a fixture
from tests.unit.ctl.test_owned import CRI
from tests.unit.ctl.tool import host as host_of
from tests.unit.ctl.tool import sriovctl
from tests.world import World

VERBS = {command.name for command in COMMANDS} - {"metrics"}  # which refuses --json
VF = "0000:01:10.0"


def has(value: Any) -> bool:
    """Nothing within is empty that could be something."""
    return bool(value) and (not isinstance(value, list) or all(map(has, value)))


def test_every_verb_has_its_definition_and_no_definition_lacks_its_verb() -> None:
    schema = published.SCHEMAS[published.OF_VERBS]
    named = {part["$ref"].rpartition("/")[2] for part in schema["anyOf"]}

    assert named == VERBS | {"error"}
    assert named <= schema["$defs"].keys()


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """The node itself, and all below it."""
    if isinstance(node, dict):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(below)


@pytest.mark.parametrize("name", sorted(published.SCHEMAS))
def test_a_key_that_is_there_is_always_there(name: str) -> None:
    Draft202012Validator.check_schema(published.SCHEMAS[name])

    described = [
        node for node in objects(published.SCHEMAS[name]) if {"properties", "required"} <= node.keys()
    ]

    assert described
    for node in described:
        assert sorted(node["required"]) == sorted(node["properties"])


def test_every_reference_leads_somewhere() -> None:
    for node in objects(published.SCHEMAS[published.OF_VERBS]):
        if isinstance(where := node.get("$ref"), str):
            file, _, pointer = where.partition("#")
            target = published.SCHEMAS[file or published.OF_VERBS]
            for part in filter(None, pointer.split("/")):
                target = target[part]
            assert isinstance(target, dict), where


def test_a_day_of_a_node(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each verb once, with something in every list that the document is about."""
    told: dict[str, dict[str, Any]] = {}

    def ask(*argv: str) -> None:
        run = sriovctl(card, *argv, "--state-dir", str(card.state_dir), "--json")
        assert "error" not in run.document, run.out
        told[argv[0]] = run.document

    conf = card.conf(ipam=card.ipam(sticky=True))
    file = card.root / "10-fast.conf"
    file.write_text(json.dumps(conf | {"vlan": 4095}))
    host = card.root / "host.json"
    host.write_text('{"pfs": [{"pf": {"names": ["enp1s0f0"]}, "numvfs": 7, "mtu": 9000}]}')
    call = split.Call(2.0, {"kernel": 1.5}, {"vf.netdev.move": 1.5}, {"node": 0.5})
    of_calls = {verb: [call] for verb in ("ADD", "DEL")}
    monkeypatch.setattr(profile, "run", lambda *_: profile.Profile("fast", "/opt/cni/bin/sriov", of_calls))

    for argv in (
        ("oracle",),
        ("vfs", "enp1s0f0", "7"),
        ("unbind", VF),
        ("restore", VF),
        ("bind", VF, "kernel"),
    ):
        ask(*argv)
    assert card.call("ADD", conf, args=CRI).code == 0
    card.kernel.pfs[0].link.carrier = False  # for the doctor
    for argv in (
        ("status",),
        ("leases",),
        ("explain", "c1"),
        ("baseline",),
        ("doctor",),
        ("gc", "--dry-run"),
    ):
        ask(*argv)
    blocks.of(host_of(card).ledger, "rack").put_pool(parse_prefix("10.10.0.0/16"), 20, 24)
    ask("pool")
    ask("help", "gc")
    ask("version")
    ask("record", str(card.root / "recording"))
    ask("release", "c1", "--yes")
    ask("forget", "shop/web-0", "--dry-run")
    ask("validate", str(file))
    ask("profile", str(file))
    ask("apply", "/host.json")
    node = Node(card)
    node.hold("10.1.0.2", "old")
    told["import"] = node.run("--dry-run", "--json").document

    assert told.keys() == VERBS
    about = {"vfs": "pfs", "apply": "pfs", "oracle": "pfs", "status": "pfs", "doctor": "findings", "leases": "leases", "pool": "clusters",
             "explain": "stories", "baseline": "vfs", "gc": "items", "release": "items", "forget": "items",
             "import": "items", "validate": "findings", "profile": "verbs", "bind": "device", "unbind": "device",
             "restore": "device", "record": "file", "help": "help", "version": "sriovctl"}  # fmt: skip
    assert [verb for verb, key in about.items() if not has(told[verb][key])] == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_what_fails_is_told_alike(world: World, verb: str) -> None:
    run = sriovctl(world, verb, "--json", "--no-such-option")

    assert (run.status, list(run.document["error"])) == (2, ["code", "msg", "details"])


def test_a_key_that_nobody_described_is_found() -> None:
    told: dict[str, Any] = {"version": 1, "dryRun": False, "items": []}
    published.judge("gc", told)

    with pytest.raises(AssertionError, match="sriovctl gc --json"):
        published.judge("gc", told | {"new": 1})
    assert published.validator("gc", is_closed=False).is_valid(told | {"new": 1})  # a reader lives with it
