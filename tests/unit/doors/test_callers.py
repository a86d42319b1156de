"""Calls as real callers wrap them, through both doors on the fake kernel: ADD, CHECK and DEL go through, with GC where
the caller has it, and the world is as before. Each row says from which source it was written; none of its code is here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from cni_sriov.doors import cni
from tests.world import Reply, World

POD = "/run/netns/pod1"
ID = "3f8a" * 16
LISTED = "cni.dev/valid-attachments"
LISTED_TOO = "cni.dev/attachments"  # libcni/api.go, GCNetworkList: it sends both


class Caller(NamedTuple):
    """How one caller makes a call. `keys`: what it puts into the conf beside name, cniVersion and prevResult.
    `keeps`: what its GC says when the pod is alive, and when it has none; None = it has no GC. `first`: verbs that it
    sends before ADD.
    """

    source: str
    args: str
    keys: dict[str, Any] = {}
    version: str | None = "1.1.0"
    container: str = ID
    keeps: tuple[dict[str, Any], dict[str, Any]] | None = None
    first: tuple[str, ...] = ()


MULTUS_OWN = (
    f"IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID={ID};K8S_POD_UID=u-1"
)
CRI = f"K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID={ID}"
OCICNI = (
    f"IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_INFRA_CONTAINER_ID={ID};K8S_POD_UID=u-1"
)


def listed(*names: str) -> dict[str, Any]:
    entries = [{"containerID": name, "ifname": "net1"} for name in names]
    return {LISTED: entries, LISTED_TOO: entries}


NO_LIST: dict[str, Any] = {LISTED: None, LISTED_TOO: None}  # a nil slice of Go

CALLERS = {
    # the conf has no cniVersion: buildOneConfig writes the empty one of PluginConf
    "libcni, no cniVersion": Caller("containernetworking/cni libcni/api.go buildOneConfig, 3f51e88", "", version=""),
    "hand-made, no cniVersion": Caller("containernetworking/cni SPEC.md section 1, 3f51e88", "", version=None),
    "libcni 0.2.0": Caller("containernetworking/cni pkg/types/020/types.go, 3f51e88", "", version="0.2.0"),
    "libcni 0.3.1": Caller("containernetworking/cni pkg/types/040/types.go, 3f51e88", "", version="0.3.1"),
    # its own args, then those of its environment, which are the runtime's: each of them twice
    "multus thin below containerd": Caller(
        "k8snetworkplumbingwg/multus-cni pkg/types/conf.go newCNIRuntimeConf, 95a0932",
        f"{MULTUS_OWN};{CRI}",
        {"runtimeConfig": {"deviceID": "0000:01:10.0", "mac": "02:00:00:00:0a:01"}, "deviceID": "0000:01:10.0"},
        version="0.3.1",
        keeps=(listed(ID), listed()),
    ),
    # what the pod's annotation asks for comes twice, and so does the device (pkg/multus/multus.go, delegateAddDeviceID)
    "multus thin, asked by an annotation": Caller(
        "k8snetworkplumbingwg/multus-cni pkg/types/conf.go newCNIRuntimeConf, 95a0932",
        f"{MULTUS_OWN};MAC=02:00:00:00:0a:04;IP=10.10.7.5/24",
        {
            "runtimeConfig": {"deviceID": "0000:01:10.0", "mac": "02:00:00:00:0a:04", "ips": ["10.10.7.5/24"]},
            "deviceID": "0000:01:10.0",
            "pciBusID": "0000:01:10.0",
            "master": None,
        },
    ),
    "multus thin below CRI-O": Caller(
        "k8snetworkplumbingwg/multus-cni pkg/types/conf.go, 95a0932, and cri-o/ocicni pkg/ocicni/ocicni.go, 18fd1eb",
        f"{MULTUS_OWN};{OCICNI}",
        {"args": {"cni": {"ips": ["10.10.7.2"]}}},
        keeps=(listed(ID), listed()),
    ),
    "multus thick, a value with =": Caller(
        "k8snetworkplumbingwg/multus-cni pkg/types/conf.go newCNIRuntimeConf, 95a0932", f"{MULTUS_OWN};LABEL=a=b;"
    ),
    "podman 4 with CNI_ARGS in its environment": Caller(
        "containers/common libnetwork/cni/run.go getRuntimeConfig, 2f131ee",
        "IgnoreUnknown=1;K8S_POD_NAME=web;IgnoreUnknown=true;K8S_POD_NAME=outer;MAC=02:00:00:00:0a:02;IP=10.10.9.2",
        {"capabilities": {"ips": True}, "runtimeConfig": {"aliases": {"fast": ["web"]}}},
        version="0.4.0",
    ),
    "CRI-O with CNI_ARGS in its environment": Caller(
        "cri-o/ocicni pkg/ocicni/ocicni.go buildCNIRuntimeConf and GC, 18fd1eb",
        f"{OCICNI};IgnoreUnknown=1;K8S_POD_NAME=p",
        {
            "runtimeConfig": {
                "bandwidth": {"ingressRate": 1, "ingressBurst": 1, "egressRate": 10_000_000, "egressBurst": 1},
                "cgroupPath": "/kubepods/p",
                "io.kubernetes.cri.pod-annotations": {"a": "b"},
            }
        },
        keeps=(listed(ID), listed()),
    ),
    "CRI-O whose pods have the network by way of Multus": Caller(
        "cri-o/ocicni pkg/ocicni/ocicni.go GC, 18fd1eb", OCICNI, keeps=(NO_LIST, listed())
    ),
    # structs without JSON tags
    "containerd's CRI plugin": Caller(
        "containerd/go-cni namespace.go, namespace_opts.go and types.go, 3dbce1d",
        CRI,
        {
            "runtimeConfig": {
                "portMappings": [{"HostPort": 80, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""}],
                "bandwidth": {"IngressRate": 0, "IngressBurst": 0, "EgressRate": 10_000_000, "EgressBurst": 1},
                "dns": {"Servers": ["192.0.2.1"], "Searches": None, "Options": None},
                "ipRanges": None,
            }
        },
        version="1.0.0",
    ),
    "nerdctl": Caller(
        "containerd/nerdctl pkg/ocihook/ocihook.go applyNetworkSettings, 03ead5c",
        "IP=10.10.9.2;MAC=02:00:00:00:0a:03;NERDCTL_CNI_DHCP_HOSTNAME=h;IgnoreUnknown=1",
        version="1.0.0",
        container=f"default-{ID}",
        first=("DEL",),
    ),
    "cnitool": Caller(
        "containernetworking/cni cnitool/cmd/root.go and gc.go, 3f51e88",
        "",
        container="cnitool-77383ca0a0715733ca6f",
        keeps=({}, listed()),
    ),
    "a runtime that sends the old name of the list": Caller(
        "containernetworking/cni SPEC.md (GC) and issue 1101, 3f51e88", "", keeps=({LISTED_TOO: listed(ID)[LISTED]}, listed())
    ),
}  # fmt: skip


class Calls:
    """One caller's calls of one network, as libcni makes them."""

    def __init__(self, world: World, caller: Caller, door: str) -> None:
        self.world, self.caller, self.door = world, caller, door
        keys = (
            {"type": "bridge", "master": None, "bridge": "br0", "isGateway": True}
            if door == "host-subnet"
            else {}
        )
        self.conf = world.conf(**(caller.keys | keys), ipam=world.ipam(), cniVersion=caller.version)

    def call(self, verb: str, netns: str = POD, **keys: Any) -> Reply:
        args = self.caller.args if verb in {"ADD", "CHECK", "DEL"} else ""
        about = (self.caller.container, netns, "net1") if verb in {"ADD", "CHECK", "DEL"} else ("", "", "")
        env = dict(zip(("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"), about, strict=True))
        env |= {"CNI_COMMAND": verb, "CNI_ARGS": args, "CNI_PATH": "/opt/cni/bin", "PATH": "/usr/bin:/bin"}
        said: list[str] = []
        write: Callable[[int, str], None] = lambda fd, text: said.append(text) if fd == 1 else None  # noqa: E731
        stdin = json.dumps(self.conf | keys)
        code = cni.main(env, lambda: stdin, write, self.world._host, self.door)  # noqa: SLF001
        return Reply(code, "".join(said))


