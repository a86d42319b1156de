"""A template of a manifest is judged without the values that are filled in later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ctl.manifests import GIVEN, judge
from tests.world import World

# api/v1/helper.go RenderNetAttDef of the same repository and version
RENDERED = """\
# a comment before it
apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: net-a
  annotations:
    k8s.v1.cni.cncf.io/resourceName: intel.com/sriov
spec:
  config: '{
  "cniVersion":"1.0.0",
  "name":"net-a",  "type":"sriov",  "vlan":0,"spoofchk":"on","vlanQoS":0,"vlanProto":"802.1q","logLevel":"info","ipam":{}
}
'
"""


def test_what_the_operator_renders_is_good(world: World, tmp_path: Path) -> None:
    run = judge(world, tmp_path, RENDERED)

    assert (run.status, GIVEN in run.out) == (0, True), run.out


# written after bindata/manifests/cni-config/sriov/sriov-cni-config.yaml of k8snetworkplumbingwg/sriov-network-operator
# (249e200), with its way of leaving parts out and of putting whole members in
TEMPLATE = """\
apiVersion: "k8s.cni.cncf.io/v1"
kind: NetworkAttachmentDefinition
metadata:
  name: {{.NetName}}
  annotations:
    k8s.v1.cni.cncf.io/resourceName: {{.Resource}}
    {{- include "labels" . | nindent 4 }}
spec:
  config: '{
  "cniVersion":"1.0.0",
  "name":"{{.NetName}}",
{{- if .Chained -}}
  "plugins": [
    {
{{- end -}}
  "type":"{{.Kind}}",
{{- if eq .Kind "sriov" -}}
  "vlan":{{.Vlan}}, "spoofchk":"{{.Spoof}}",
{{- else -}}
  "vlan": "for others",
{{- end -}}
  KNOWN
  {{.Ipam}}
}
{{- if .Chained -}}
  ,
  {{.More}}
  ]
}
{{- end -}}
'
"""


@pytest.mark.parametrize(("known", "status", "words"), [
    ("", 0, "a template with 9 placeholders"),
    ('"trust": "on", "servers": ["{{.Dns}}"],', 0, "deviceID comes from Multus"),
    ('"trust": "yes",', 1, 'plugins[0].trust = "yes": must be "on" or "off"'),
    ('"trusted": {{.Trust}},', 0, "no errors, no warnings"),
    ('"trusted": "on",', 0, 'plugins[0].trusted: unknown key, ignored; did you mean "trust"?'),
])  # fmt: skip
def test_a_template_is_judged_without_its_values(
    world: World, tmp_path: Path, known: str, status: int, words: str
) -> None:
    run = judge(world, tmp_path, TEMPLATE.replace("KNOWN", known))

    assert (run.status, words in run.out) == (status, True), run.out


def test_a_template_of_a_plain_file(world: World, tmp_path: Path) -> None:
    text = '{"name": "n", {{ if .Values.x }}"vlan": {{ .Values.vlan }},{{ end }} "type": "sriov", "master": "{{ .Values.pf }}", "mtu": 9}'

    run = judge(world, tmp_path, text, "x.conf")

    assert "mtu = 9" in run.out
    assert "vlan" not in run.out
