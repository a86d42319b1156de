"""The bundle as CRI-O calls it. CRI-O itself was not run: the calls are written from cri-o/ocicni 18fd1eb, pkg/ocicni/ocicni.go
(loadNetworks, SetUpPodWithContext, GetPodNetworkStatusWithContext, checkNetwork, TearDownPodWithContext, loadNetworkFromCache,
GC, StatusWithContext, buildCNIRuntimeConf), none of whose code is here. The library below it is tests/integration/libcni.py;
the network is conf/crio/10-sriov.conflist, on the rig's PF.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import libcni
from tests.integration.libcni import Failed, Json, Libcni, Runtime
from tests.integration.rig import PF, Link, Rig
from tests.pages import ROOT, blocks, fits

pytestmark = [pytest.mark.root, pytest.mark.bundle]

ID = "3f8a" * 16
OTHER = "5c01" * 16
SAMPLE: Json = json.loads((ROOT / "conf/crio/10-sriov.conflist").read_text())
CRIO = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "INVOCATION_ID": "8ab0",
}  # a unit of systemd's


def on_rig(conf: Json) -> Json:
    """The sample, word by word, but for the card's name."""
    return conf | {"plugins": [plugin | {"master": PF} for plugin in conf["plugins"]]}


FAST = on_rig(SAMPLE)


class Crio:
    """CRI-O's plugin manager. `networks` are the files of its directory by their network's name; the first is the default."""

    def __init__(self, rig: Rig, top: Path, networks: list[Json], environ: dict[str, str] = CRIO) -> None:
        bins = libcni.install(top / "bin")
        self.rig, self.environ = rig, environ
        self.cni = Libcni(libcni.rig_runner(rig), [str(bins)], top / "cache", environ)
        self.networks = {conf["name"]: conf for conf in networks}
        for conf in networks:  # loadNetworks
            self.cni.validate(conf)

    def netns(self, pod: str) -> str:
        """CRI-O pins a sandbox's namespace below /var/run/netns, which is a symlink's path on most machines."""
        self.rig.add_pod(pod)
        return f"/var/run/netns/{pod}"

    def runtime(self, container: str, netns: str, ifname: str = "eth0", **wishes: Any) -> Runtime:
        """buildCNIRuntimeConf: its own CNI_ARGS, then those of its environment, then address and MAC."""
        args = [
            ("IgnoreUnknown", "1"),
            ("K8S_POD_NAMESPACE", "shop"),
            ("K8S_POD_NAME", "web-0"),
            ("K8S_POD_INFRA_CONTAINER_ID", container),
            ("K8S_POD_UID", "6c1f"),
        ]
        for pair in self.environ.get("CNI_ARGS", "").split(";"):
            key, sign, value = pair.partition("=")
            args += [(key, value)] if sign else []
        args += [("IP", wishes.pop("ip"))] if "ip" in wishes else []
        annotations = {"io.kubernetes.cri.pod-annotations": {"a": "b"}, "cgroupPath": "/kubepods/pod6c1f"}
        return Runtime(container, netns, ifname, args, annotations | wishes)

    def status(self) -> None:
        self.cni.status(next(iter(self.networks.values())))

    def set_up(self, rt: Runtime, name: str = "fast") -> Json:
        return self.cni.add(self.networks[name], rt)

    def check(self, rt: Runtime, name: str = "fast") -> Json | None:
        """As the kubelet asks for a pod's status, and CRI-O for each sandbox when it starts: from the cache."""
        conf, then = self.cni.cached_config(name, rt)
        self.cni.check(conf, then)
        return self.cni.cached(conf, then)

    def tear_down(self, rt: Runtime, name: str = "fast") -> None:
        """By what the cache has; without it, by the file on disk."""
        try:
            conf, then = self.cni.cached_config(name, rt)
        except FileNotFoundError:
            conf, then = self.networks[name], rt
        self.cni.delete(conf, then)

    def gc(self, pods: list[tuple[str, str, str]]) -> None:
        """For every file of the directory; a network without pods has a slice that was never made: null."""
        valid: dict[str, list[Json]] = {}
        for container, ifname, name in pods:
            valid.setdefault(name, []).append({"containerID": container, "ifname": ifname})
        for name, conf in self.networks.items():
            self.cni.gc(conf, {"valid": valid.get(name)})


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(vfs=2) as rig:
        yield rig


def left(rig: Rig) -> tuple[list[Link], list[str]]:
    return rig.links(), rig.leftovers()


def names(rig: Rig, pod: str) -> list[str]:
    return sorted(link["ifname"] for link in rig.ip("-n", pod, "link", "show"))


def quoted(page: str, tag: str) -> str:
    """What the page says that a user sees, of the rig's PF."""
    (text,) = [block.text for block in blocks(page) if block.tag == tag]
    return text.replace("enp1s0f0", PF)


def said(crio: Crio) -> list[tuple[str, str]]:
    """What came on standard error, which is CRI-O's journal."""
    return [(call.verb, call.err) for call in crio.cni.calls if call.err]


