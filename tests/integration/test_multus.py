"""The bundle as Multus calls it, thin below containerd and CRI-O, and thick. Multus itself was not run: the calls are written
from k8snetworkplumbingwg/multus-cni 95a0932 (pkg/multus/multus.go: CmdAdd, DelegateAdd, delPlugins, CmdCheck, CmdDel, CmdGC,
getIfname; pkg/types/conf.go: LoadDelegateNetConf, delegateAddDeviceID, addDeviceIDInConfList, mergeCNIRuntimeConfig,
newCNIRuntimeConf, delegateRuntimeConfig; pkg/server/exec_chroot.go: ExecPlugin; deployments/multus-daemonset-thick.yml) and
k8snetworkplumbingwg/network-attachment-definition-client 46fcc41 (pkg/utils/cniconfig.go), none of whose code is here. The
library below it is tests/integration/libcni.py.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.inside import NEWNS
from tests.integration import libcni
from tests.integration.libcni import Failed, Json, Libcni, Runtime
from tests.integration.rig import PF, PF_PCI, Link, Rig, vf_pci
from tests.pages import blocks, fits

pytestmark = [pytest.mark.root, pytest.mark.bundle]

ID = "3f8a" * 16
POD = "/run/netns/pod"
RESOURCE = "intel.com/sriov_netdevice"
DEVINFO = "/var/run/k8s.cni.cncf.io/devinfo"
IPAM = {"type": "host-subnet", "pools": [{"subnet": "10.20.0.0/16", "prefixLength": 29}]}
CLUSTER: Json = {
    "cniVersion": "1.1.0",
    "name": "cluster",
    "plugins": [{"type": "sriov", "master": PF, "ipam": IPAM}],
}
CAPABLE = {
    "capabilities": {"ips": True, "deviceID": True, "CNIDeviceInfoFile": True, "mac": True},
    "ipam": IPAM,
}
# what the runtime gives the thin plugin; Multus passes all of its environment on
CONTAINERD = (
    "K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;"
    f"K8S_POD_INFRA_CONTAINER_ID={ID}"
)
OCICNI = f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID={ID};K8S_POD_UID=u-1"
# what a daemon in a pod has: nothing of CNI
DAEMON = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "HOSTNAME": "node-1",
    "MULTUS_NODE_NAME": "node-1",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
}


@dataclass
class Delegate:
    """One network of the pod. `device`: what the kubelet says that the device plugin gave; `ips`, `mac`, `ifname`, `annotated`
    (a deviceID): what the pod's annotation asks for.
    """

    name: str
    conf: Json
    master: bool = False
    device: str = ""
    ips: list[str] = field(default_factory=list)
    ifname: str = ""
    annotated: str = ""

    @property
    def has_device(self) -> str:
        return self.device or self.annotated


def nad(name: str, config: Json, device: str = "", **asked: Any) -> Delegate:
    """A NetworkAttachmentDefinition: its name where the config has none; the device twice, in each plugin of a list."""
    conf: Json = json.loads(json.dumps({"name": name} | config))
    for plugin in libcni.plugins_of(conf) if device else ():
        plugin |= {"deviceID": device, "pciBusID": device}
    return Delegate(f"shop/{name}", conf, device=device, **asked)


class Multus:
    """`environ`: of the process that starts the delegates: the thin plugin's, with the runtime's CNI_ARGS, or the daemon's."""

    def __init__(self, rig: Rig, top: Path, environ: dict[str, str], **start: Any) -> None:
        self.rig, self.environ = rig, environ
        self.scratch = top / "multus"
        self.cleaned: list[str] = []  # device info files that its DEL left to it
        bins = libcni.install(top / "bin")
        runtimes = [path for path in environ.get("CNI_PATH", "").split(":") if path]
        self.cni = Libcni(libcni.rig_runner(rig, **start), [str(bins), *runtimes], self.scratch, environ)

    # verbs -----------------------------------------------------------------------------------------------------------

    def add(self, delegates: list[Delegate], netns: str = POD) -> list[Json]:
        """One after the other; if one fails, it and all before it are deleted, the last one first."""
        self.scratch.mkdir(exist_ok=True)
        (self.scratch / ID).write_text(json.dumps([vars(delegate) for delegate in delegates]))
        results = []
        for number, delegate in enumerate(delegates):
            rt, path = self._runtime(delegate, number, netns)
            if path and delegate.device:
                self._copy_from_device_plugin(path, delegate.device)
            try:
                results.append(self._delegate_add(delegate, rt))
            except Failed:
                self._delete(delegates[: number + 1], netns)
                raise
        return results

    def check(self, delegates: list[Delegate], netns: str = POD) -> None:
        """Of those that its own configuration has; networks of the pod's annotation are not among them."""
        for number, delegate in enumerate(delegates):
            self.cni.check(delegate.conf, self._runtime(delegate, number, netns)[0])

    def delete(self, netns: str = POD) -> list[str]:
        """By what it kept at ADD. All are deleted, whatever fails; without it, it can do nothing and says success."""
        try:
            kept = json.loads((self.scratch / ID).read_text())
        except FileNotFoundError:
            return []
        delegates = [Delegate(**one) for one in kept]
        delegates[0].master = True
        failed = self._delete(delegates, netns)
        (self.scratch / ID).unlink()
        return failed

    def gc(self, cluster: Json) -> None:
        """Of the cluster's network alone; valid is whatever the cache has, of every network."""
        told = [json.loads(path.read_text()) for path in sorted(self.cni.results.iterdir())]
        valid = [{"containerID": one["containerId"], "ifname": one["ifName"]} for one in told]
        self.cni.gc(cluster, {"valid": valid})

    # delegates -------------------------------------------------------------------------------------------------------

    def _delegate_add(self, delegate: Delegate, rt: Runtime) -> Json:
        assert rt.ifname not in names(self.rig, Path(rt.netns).name), "validateIfName"
        if delegate.ips:  # also the way that was deprecated in 3.5, which DEL does not go
            rt.args.append(("IP", ",".join(delegate.ips)))
        return self.cni.add(delegate.conf, rt)

    def _delete(self, delegates: list[Delegate], netns: str) -> list[str]:
        failed = []
        for number, delegate in reversed(list(enumerate(delegates))):
            rt, path = self._runtime(delegate, number, netns)
            try:
                self.cni.delete(delegate.conf, rt)
            except Failed as error:
                failed.append(str(error))
            if path and self.rig.inside(Path(path).exists):
                self.cleaned.append(path)
                self.rig.inside(Path(path).unlink)
        return failed

    def _runtime(self, delegate: Delegate, number: int, netns: str) -> tuple[Runtime, str]:
        ifname = delegate.ifname or ("eth0" if delegate.master else f"net{number}")
        wishes: Json = {}
        if delegate.ips and not delegate.master:
            wishes["ips"] = delegate.ips
        path = ""
        if delegate.has_device and not delegate.master:
            path = f"{DEVINFO}/cni/{delegate.name.replace('/', '-')}-{ID}_{ifname}"
            wishes |= {"deviceID": delegate.has_device, "CNIDeviceInfoFile": path}
        return Runtime(ID, netns, ifname, self._args(), wishes), path

    def _args(self) -> list[tuple[str, str]]:
        """Its own, then those of its environment: a value that it lacks is filled in, all else comes behind, twice or not."""
        args = [
            ("IgnoreUnknown", "true"),
            ("K8S_POD_NAMESPACE", "shop"),
            ("K8S_POD_NAME", "web-0"),
            ("K8S_POD_INFRA_CONTAINER_ID", ID),
            ("K8S_POD_UID", "u-1"),
        ]
        for pair in self.environ.get("CNI_ARGS", "").split(";"):
            key, sign, value = pair.partition("=")
            args += [(key, value)] if sign else []
        return args

    def _copy_from_device_plugin(self, path: str, device: str) -> None:
        """If it left a file; never over one that is there."""

        def copy() -> None:
            told = Path(f"{DEVINFO}/dp/{RESOURCE.replace('/', '-')}-{device}-device.json")
            if told.exists() and not Path(path).exists():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(told.read_text())

        self.rig.inside(copy)


