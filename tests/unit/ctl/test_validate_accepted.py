"""`sriovctl validate` judges a file as its user will use it, and refuses what libcni refuses: issue 7, 2, 4, 5 and 15.

libcni's rules: cni libcni/conf.go NetworkConfFromBytes and NetworkPluginConfFromBytes, pkg/types/types.go PluginConf,
and the cases of libcni/conf_test.go (v1.3.0).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conf_table import V4
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import World

GIVEN = "--device-id-given"
MULTUS = {
    "cniVersion": "1.0.0",
    "name": "net",
    "type": "sriov",
    "vlan": 100,
}  # Multus fills in deviceID and pciBusID
RESOURCE = {"k8s.v1.cni.cncf.io/resourceName": "intel.com/sriov"}


@pytest.fixture
def judge(world: World, tmp_path: Path) -> Any:
    def act(text: str | dict[str, Any], *argv: str, name: str = "") -> Run:
        path = tmp_path / (name or ("x.conflist" if "plugins" in text else "x.conf"))
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return sriovctl(world, "validate", str(path), *argv)

    return act


def listed(*plugins: dict[str, Any], **keys: Any) -> dict[str, Any]:
    conf = {
        "cniVersion": "1.0.0",
        "name": "n",
        "plugins": list(plugins) or [{"type": "sriov", "master": "x"}],
    } | keys
    return {key: value for key, value in conf.items() if value != "absent"}


def nad(config: dict[str, Any] | str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """A NetworkAttachmentDefinition: NPWG's specification v1, section 3."""
    text = config if isinstance(config, str) else json.dumps(config)
    meta = {
        "name": "net1",
        "namespace": "default",
        "annotations": RESOURCE if annotations is None else annotations,
    }
    kind = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}
    return kind | {"metadata": meta, "spec": {"config": text}}


def errors(run: Run) -> list[dict[str, Any]]:
    return [found for found in run.document["findings"] if found["severity"] == "error"]


# 5: who fills in the VF ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conf",
    [
        MULTUS,
        listed({"type": "sriov", "vlan": 100}),
        {**MULTUS, "ipam": {"type": "host-subnet", "pools": [V4]}},
    ],
)
def test_a_conf_for_multus_is_good_where_the_vf_is_given(judge: Any, conf: dict[str, Any]) -> None:
    run = judge(conf, GIVEN)
    assert run.status == 0, run.out + run.err
    assert errors(judge(conf, GIVEN, "--json")) == []


def test_that_a_vf_is_given_hides_no_other_error(judge: Any) -> None:
    run = judge({**MULTUS, "vlan": 5000}, GIVEN)
    assert (run.status, "5000" in run.out) == (1, True), run.out + run.err


NADS: dict[str, dict[str, Any]] = {
    "a conf": MULTUS,
    "a conf without a name": {key: value for key, value in MULTUS.items() if key != "name"},
    "a list": listed({"type": "sriov", "vlan": 100}, {"type": "tuning"}),
    "a list without a name": listed({"type": "sriov"}, name="absent"),
    "no cniVersion": {"type": "sriov"},
}


@pytest.mark.parametrize("config", NADS.values(), ids=NADS)
def test_a_nad_as_json_is_read(judge: Any, config: dict[str, Any]) -> None:
    """Multus puts the NAD's name in where spec.config has none: multus-cni pkg/k8sclient (v4.3.0)."""
    run = judge(nad(config), name="nad.json")
    assert run.status == 0, run.out + run.err
    assert "deviceID comes from Multus" in run.out


YAML = """\
# a comment before it
apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: sriov-net1
  annotations:
    k8s.v1.cni.cncf.io/resourceName: intel.com/intel_sriov_netdevice
spec:
  config: {config}
"""
LITERAL = """|-
    {
      "cniVersion": "0.3.1",
      "type": "sriov",
      "vlan": VLAN
    }
"""
QUOTED = """'{
  "cniVersion": "0.3.1",
  "type": "sriov",
  "name": "sriov-network",
  "vlan": VLAN
}'
"""


@pytest.mark.parametrize(
    "style",
    [
        LITERAL,
        QUOTED,
        '\'{"type": "sriov", "vlan": VLAN}\'\n',
        '"{\\"type\\": \\"sriov\\", \\"vlan\\": VLAN}"\n',
    ],
)
def test_a_nad_as_yaml_is_read_in_each_style(judge: Any, style: str) -> None:
    """The block styles are those of sriov-cni README.md and of the how-to-use page of multus-cni (v4.3.0)."""
    good = judge(YAML.format(config=style.replace("VLAN", "100")), name="nad.yaml")
    bad = judge(YAML.format(config=style.replace("VLAN", "5000")), name="nad.yaml")

    assert good.status == 0, good.out + good.err
    assert "deviceID comes from Multus" in good.out
    assert (bad.status, "5000" in bad.out) == (1, True), bad.out + bad.err