def test_a_pods_life(rig: Rig, tmp_path: Path) -> None:
    """VERSION, STATUS, ADD, CHECK, CHECK after a restart, GC that knows it, DEL from the cache, DEL again."""
    before = left(rig)
    crio = Crio(rig, tmp_path, [FAST])
    rt = crio.runtime(ID, crio.netns("pod"))
    crio.status()

    added = crio.set_up(rt)

    (address,) = [ip["address"] for ip in added["ips"]]
    (seen,) = rig.ip("-n", "pod", "addr", "show", "eth0")
    assert f"{seen['addr_info'][0]['local']}/{seen['addr_info'][0]['prefixlen']}" == address
    assert added["interfaces"][0]["sandbox"] == "/var/run/netns/pod"
    assert crio.check(rt) == added
    crio.gc([(ID, "eth0", "fast")])
    restarted = Crio(rig, tmp_path / "again", [FAST])
    restarted.cni.results = crio.cni.results
    assert restarted.check(rt) == added
    crio.tear_down(rt)
    crio.tear_down(rt)
    crio.tear_down(crio.runtime(ID, ""))
    assert names(rig, "pod") == ["lo"]
    rig.del_pod("pod")
    assert left(rig) == before
    assert said(crio) + said(restarted) == []
    assert [call.verb for call in crio.cni.calls] == [
        "VERSION", "STATUS", "ADD", "CHECK", "GC", "DEL", "DEL", "DEL",
    ]  # fmt: skip


def test_del_goes_by_what_is_cached_when_the_file_was_changed_since(rig: Rig, tmp_path: Path) -> None:
    before = left(rig)
    crio = Crio(rig, tmp_path, [FAST])
    rt = crio.runtime(ID, crio.netns("pod"))
    crio.set_up(rt)
    crio.networks["fast"] = FAST | {"plugins": [{"type": "sriov", "master": "gone0"}]}

    assert crio.check(rt) is not None
    crio.tear_down(rt)

    deleted = crio.cni.calls[-1]
    assert (deleted.verb, deleted.stdin["master"], "prevResult" in deleted.stdin) == ("DEL", PF, True)
    rig.del_pod("pod")
    assert left(rig) == before


def test_gc_with_null_takes_nothing_from_pods_that_have_the_network_by_way_of_multus(
    rig: Rig, tmp_path: Path
) -> None:
    """CRI-O knows of its own attachments alone, and Multus has a cache of its own."""
    crio = Crio(rig, tmp_path, [on_rig(SAMPLE | {"name": "cluster"}), FAST])
    path = crio.netns("pod")
    crio.set_up(crio.runtime(ID, path), "cluster")
    multus = Libcni(crio.cni.run, crio.cni.path, tmp_path / "multus", CRIO)
    multus.add(FAST, Runtime(ID, path, "net1", [("IgnoreUnknown", "true")]))

    crio.gc([(ID, "eth0", "cluster")])

    sent = [call.stdin for call in crio.cni.calls if call.verb == "GC"]
    assert [conf[libcni.KEPT] for conf in sent] == [[{"containerID": ID, "ifname": "eth0"}], None]
    assert names(rig, "pod") == ["eth0", "lo", "net1"]
    multus.check(FAST, Runtime(ID, path, "net1", [("IgnoreUnknown", "true")]))
    assert said(crio) == []


def test_gc_gives_back_the_pod_that_crio_forgot(rig: Rig, tmp_path: Path) -> None:
    """By a DEL from the cache; and where the cache was lost, too, by the GC behind it: with a list, and the network's other pods stay."""
    crio = Crio(rig, tmp_path, [FAST])
    lost, kept = (crio.runtime(container, crio.netns(container[:4])) for container in (ID, OTHER))
    for rt in (lost, kept):
        crio.set_up(rt)
    for path in crio.cni.results.glob(f"*{ID}*"):
        path.unlink()

    crio.gc([(OTHER, "eth0", "fast")])

    assert (names(rig, ID[:4]), names(rig, OTHER[:4])) == (["lo"], ["eth0", "lo"])
    crio.tear_down(kept)


def test_what_the_pod_asks_for_and_what_stands_in_crios_environment(rig: Rig, tmp_path: Path) -> None:
    """The environment's CNI_ARGS come behind its own, doubled; `ip` of the runtime's config as CNI_ARGS IP."""
    environ = CRIO | {"CNI_ARGS": "IgnoreUnknown=true;K8S_POD_NAME=outer;FOO=a=b;broken"}
    crio = Crio(rig, tmp_path, [FAST], environ)
    rt = crio.runtime(ID, crio.netns("pod"), ip="10.10.7.5", bandwidth={"ingressRate": 0, "ingressBurst": 0})

    added = crio.set_up(rt)

    assert [ip["address"] for ip in added["ips"]] == ["10.10.7.5/24"]
    assert crio.cni.calls[-1].env["CNI_ARGS"].count("K8S_POD_NAME=") == 2
    crio.check(rt)
    crio.tear_down(rt)
    assert said(crio) == []


def test_no_vf_is_free_then_one_is(rig: Rig, tmp_path: Path) -> None:
    """The kubelet tries again; STATUS does not make the node NotReady meanwhile; nothing of the refused pod is left."""
    crio = Crio(rig, tmp_path, [FAST])
    pods = [crio.runtime(container * 16, crio.netns(container)) for container in ("aaaa", "bbbb", "cccc")]
    for rt in pods[:2]:
        crio.set_up(rt)

    with pytest.raises(Failed, match="choose a VF: no free VF") as refused:
        crio.set_up(pods[2])

    assert (refused.value.code, str(refused.value).count("(pod shop/web-0), since 20")) == (11, 2)
    seen = f'error adding pod shop_web-0 to CNI network "fast": plugin type="sriov" failed (add): {refused.value}'
    assert fits(quoted("docs/crio.md", "CRI-O: no VF is free"), seen), seen
    crio.status()
    crio.tear_down(pods[2])
    crio.tear_down(pods[0])
    assert names(rig, "cccc") == ["lo"]
    crio.set_up(pods[2])
    for rt in pods[1:]:
        crio.tear_down(rt)
    assert rig.leftovers() == []