# where it runs -------------------------------------------------------------------------------------------------------


def thin(rig: Rig, top: Path, args: str) -> Multus:
    """Started by the runtime, whose CNI_* it has."""
    environ = {"PATH": "/usr/bin:/bin", "CNI_COMMAND": "ADD", "CNI_CONTAINERID": ID, "CNI_IFNAME": "eth0"}
    return Multus(rig, top, environ | {"CNI_ARGS": args, "CNI_NETNS": POD, "CNI_PATH": "/opt/cni/bin"})


def thick(rig: Rig, top: Path) -> Multus:
    """A daemon in a privileged pod: its own mount namespace, a root of its own, the node's below /hostroot, where it starts the
    plugin by chroot alone: the working directory stays where the daemon's is, outside of that root.
    """
    rig.run("mkdir", "-p", "/run/pod/hostroot", "/run/pod/usr/src/multus-cni")
    rig.run("mount", "--rbind", "/", "/run/pod/hostroot")

    def enter() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(NEWNS):
            raise OSError(ctypes.get_errno(), "unshare")
        os.chdir("/run/pod/usr/src/multus-cni")
        os.chroot("/run/pod/hostroot")

    return Multus(rig, top, DAEMON, preexec_fn=enter)


WAYS = {
    "thin below containerd": lambda rig, top: thin(rig, top, CONTAINERD),
    "thin below CRI-O": lambda rig, top: thin(rig, top, OCICNI),
    "thin, asked by its environment": lambda rig, top: thin(rig, top, f"{CONTAINERD};FOO=a=b;broken"),
    "thick": thick,
}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(vfs=3) as rig:
        rig.add_pod("pod")
        yield rig


