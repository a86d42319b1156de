"""validate on what an operator has: manifests for Multus, templates of them, podman 5's files, a runtime's directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pages import ROOT
from tests.unit.conf.conf_table import V4
from tests.unit.ctl.manifests import GIVEN, Json, judge, nad
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import World

CONF = ROOT / "conf"
SAMPLES = sorted([CONF / "host.json", *CONF.glob("*.conflist"), *CONF.glob("*.yaml")])

NO_VF = "no VF or PF is named"


def findings(run: Run) -> list[tuple[str, str, str]]:
    return [(f["severity"], f["path"], f["rule"]) for f in run.document["findings"]]


@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps])
def test_a_manifest_needs_neither_name_nor_vf(world: World, tmp_path: Path, dump: Any) -> None:
    run = judge(
        world, tmp_path, dump(nad({"cniVersion": "1.0.0", "type": "sriov", "vlan": 100})), "x.yaml", "--json"
    )

    assert (run.status, findings(run)) == (0, [("note", "", GIVEN)])
    assert run.document["findings"][0]["document"] == "NetworkAttachmentDefinition fast"


def test_a_list_in_it_too(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, yaml.safe_dump(nad({"plugins": [{"type": "sriov"}, {"type": "tuning"}]})))

    assert (run.status, f"plugins[0]: {GIVEN}" in run.out) == (0, True)
    assert run.out.endswith("no errors, no warnings\n")


def test_without_a_device_plugin_the_conf_must_name_one(world: World, tmp_path: Path) -> None:
    text = yaml.safe_dump(nad({"type": "sriov"}, resource=""))

    assert (judge(world, tmp_path, text).status, NO_VF in judge(world, tmp_path, text).out) == (1, True)
    assert "--device-id-given" in judge(world, tmp_path, text).out
    given = judge(world, tmp_path, text, "x.yaml", "--device-id-given")
    assert (given.status, "deviceID comes from the runtime" in given.out) == (0, True)


CHOICE: list[tuple[str, Json, str, bool]] = [
    ("no resource", {}, "", True), ("null", {"allowRequests": None}, "", True),
    ("the word", {"allowRequests": ["deviceID"]}, "", True),
    ("a resource", {}, "intel.com/sriov", False), ("narrowed", {"allowRequests": ["mac"]}, "", False),
    ("nothing", {"allowRequests": []}, "", False), ("no capability", {"capabilities": {"deviceID": False}}, "", False),
    ("another plugin", {"type": "host-device"}, "", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "resource", "warned"), [row[1:] for row in CHOICE], ids=[row[0] for row in CHOICE]
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_vf_of_a_pods_own_choice_is_warned_of(
    world: World, tmp_path: Path, keys: Json, resource: str, warned: bool, listed: bool
) -> None:
    plugin = {"type": "sriov", "master": "enp1s0f0", "capabilities": {"deviceID": True}} | keys
    conf = {"plugins": [{"type": "tuning"}, plugin]} if listed else plugin

    run = judge(world, tmp_path, yaml.safe_dump(nad(conf, resource)), "x.yaml", "--json")

    path = "plugins[1].capabilities.deviceID" if listed else "capabilities.deviceID"
    assert (path in [found[1] for found in findings(run)]) == warned, run.out


def test_a_plain_file_gets_the_hint(world: World, tmp_path: Path) -> None:
    text = json.dumps({"cniVersion": "1.0.0", "name": "n", "type": "sriov"})

    assert "if Multus or another names it: --device-id-given" in judge(world, tmp_path, text, "x.conf").out
    assert judge(world, tmp_path, text, "x.conf", "--device-id-given").status == 0
    bad = json.dumps(json.loads(text) | {"vlan": 5000})
    assert judge(world, tmp_path, bad, "x.conf", "--device-id-given").status == 1


def test_master_beside_a_device_plugin_is_told(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, yaml.safe_dump(nad({"type": "sriov", "master": "enp1s0f0"})))

    assert (run.status, f"{GIVEN}: master will be ignored" in run.out) == (0, True)


@pytest.mark.parametrize(("changes", "words"), [
    ({"spec": {"config": '{"type": "sriov", "vlan": 5000}'}}, "vlan = 5000: must be an integer in 0-4094"),
    ({"spec": {"config": "{"}}, "spec.config: parse JSON"),
    ({"spec": {"config": "[]"}}, "spec.config: parse JSON"),
    ({"spec": {"config": {"type": "sriov"}}}, 'spec.config = {"type": "sriov"}: must be a string with JSON in it'),
    ({"metadata": {}}, "metadata.name = null"),
    ({"metadata": {"name": 5}}, "metadata.name = 5"),
    ({"spec": {"config": '{"plugins": [{"type": "sriov"}], "disableCheck": "true"}'}}, "Multus takes no string"),
    ({"spec": {"config": '{"master": "x"}'}}, 'has no "plugins"'),
    ({"spec": {"config": '{"name": "a/b", "type": "sriov", "master": "x"}'}}, "name"),
])  # fmt: skip
def test_what_is_wrong_in_it_is_named(world: World, tmp_path: Path, changes: Json, words: str) -> None:
    run = judge(world, tmp_path, yaml.safe_dump(nad({"type": "sriov"}) | changes))

    assert (run.status, words in run.out) == (1, True), run.out


def test_without_a_spec_multus_takes_a_file(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, yaml.safe_dump(nad("") | {"spec": {}}))

    assert (run.status, "Multus takes the file of that name" in run.out) == (1, True)


def test_of_many_documents_each_is_judged_by_its_name(world: World, tmp_path: Path) -> None:
    others = [{"kind": "ConfigMap", "data": {"a": "{"}}, None, nad({"type": "sriov", "vlan": -1}, name="bad")]
    wrapped = {"kind": "List", "items": [nad({"type": "sriov"}, name="in-list")]}

    run = judge(world, tmp_path, yaml.safe_dump_all([nad({"type": "sriov"}), *others, wrapped]))

    assert run.status == 1
    assert [line.split(": ")[2] for line in run.out.splitlines()[:-1]] == [
        f"NetworkAttachmentDefinition {name}" for name in ("fast", "bad", "bad", "in-list")
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "status", "words"), [
    ("kind: Pod\n", 1, "nothing was judged: no NetworkAttachmentDefinition is among its 1 documents"),
    ("type: sriov\nmaster: x\n", 1, "is YAML, and runtimes read JSON"),
    ("a: [b\n", 1, "is neither JSON nor YAML, line 2 column 1"),
    ("garbage", 1, '"garbage": is no configuration'),
    ("", 1, "the text is empty"),
])  # fmt: skip
def test_what_is_none_is_said(world: World, tmp_path: Path, text: str, status: int, words: str) -> None:
    run = judge(world, tmp_path, text)

    assert (run.status, words in run.out) == (status, True), run.out


# podman 5 writes it so: containers/common libnetwork/types/network.go
NETAVARK: Json = {
    "name": "fast", "id": "0" * 64, "driver": "sriov", "network_interface": "enp1s0f0", "created": "2026-01-01T00:00:00Z",
    "subnets": [{"subnet": "10.10.0.0/16", "gateway": "10.10.0.1"}], "ipv6_enabled": False, "internal": False,
    "dns_enabled": False, "options": {"vlan": "100"}, "ipam_options": {"driver": "none"},
}  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "words"), [
    ({}, 0, "no errors, no warnings"),
    ({"driver": "bridge"}, 1, "none of our plugins"),
    ({"subnets": [{"subnet": "10.10.0.1/16"}]}, 1, 'subnets[0].subnet: "10.10.0.1/16" has host bits set'),
    ({"options": {"vlan": 100}}, 1, "must be an object of strings"),
    ({"options": {"vlan": "5000"}}, 1, "read option vlan 5000: must be an integer in 0-4094"),
    ({"options": {"vlam": "1"}}, 0, "option vlam is none of ours"),
    ({"ipam_options": {"driver": "host-local"}}, 1, 'ipam_options.driver "host-local"'),
    ({"network_interface": None}, 1, "no VF or PF is named"),
    ({"name": "a b"}, 1, "name"),
])  # fmt: skip
def test_a_network_file_of_podman_5(
    world: World, tmp_path: Path, changes: Json, status: int, words: str
) -> None:
    run = judge(world, tmp_path, json.dumps(NETAVARK | changes), "fast.json")

    assert (run.status, words in run.out) == (status, True), run.out


def test_a_directory_is_judged_in_its_order(world: World, tmp_path: Path) -> None:
    good = {"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "sriov", "master": "x"}]}
    other = {"cniVersion": "1.0.0", "name": "pods", "type": "bridge"}
    (tmp_path / "20-b.conflist").write_text(
        json.dumps(good | {"plugins": [{"type": "sriov", "master": "x", "vlan": -1}]})
    )
    (tmp_path / "10-a.conflist").write_text(json.dumps(good))
    (tmp_path / "30-pods.conf").write_text(json.dumps(other))
    (tmp_path / "40.yaml").write_text(yaml.safe_dump(nad({"type": "sriov"})))
    (tmp_path / "readme.txt").write_text("not a network")
    (tmp_path / "sub.conf").mkdir()

    run = sriovctl(world, "validate", str(tmp_path), "--json")

    found = [(f["severity"], f["document"], f["path"]) for f in run.document["findings"]]
    assert run.status == 1
    assert found == [
        ("error", "20-b.conflist", "plugins[0].vlan"),
        ("warning", "20-b.conflist", "name"),
        ("note", "40.yaml NetworkAttachmentDefinition fast", ""),
        ("note", "10-a.conflist", ""),
    ]
    assert "the default network of containerd and CRI-O" in findings(run)[-1][2]


def test_an_empty_directory_is_said(world: World, tmp_path: Path) -> None:
    run = sriovctl(world, "validate", str(tmp_path))

    assert (run.status, "a runtime finds no network" in run.out) == (1, True)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_good(world: World, path: Path) -> None:
    run = sriovctl(world, "validate", str(path))

    assert (run.status, run.out.splitlines()[-1]) == (0, f"{path}: no errors, no warnings")


@pytest.mark.parametrize(("name", "told"), [("fast-device-plugin", True), ("fast", False)])
def test_our_own_manifests_are_good(world: World, name: str, *, told: bool) -> None:
    run = sriovctl(world, "validate", str(ROOT / "conf/kubernetes/multus" / f"{name}.yaml"))

    assert run.status == 0
    assert run.out.endswith("no errors, no warnings\n")
    assert ("deviceID comes from Multus" in run.out) == told


def test_a_clash_is_what_the_plugin_would_say(world: World, tmp_path: Path) -> None:
    conf = {"cniVersion": "1.0.0", "name": "n", "type": "sriov", "master": "x", "vlan": 1, "Vlan": 2}
    run = judge(world, tmp_path, json.dumps(conf), "x.conf")

    assert (run.status, 'has "vlan" and "Vlan" with different values (code 7)' in run.out) == (1, True)


def test_a_good_pool_of_another_main_plugin_keeps_its_own_keys(world: World, tmp_path: Path) -> None:
    conf = {
        "cniVersion": "1.0.0",
        "name": "n",
        "type": "macvlan",
        "Mode": "bridge",
        "ipam": {"type": "host-subnet", "Pools": [V4]},
    }

    run = judge(world, tmp_path, json.dumps(conf), "x.conf")

    assert (run.status, 'ipam.pools: is spelled "Pools" here' in run.out) == (0, True), run.out


def test_plugins_beside_a_manifest_are_not_its(world: World, tmp_path: Path) -> None:
    """libcni looks for them beside a list's file alone (ConfListFromFile, libcni/conf.go, v1.3.0)."""
    (tmp_path / "fast").mkdir()
    (tmp_path / "fast" / "x.conf").write_text('{"type": "sriov", "vlan": 5000}')
    listed = {"cniVersion": "1.0.0", "name": "fast", "plugins": [{"type": "sriov"}]}
    assert judge(world, tmp_path, yaml.safe_dump(nad(listed))).status == 0
    listed["plugins"] = [{"type": "sriov", "master": "enp1s0f0"}]
    assert judge(world, tmp_path, json.dumps(listed), "x.conflist").status == 1