@pytest.fixture
def node(world: World) -> World:
    """Its PF knows what its VFs are called, as after their first `up`."""
    for vf in world.kernel.pfs[0].vfs:
        vf.state.mac = vf.link.mac if vf.link else ""
    return world


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
@pytest.mark.parametrize("name", CALLERS)
def test_a_callers_round_leaves_the_world_as_before(node: World, name: str, door: str) -> None:
    caller = CALLERS[name]
    calls, before = Calls(node, caller, door), node.snapshot()
    version = caller.version or "0.1.0"

    for verb in caller.first:
        assert calls.call(verb, "").code == 0
    added = calls.call("ADD")
    assert added.code == 0, added.text
    assert added.document["cniVersion"] == version
    addresses = [ip["address"] for ip in added.document.get("ips", [])] or [added.document["ip4"]["ip"]]
    assert [address.rpartition("/")[2] for address in addresses] == ["24"]
    told: dict[str, Any] = {} if version < "0.4.0" else {"prevResult": added.document}
    if version >= "0.4.0":
        checked = calls.call("CHECK", **told)
        assert checked.code == 0, checked.text
    if caller.keeps:
        version = calls.conf["cniVersion"] = "1.1.0"
        alive = calls.call("GC", **caller.keeps[0])
        assert alive.code == 0, alive.text
        assert calls.call("CHECK").code == 0
    if caller.keeps and door == "sriov":
        assert calls.call("GC", **caller.keeps[1]).code == 0
        assert node.snapshot() == before
    for netns in (POD, ""):  # and again, as the kubelet does
        deleted = calls.call("DEL", netns, **told)
        assert (deleted.exit_code, deleted.document) == (0, {}), deleted.text
    assert node.snapshot() == before


def test_every_caller_names_its_source() -> None:
    """Repository, file or page in it, and version."""
    form = re.compile(r"[\w.-]+/[\w.-]+ [\w./-]+\.(go|md)\b.*, [0-9a-f]{7}")
    assert [name for name, caller in CALLERS.items() if not form.fullmatch(caller.source)] == []