def left(rig: Rig) -> tuple[list[Link], list[str], list[str]]:
    devinfo = rig.inside(lambda: sorted(str(path) for path in Path(f"{DEVINFO}/cni").glob("*")))
    return rig.links(), rig.leftovers(), devinfo


def names(rig: Rig, pod: str = "pod") -> list[str]:
    return sorted(link["ifname"] for link in rig.ip("-n", pod, "link", "show"))


def macs(rig: Rig) -> dict[str, str]:
    """Of the VFs while they are in the host."""
    return {link.name: link.mac for link in rig.links()}


def mac_in_pod(rig: Rig, ifname: str) -> str:
    return str(rig.ip("-n", "pod", "link", "show", ifname)[0]["address"])


def device_info(rig: Rig, name: str, ifname: str) -> Json:
    """What Multus then puts into the pod's network-status."""
    told: Json = json.loads(rig.inside(Path(f"{DEVINFO}/cni/shop-{name}-{ID}_{ifname}").read_text))
    return told


def three(device: str) -> list[Delegate]:
    """The cluster's network; one whose VF the device plugin chose; a list whose VF we choose, with an address asked for."""
    chain = {"cniVersion": "1.0.0", "plugins": [{"type": "sriov", "master": PF, **CAPABLE}]}
    return [
        Delegate("cluster", CLUSTER, master=True),
        nad("fast", {"cniVersion": "1.0.0", "type": "sriov", **CAPABLE}, device),
        nad("slow", chain, ips=["10.20.7.4"], ifname="data0"),
    ]


# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_pods_life(rig: Rig, tmp_path: Path, way: str) -> None:
    before, mac = left(rig), macs(rig)
    multus = WAYS[way](rig, tmp_path)

    results = multus.add(three(vf_pci(2)))

    assert names(rig) == ["data0", "eth0", "lo", "net1"]
    assert mac_in_pod(rig, "net1") == mac["vf2"], "the one that the device plugin chose"
    assert device_info(rig, "fast", "net1")["pci"] == {"pci-address": vf_pci(2), "pf-pci-address": PF_PCI}
    assert [result["interfaces"][0]["name"] for result in results] == ["eth0", "net1", "data0"]
    assert results[0]["interfaces"][0]["pciID"] == vf_pci(0)
    assert results[2]["ips"][0]["address"] == "10.20.7.4/29"
    multus.check([Delegate("cluster", CLUSTER, master=True)])
    assert multus.delete() == []
    assert multus.delete("") == [], "the kubelet's second one, without a namespace"
    calls = [(call.verb, call.ifname) for call in multus.cni.calls]
    assert calls == [
        ("ADD", "eth0"), ("ADD", "net1"), ("ADD", "data0"), ("CHECK", "eth0"),
        ("DEL", "data0"), ("DEL", "net1"), ("DEL", "eth0"),
    ]  # fmt: skip
    assert names(rig) == ["lo"]
    assert multus.cleaned == [], "what we wrote we removed"
    assert left(rig) == before
    assert [(call.verb, call.err) for call in multus.cni.calls if call.err] == []


def test_what_is_sent_is_what_multus_sends(rig: Rig, tmp_path: Path) -> None:
    """Of the calls themselves: doubled CNI_ARGS, the device three times over, the daemon's environment, DEL with the result."""
    doubled = thin(rig, tmp_path / "thin", CONTAINERD)
    doubled.add(three(vf_pci(2)))
    doubled.delete()
    daemon = thick(rig, tmp_path / "thick")
    daemon.add(three(vf_pci(2)))
    daemon.delete()

    added = next(call for call in doubled.cni.calls if (call.verb, call.ifname) == ("ADD", "net1"))
    assert added.env["CNI_ARGS"].split(";").count(f"K8S_POD_INFRA_CONTAINER_ID={ID}") == 2
    assert [added.stdin[key] for key in ("deviceID", "pciBusID")] == [vf_pci(2)] * 2
    assert added.stdin["runtimeConfig"]["deviceID"] == vf_pci(2)
    asked = next(call for call in doubled.cni.calls if (call.verb, call.ifname) == ("ADD", "data0"))
    assert (asked.env["CNI_ARGS"].rpartition(";")[2], asked.stdin["runtimeConfig"]) == (
        "IP=10.20.7.4", {"ips": ["10.20.7.4"]},
    )  # fmt: skip
    told = [
        call.stdin["prevResult"]["interfaces"][0]["name"] for call in doubled.cni.calls if call.verb == "DEL"
    ]
    assert told == ["data0", "net1", "eth0"]
    theirs = daemon.cni.calls[0].env
    assert theirs["CNI_ARGS"].count("K8S_POD_NAME=") == 1
    assert DAEMON.items() <= theirs.items()


