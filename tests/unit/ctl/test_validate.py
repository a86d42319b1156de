"""validate: every finding with its path, what the plugin would say, and the key that was perhaps meant."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import validate
from tests.unit.conf.conf_table import GOOD, TABLE, V4, conf
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import World


def judge(world: World, tmp_path: Path, document: dict[str, Any] | str, *argv: str) -> Run:
    """Under the name that a runtime wants for it."""
    path = tmp_path / ("x.conflist" if "plugins" in document else "x.conf")
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return sriovctl(world, "validate", str(path), *argv)


def listed(*plugins: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": "n", "plugins": list(plugins)} | keys


def test_a_good_one_is_status_0(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, listed({"type": "sriov", "master": "x"}))

    assert (run.status, run.out) == (0, f"{tmp_path}/x.conflist: no errors, no warnings\n")


def test_all_findings_with_paths(world: World, tmp_path: Path) -> None:
    bad = {"type": "sriov", "master": "x", "vlan": 5000, "spoofchk": True,
           "ipam": {"type": "host-subnet", "pools": [V4, V4 | {"subnet": "10.0.0.0/40"}]}}  # fmt: skip

    run = judge(world, tmp_path, listed({"type": "bridge"}, bad), "--json")

    assert run.status == 1
    found = [(f["path"], f["value"], f["rule"]) for f in run.document["findings"]]
    assert found == [
        ("plugins[1].ipam.pools[1].subnet", '"10.0.0.0/40"',
         "must be a subnet in CIDR form, or a list of such, of one IP family"),
        ("plugins[1].spoofchk", "true", 'must be "on" or "off"'),
        ("plugins[1].vlan", "5000", "must be an integer in 0-4094"),
    ]  # fmt: skip


@pytest.mark.parametrize(("plugin", "warning"), [
    (conf(vlanqo=3), 'vlanqo: unknown key, ignored; did you mean "vlanQoS"?'),
    (conf(Vlan=3), 'vlan: is spelled "Vlan" here: taken for "vlan"'),
    (conf(pf={"Names": ["a"]}), 'pf.names: is spelled "Names" here: taken for "names"'),
    (conf(frobnicate=3), "frobnicate: unknown key, ignored\n"),
    (conf(pf={"names": ["a"], "name": "b"}), 'pf.name: unknown key, ignored; did you mean "names"?'),
    (conf(ipam={"type": "host-subnet", "pools": [V4 | {"gatway": "last"}]}), "ipam.pools[0].gatway: unknown key"),
    (conf(ipam={"type": "host-subnet", "pools": [V4], "onLinks": True}), 'did you mean "onlink"?'),
    (listed(conf(trusted="on")), 'plugins[0].trusted: unknown key, ignored; did you mean "trust"?'),
    (listed({"type": "bridge", "ipam": {"type": "host-subnet", "pools": [V4], "pool": []}}), 'did you mean "pools"?'),
])  # fmt: skip
def test_warnings_do_not_fail(world: World, tmp_path: Path, plugin: dict[str, Any], warning: str) -> None:
    run = judge(world, tmp_path, plugin)

    assert run.status == 0
    assert warning in run.out
    assert run.out.endswith("no errors, 1 warning\n")


@pytest.mark.parametrize("keys", [{"ipMasq": True}, {"capabilities": {"x": True}}, {"args": {"cni": {"x": 1}}},
                                  {"runtimeConfig": {"portMappings": []}}] )  # fmt: skip
def test_what_others_put_there_is_no_typo(keys: dict[str, Any]) -> None:
    warned = [finding.path for finding in validate.judge(conf(**keys))]

    assert warned == [key for key in keys if key == "ipMasq"]


def test_a_foreign_ipam_is_not_ours_to_judge(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, conf(ipam={"type": "dhcp", "anything": [1]}))

    assert run.status == 0


def test_what_only_the_parser_sees(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, conf(min_tx_rate=20, max_tx_rate=10))

    assert run.status == 1
    assert "the plugin would say: read min_tx_rate 20: is more than max_tx_rate 10 (code 7)" in run.out


@pytest.mark.parametrize(("text", "words"), [
    ("", "the text is empty"), ("{", "parse JSON"), ("[]", "not an object"), ('{"a": 1, "a": 2}', 'duplicate key "a"'),
])  # fmt: skip
def test_bad_json_is_a_finding(world: World, tmp_path: Path, text: str, words: str) -> None:
    run = judge(world, tmp_path, text)

    assert run.status == 1
    assert words in run.out


def test_no_file_is_an_error(world: World) -> None:
    run = sriovctl(world, "validate", "/nowhere.conf", "--json")

    (finding,) = run.document["findings"]
    assert (run.status, finding["line"]) == (1, None)
    assert finding["rule"] == "read /nowhere.conf: No such file or directory (code 5)"


@pytest.mark.parametrize("main", [{"type": "sriov", "master": "x"}, {"type": "bridge"}])
@pytest.mark.parametrize(("version", "status"), [("0.2.0", 1), ("", 1), ("0.3.0", 0)])
def test_a_result_that_its_version_cannot_carry_is_found(
    world: World, tmp_path: Path, main: dict[str, Any], version: str, status: int
) -> None:
    """As ADD says before it changes anything."""
    pools = [V4, V4 | {"subnet": "10.77.0.0/16"}]
    one = main | {"cniVersion": version, "name": "n", "ipam": {"type": "host-subnet", "pools": pools}}

    run = judge(world, tmp_path, one)

    assert (run.status, "one address per family" in run.out) == (status, bool(status)), run.out


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("put", [make_fifo, link_to_a_device])
@pytest.mark.parametrize("name", ["00-x.conf", "00-x.conflist", "x.yaml"])
def test_what_has_no_end_in_a_directory_is_named_and_not_read(
    world: World, tmp_path: Path, put: Callable[[Path], None], name: str
) -> None:
    directory = tmp_path / "net.d"
    directory.mkdir()
    put(directory / name)
    (directory / "10.conflist").write_text(json.dumps(listed({"type": "sriov", "master": "x", "vlan": 5000})))

    run = sriovctl(world, "validate", str(directory))

    assert run.status == 1
    assert f"{directory}/{name}: it is no regular file" in run.out
    assert "vlan" in run.out, "the other one is judged all the same"


def test_one_in_the_directory_of_a_lists_plugins_too(world: World, tmp_path: Path) -> None:
    (tmp_path / "n").mkdir()
    os.mkfifo(tmp_path / "n/x.conf")

    run = judge(world, tmp_path, listed({"type": "sriov", "master": "x"}))

    assert (run.status, "it is no regular file" in run.out + run.err) == (1, True)


def test_a_pipe_that_is_named_is_read(world: World) -> None:
    """`sriovctl validate <(helm template ...)`"""
    read, write = os.pipe()
    os.write(write, json.dumps(listed({"type": "sriov", "master": "x"})).encode())
    os.close(write)
    try:
        assert sriovctl(world, "validate", f"/dev/fd/{read}").status == 0
    finally:
        os.close(read)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            json.dumps(listed({"type": "sriow", "master": "x"})),
            'ipam of type "host-subnet"; did you mean "sriov"?',
        ),
        (json.dumps(listed({"type": "bridge"})), 'no plugin here is of type "sriov"'),
        ("kind: Pod\n---\nkind: Service\n", "no NetworkAttachmentDefinition is among its 2 documents"),
        ('{"driver": "bridge", "name": "x"}', "none of our plugins"),
    ],
)
def test_nothing_judged_is_no_good_judgement(world: World, tmp_path: Path, text: str, why: str) -> None:
    run = judge(world, tmp_path, text)

    assert run.status == 1
    assert run.out.count("error: nothing was judged") == 1
    assert why in run.out


def test_nor_is_that_of_a_directory_without_ours(world: World, tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "10-b.conflist").write_text(json.dumps(listed({"type": "bridge"})))

    assert (
        "nothing was judged: no .conf, .conflist, .json in it" in sriovctl(world, "validate", str(empty)).out
    )
    assert sriovctl(world, "validate", str(other)).status == 1
    (other / "20-s.conflist").write_text(json.dumps(listed({"type": "sriov", "master": "x"}, name="s")))
    assert sriovctl(world, "validate", str(other)).status == 0, "a network that is not ours is nobody's fault"


def test_several_files_and_directories_are_judged_each(world: World, tmp_path: Path) -> None:
    good, bad, directory = tmp_path / "good.conf", tmp_path / "bad.conf", tmp_path / "net.d"
    good.write_text(json.dumps(conf()))
    bad.write_text(json.dumps(conf(vlan=5000)))
    directory.mkdir()
    (directory / "10.conf").write_text(json.dumps(conf()))
    named = [str(path) for path in (good, tmp_path / "gone.conf", bad, directory)]

    run, document = (
        sriovctl(world, "validate", *named),
        sriovctl(world, "validate", "--json", *named).document,
    )

    verdicts = [line for line in run.out.splitlines() if line.endswith("warnings")]
    errors = ["no errors", "1 error", "1 error", "no errors"]
    assert verdicts == [f"{name}: {told}, no warnings" for name, told in zip(named, errors, strict=True)]
    assert run.status == 1
    assert [(one["file"], one["errors"]) for one in document["files"]] == list(
        zip(named, [0, 1, 1, 0], strict=True)
    )


def test_standard_input_is_called_so(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(conf(vlan=5000))))
    run = sriovctl(world, "validate", "-")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(conf(vlan=5000))))

    assert run.out.startswith("standard input:1:"), tmp_path
    assert run.out.endswith("standard input: 1 error, no warnings\n")
    assert sriovctl(world, "validate", "-", "--json").document["file"] == "standard input"


TWO_FAULTS = {"vpp {'mode': 'x'}", "vpp {'mode': 'host', 'socket': 'api.sock'}"}


def test_one_fault_is_one_error() -> None:
    """Of all rows that the schema and the parser are held to."""
    told = {
        name: [finding.rule for finding in validate.judge(document) if finding.severity == "error"]
        for name, document, verdict in TABLE
        if verdict != GOOD
    }

    assert len(told) > 500
    assert {name: rules for name, rules in told.items() if len(rules) != 1}.keys() == TWO_FAULTS


LAID_OUT = """{
  "cniVersion": "1.0.0", "name": "n",
  "plugins": [
    {"type": "bridge"},
    {"type": "sriov", "master": "x",
     "Vlan": 5000, "ipam": {"type": "host-subnet",
       "pools": [{"subnet": "10.0.0.0/16", "prefixLength": 24},
                 {"subnet": "10.0.0.0/40", "prefixLength": 24}]}}
  ]
}
"""
NAD = """kind: Pod
---
kind: NetworkAttachmentDefinition
metadata: {name: a}
spec:
"""
WHERE = {
    "a key in another case": (LAID_OUT, 6, 6),
    "an element of a list": (LAID_OUT, 8, 19),
    "a comma too many": ('{"type": "sriov",\n "master": "x",\n}', *((2, 15) if sys.version_info >= (3, 13) else (3, 1))),
    "a key that is given twice": ('{"type": "sriov",\n "master": "x", "vlan": 1,\n   "vlan": 2}', 3, 4),
    "what only the parser sees": ('{"cniVersion": "1.0.0", "name": "n", "type": "sriov", "master": "x",\n "max_tx_rate": 5,\n   "min_tx_rate": 10}', 3, 4),
    "a key that is missing": ('{"plugins":\n  [{"type": "sriov", "master": "x"}], "cniVersion": "1.0.0"}', 1, 1),
    "a block in YAML": (NAD + '  config: |\n    {"type": "sriov",\n      "master": "x", "vlan": 5000}\n', 8, 22),
    "a quoted one": (NAD + """  config: '{"type": "sriov", "master": "x", "vlan": 5000}'\n""", 6, 45),
    "one with escapes": (NAD + r'  config: "{\"type\": \"sriov\", \"master\": \"x\", \"vlan\": 5000}"', 6, 53),
    "the object around it": (NAD.replace("{name: a}", "\n  name: 5"), 5, 3),
    "no YAML": ("a: b\nc: [\nd: e: f", 3, 5),
    "in a NAD that is JSON": (
        '{"kind": "NetworkAttachmentDefinition", "metadata": {"name": "a"},\n "spec": {"config": "{\\"type\\": \\"sriov\\", \\"master\\": \\"x\\", \\"vlan\\": 5000}"}}',
        2, 63,
    ),
    "in a template": ('{"name": "{{.Name}}", "type": "sriov", "cniVersion": "1.0.0", "master": "x",\n{{if .V}}\n  "vlan": 5000,{{end}}\n "mtu": 1500}', 3, 3),
}  # fmt: skip


@pytest.mark.parametrize("what", WHERE)
def test_each_error_has_line_and_column(world: World, tmp_path: Path, what: str) -> None:
    text, line, column = WHERE[what]
    path = tmp_path / (
        "x.conflist" if '"plugins"' in text else "x.yaml" if text.startswith(("kind", "a:")) else "x.conf"
    )
    path.write_text(text)

    run = sriovctl(world, "validate", "--json", str(path))

    errors = [one for one in run.document["findings"] if one["severity"] == "error"]
    assert (line, column) in [(one["line"], one["column"]) for one in errors], errors
    shown = sriovctl(world, "validate", str(path)).out
    assert f"{path}:{line}:{column}: error: " in shown


def test_an_error_in_a_plugins_own_file_is_told_of_that_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "n").mkdir()
    (tmp_path / "n/x.conf").write_text('{"type": "sriov", "master": "x",\n "vlan": 5000}')

    run = judge(world, tmp_path, json.dumps(listed()))

    assert f"{tmp_path}/n/x.conf:2:2: error: " in run.out