def test_a_nad_that_names_no_resource_names_no_vf(judge: Any) -> None:
    alone = judge(nad(MULTUS, {}), name="nad.json")
    assert (alone.status, "deviceID comes from Multus" in alone.out) == (1, False), alone.out + alone.err
    assert judge(nad(MULTUS, {}), GIVEN, name="nad.json").status == 0
    assert judge(nad({**MULTUS, "master": "x"}, {}), name="nad.json").status == 0


@pytest.mark.parametrize("config", ["{", "[]", '{"name": "n"}'])
def test_a_nad_whose_config_is_none_is_refused(judge: Any, config: str) -> None:
    assert judge(nad(config), name="nad.json").status == 1


def rendered(*lines: str) -> str:
    """What the operator makes of bindata/manifests/cni-config/sriov/sriov-cni-config.yaml: one quoted JSON text."""
    head = '{\n  "cniVersion":"1.0.0",\n  "name":"net-a",  "type":"sriov",  '
    return YAML.format(config="'" + head + ",".join(lines) + "\n}\n'\n")


def test_what_the_operator_renders_is_good(judge: Any) -> None:
    """sriov-network-operator api/v1/helper.go RenderNetAttDef (HEAD of August 2026)."""
    run = judge(
        rendered(
            '"vlan":0',
            '"spoofchk":"on"',
            '"vlanQoS":0',
            '"vlanProto":"802.1q"',
            '"logLevel":"info"',
            '"ipam":{}',
        ),
        name="nad.yaml",
    )
    assert run.status == 0, run.out + run.err


TEMPLATE = """\
apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: {{.SriovNetworkName}}
  namespace: {{.SriovNetworkNamespace}}
  annotations:
    k8s.v1.cni.cncf.io/resourceName: {{.SriovCniResourceName}}
spec:
  config: '{
  "cniVersion":"1.0.0",
  "name":"{{.SriovNetworkName}}",
  "type":"{{.CniType}}",
{{- if eq .CniType "sriov" -}}
  "vlan":{{.SriovCniVlan}},
{{- if .SpoofChkConfigured -}}
  "spoofchk":"{{.SriovCniSpoofChk}}",
{{- end -}}
{{- end -}}
  {{.SriovCniIpam}}
}'
"""


def test_the_operators_template_is_read(judge: Any) -> None:
    run = judge(TEMPLATE, name="template.yaml")
    assert run.status == 0, run.out + run.err
    assert "deviceID comes from Multus" in run.out


def netavark(**options: str) -> dict[str, Any]:
    """/etc/containers/networks/NAME.json, as `podman network create` writes it (podman 5.4, netavark 1.14)."""
    meta = {"name": "n1", "id": "b399d71d", "driver": "sriov", "created": "2026-01-01T00:00:00Z"}
    flags = {"ipv6_enabled": False, "internal": False, "dns_enabled": False}
    return meta | flags | {"options": {"master": "enp1s0f0"} | options, "ipam_options": {"driver": "none"}}


def test_a_network_file_of_podman_is_told_for_what_it_is(judge: Any) -> None:
    """Until podman 5 has a door here no such network works, and that is what its user must learn."""
    run = judge(netavark(vlan="100"), name="n1.json")
    assert (run.status, "netavark" in run.out) == (1, True), run.out + run.err


def test_a_directory_is_all_that_is_in_it(world: World, tmp_path: Path) -> None:
    """The suffixes that libcni loads: conf.go LoadNetworkConf."""
    good, bad = {**MULTUS, "master": "x"}, {**MULTUS, "master": "x", "vlan": 5000}
    directory = tmp_path / "net.d"
    directory.mkdir()
    (directory / "10-a.conflist").write_text(json.dumps(listed()))
    (directory / "20-b.conf").write_text(json.dumps(good))
    (directory / "30-c.json").write_text(json.dumps(good))
    (directory / "README").write_text("no configuration")
    assert sriovctl(world, "validate", str(directory)).status == 0

    (directory / "20-b.conf").write_text(json.dumps(bad))
    run = sriovctl(world, "validate", str(directory))

    assert (run.status, "20-b.conf" in run.out, "5000" in run.out) == (1, True, True), run.out + run.err


# 15: what libcni refuses before we ever see it -----------------------------------------------------------------------