def test_where_the_device_plugin_left_a_file_it_is_compared_and_left_alone(rig: Rig, tmp_path: Path) -> None:
    told = {"type": "pci", "version": "1.1.0", "pci": {"pci-address": vf_pci(2)}, "by": "the device plugin"}

    def leave() -> None:
        path = Path(f"{DEVINFO}/dp/{RESOURCE.replace('/', '-')}-{vf_pci(2)}-device.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(told))

    rig.inside(leave)
    multus = thin(rig, tmp_path, CONTAINERD)

    multus.add(three(vf_pci(2)))

    assert device_info(rig, "fast", "net1") == told
    assert multus.delete() == []
    assert len(multus.cleaned) == 1
    assert left(rig)[1:] == ([], [])


def test_the_one_that_fails_and_all_before_it_are_deleted(rig: Rig, tmp_path: Path) -> None:
    """The last one first, also the one that never was: DEL of that is success, and the world as before."""
    before = left(rig)
    multus = thin(rig, tmp_path, OCICNI)
    many = [*three(vf_pci(2)), nad("more", {"cniVersion": "1.0.0", "type": "sriov", "master": PF})]

    with pytest.raises(Failed, match="choose a VF: no free VF") as refused:
        multus.add(many)

    assert (refused.value.code, str(refused.value).count(f"claimed by {ID[:12]}/")) == (11, 3)
    deleted = [call.ifname for call in multus.cni.calls if call.verb == "DEL"]
    assert deleted == ["net3", "data0", "net1", "eth0"]
    assert left(rig) == before


def test_a_device_that_another_pod_has_is_refused_by_its_name(rig: Rig, tmp_path: Path) -> None:
    """The kubelet's and our accounts differ, as after a restart of the device plugin."""
    multus = thin(rig, tmp_path, CONTAINERD)
    fast = {"cniVersion": "1.0.0", "type": "sriov", **CAPABLE}
    other = Libcni(multus.cni.run, multus.cni.path, tmp_path / "other", {})
    rig.add_pod("other")
    other.add(nad("fast", fast, vf_pci(2)).conf, Runtime("other", "/run/netns/other", "net1"))

    with pytest.raises(Failed, match="claimed by other/net1 of network fast"):
        multus.add([Delegate("cluster", CLUSTER, master=True), nad("fast", fast, vf_pci(2))])

    assert (names(rig), names(rig, "other")) == (["lo"], ["lo", "net1"])


@pytest.mark.parametrize("device", ["", vf_pci(0)])
def test_what_the_page_quotes_is_what_the_pods_event_has(rig: Rig, tmp_path: Path, device: str) -> None:
    multus = thin(rig, tmp_path, CONTAINERD)
    fast = {"cniVersion": "1.0.0", "type": "sriov", **CAPABLE}
    pod = [("IgnoreUnknown", "1"), ("K8S_POD_NAMESPACE", "shop"), ("K8S_POD_NAME", "web-0")]
    for number in range(3):
        rig.add_pod(f"p{number}")
        holder = nad("fast", fast, vf_pci(number)).conf
        multus.cni.add(holder, Runtime(f"{number}a" * 32, f"/run/netns/p{number}", "net1", pod))

    with pytest.raises(Failed) as refused:
        multus.add([nad("fast", fast, device) if device else nad("fast", {"master": PF, **fast})])

    seen = f'[shop/web-0/u-1:fast]: error adding container to network "fast": {refused.value}'
    tag = "Multus: the device is taken" if device else "Multus: no VF is free"
    (text,) = [block.text for block in blocks("docs/multus.md") if block.tag == tag]
    assert fits(text.replace("enp1s0f0", PF), seen), seen


def test_its_gc_is_of_the_clusters_network_and_leaves_the_others(rig: Rig, tmp_path: Path) -> None:
    """A container that Multus forgot is given back there; networks by annotation are never collected by it."""
    multus = thin(rig, tmp_path, CONTAINERD)
    multus.add(three(vf_pci(2)))
    for path in multus.cni.results.glob("cluster-*"):
        path.unlink()

    multus.gc(CLUSTER)

    assert names(rig) == ["data0", "lo", "net1"]
    assert multus.delete() == []
    assert rig.leftovers() == []