REFUSED: dict[str, dict[str, Any]] = {
    "dns of one string": listed({"type": "sriov", "master": "x", "dns": {"nameservers": "10.0.0.1"}}),
    "search of one string": listed({"type": "sriov", "master": "x", "dns": {"search": "a.example"}}),
    "a number for the domain": listed({"type": "sriov", "master": "x", "dns": {"domain": 5}}),
    "dns of another plugin": listed(
        {"type": "sriov", "master": "x"}, {"type": "tuning", "dns": {"options": "a"}}
    ),
    "a capability of text": listed({"type": "sriov", "master": "x", "capabilities": {"mac": "yes"}}),
    "capabilities of another plugin": listed(
        {"type": "sriov", "master": "x"}, {"type": "t", "capabilities": ["mac"]}
    ),
    "an ipam type of a number": listed({"type": "sriov", "master": "x"}, {"type": "t", "ipam": {"type": 5}}),
    "a plugin without a type": listed({"type": "sriov", "master": "x"}, {"name": "t"}),
    "a plugin with an empty type": listed({"type": "sriov", "master": "x"}, {"type": ""}),
    "a type of a number": listed({"type": "sriov", "master": "x"}, {"type": 5}),
    "a plugin that is none": listed({"type": "sriov", "master": "x"}, "tuning"),  # type: ignore[arg-type] # meant
    "disableCheck": listed(disableCheck="adsf"),
    "disableCheck of a number": listed(disableCheck=1),
    "disableGC": listed(disableGC="adsf"),
    "loadOnlyInlinedPlugins": listed(loadOnlyInlinedPlugins="adsf"),
    "loadOnlyInlinedPlugins without any": listed(plugins="absent", loadOnlyInlinedPlugins=True),
    "cniVersion of a number": listed(cniVersion=1),
    "cniVersions of text": listed(cniVersions="1.0.0"),
    "cniVersions of numbers": listed(cniVersions=[1]),
    "cniVersions that are none": listed(cniVersions=["1.0.0", "abc"]),
    "cniVersions of four parts": listed(cniVersions=["1.0.0.0"]),
    "a cniVersion that is none beside good ones": listed(cniVersion="abc", cniVersions=["1.0.0"]),
    "no name": listed(name="absent"),
    "a name of a number": listed(name=5),
    "plugins of one": listed(plugins={"type": "sriov", "master": "x"}),
    "no plugins": listed(plugins=[]),
}


@pytest.mark.parametrize("conf", REFUSED.values(), ids=REFUSED)
def test_what_libcni_refuses_is_an_error(judge: Any, conf: dict[str, Any]) -> None:
    run = judge(conf, name="x.conflist")
    assert run.status == 1, run.out


TAKEN: dict[str, dict[str, Any]] = {
    "disableCheck of text": listed(disableCheck="TRUE", disableGC="false"),
    "disableCheck": listed(disableCheck=True, disableGC=False, loadOnlyInlinedPlugins="True"),
    "cniVersions": listed(cniVersions=["0.4.0", "1.0.0"], cniVersion="absent"),
    "cniVersions of the future": listed(cniVersions=["0.4.0", "1.0.0", "9.9.9"], cniVersion="absent"),
    "no cniVersions": listed(cniVersions=[]),
    "an empty cniVersion": listed(cniVersion=""),
    "no cniVersion": listed(cniVersion="absent"),
    "null dns": listed({"type": "sriov", "master": "x", "dns": None, "capabilities": None}),
    "null lists in dns": listed({"type": "sriov", "master": "x", "dns": {"nameservers": None}}),
}


@pytest.mark.parametrize("conf", TAKEN.values(), ids=TAKEN)
def test_what_libcni_takes_is_none(judge: Any, conf: dict[str, Any]) -> None:
    run = judge(conf, name="x.conflist")
    assert run.status == 0, run.out


# 4: keys in another case ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["Vlan", "VLAN", "vLan"])
def test_a_key_in_another_case_is_warned_of_and_judged(judge: Any, key: str) -> None:
    good = judge(listed({"type": "sriov", "master": "x", key: 100}), "--json")
    bad = judge(listed({"type": "sriov", "master": "x", key: 5000}), "--json")

    assert (good.status, errors(good)) == (0, [])
    assert [key in json.dumps(found) for found in good.document["findings"]] == [True]
    assert (bad.status, any("5000" in json.dumps(found) for found in errors(bad))) == (1, True)


def test_both_spellings_with_different_values_are_an_error(judge: Any) -> None:
    assert judge(listed({"type": "sriov", "master": "x", "vlan": 1, "Vlan": 2})).status == 1
    assert judge(listed({"type": "sriov", "master": "x", "vlan": 1, "Vlan": 1})).status == 0


@pytest.mark.parametrize(
    "good",
    [
        {"txqueuelen": 500, "allmulti": True, "promisc": False},
        {"allowRequests": ["vlan"]},
        {"master": "a" * 127},
        {"pf": {"names": ["b" * 127]}},
        {"ipam": {"type": "host-subnet", "pools": [V4], "resolvConf": "/etc/resolv.conf"}},
        {
            "ipam": {
                "type": "host-subnet",
                "pools": [V4],
                "routes": [{"dst": "10.99.0.0/16", "table": 100, "mtu": 1400}],
            }
        },
    ],
    ids=json.dumps,
)
def test_the_new_keys_are_known(judge: Any, good: dict[str, Any]) -> None:
    run = judge(listed({"type": "sriov", "master": "x"} | good), "--json")
    assert (run.status, [found for found in run.document["findings"] if "unknown" in found["rule"]]) == (
        0,
        [],
    )


@pytest.mark.parametrize(
    "bad", [{"master": "a" * 128}, {"pf": {"names": ["é" * 64]}}], ids=["master", "pf.names"]
)
def test_a_pfs_name_has_at_most_127_bytes(judge: Any, bad: dict[str, Any]) -> None:
    """ALTIFNAMSIZ is 128: linux/if.h."""
    assert judge(listed({"type": "sriov"} | bad)).status == 1
