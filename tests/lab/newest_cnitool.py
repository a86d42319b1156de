"""libcni as the archive has it last, by its own cnitool: the verbs of CNI 1.1.0 as well. `make lab-cnitool`.

Debian 12's and 13's cnitool is 1.1.2, which knows neither GC nor STATUS; sid's source is compiled with the newest Go of the
machine's own distribution. This `gc` first sends a DEL for each attachment in libcni's own cache, then GC without a list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import cache, go
from .apt import private_apt
from .guest import Done
from .node import CNI_PATH, CONF, IPAM, PLUGIN_DIR, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

SUITE = "sid"
SOURCE, MODULE = "golang-github-appc-cni", "github.com/containernetworking/cni"
CNITOOL = "/usr/local/bin/cnitool-of-the-archive"
NETWORKS = "/tmp/networks"
CACHED = "/var/lib/cni/results"  # libcni's
FAST: dict[str, Any] = {"type": "sriov", "master": PORTS[0], "vlan": 100, "ipam": IPAM}


def newest() -> Path:
    """The program of the newest source that the archive has; built once for each."""
    apt = private_apt()
    sid = apt.of(SUITE)
    source = sid.source_name(SOURCE)

    def build(directory: Path) -> None:
        tarball = sid.source(SOURCE, directory / "source")
        with go.workshop(apt, tarball, MODULE, directory / "scratch", apt.suite.newest) as shop:
            shop.build(directory, "cnitool")

    key = cache.key_of(source, apt.suite.codename, Path(go.__file__).read_bytes())
    found = cache.ensure("cnitool-newest", key, build)
    print(f"cnitool of {source}")
    return found / "cnitool"


@pytest.fixture(scope="module")
def program() -> bytes:
    return newest().read_bytes()


@pytest.fixture
def host(node: Node, program: bytes) -> Iterator[Node]:
    """The node with that cnitool, two namespaces and a network of 1.1.0; without libcni's cache at the end."""
    node.vm.put(CNITOOL, program, 0o755)
    node.add_netns("c1", "c2")
    put(node, FAST)
    yield node
    node.vm.run(f"rm -rf {NETWORKS} {CACHED}")


def put(node: Node, plugin: dict[str, Any]) -> None:
    listed = {"cniVersion": "1.1.0", "name": "fast", "plugins": [plugin]}
    node.vm.put(f"{NETWORKS}/10-fast.conflist", json.dumps(listed))


def cnitool(node: Node, verb: str, netns: str = "c1") -> Done:
    env = {"CNI_PATH": f"{PLUGIN_DIR}:{CNI_PATH}", "NETCONFPATH": NETWORKS}
    return node.vm.run([CNITOOL, verb, "fast", f"/run/netns/{netns}"], env=env, check=False)


def done(node: Node, verb: str, netns: str = "c1") -> str:
    """It has to succeed."""
    answer = cnitool(node, verb, netns)
    assert answer.returncode == 0, f"{verb} {netns}: {answer.stdout} {answer.stderr}"
    return answer.stdout


def attached(node: Node) -> dict[str, list[str]]:
    """By netns: its VFs, as the kernel has them."""
    namespaces = node.vm.run("ip netns list | cut -d' ' -f1").stdout.split()
    return {name: [pci for pci in node.links(name) if pci.startswith("0000:")] for name in sorted(namespaces)}


def test_every_verb_from_add_to_del(host: Node) -> None:
    before = host.card()
    assert done(host, "status") == ""

    result = json.loads(done(host, "add"))

    assert result["cniVersion"] == "1.1.0"
    assert [ip["address"] for ip in result["ips"]] == host.addresses("c1", "eth0")
    (pci,) = attached(host)["c1"]
    (inside,) = [face for face in result["interfaces"] if face.get("sandbox")]
    link = host.links("c1")[pci]
    assert (inside["pciID"], inside["mac"], inside["mtu"]) == (pci, link["address"], link["mtu"])
    assert host.vf(PORTS[0], 0)["vlan_list"] == [{"vlan": 100}]
    assert done(host, "check") == ""
    host.vm.run("ip -n c1 link set eth0 down")
    drifted = cnitool(host, "check")
    assert drifted.returncode == 1
    assert "eth0" in drifted.stderr
    host.vm.run("ip -n c1 link set eth0 up")
    assert done(host, "del") == ""
    assert (attached(host), host.card(), host.state_files()) == ({"c1": [], "c2": []}, before, [])
    assert done(host, "del") == "", "a second DEL has nothing to do"


def test_gc_deletes_what_libcni_has_in_its_cache_and_sends_no_list(host: Node) -> None:
    before = host.card()
    for name in ("c1", "c2"):
        done(host, "add", name)

    done(host, "gc")

    assert (attached(host), host.card(), host.state_files()) == ({"c1": [], "c2": []}, before, [])


def test_gc_without_a_list_takes_what_is_dead_and_nothing_else(host: Node) -> None:
    """libcni has lost its cache, as after a reboot of its own: the plugin's proof alone decides."""
    vfs = {}
    for name in ("c1", "c2"):
        done(host, "add", name)
        (vfs[name],) = attached(host)[name]
    theirs = host.addresses("c2", "eth0")
    host.vm.run(f"rm -rf {CACHED}")
    files = host.state_files()

    done(host, "gc")
    assert (attached(host), host.state_files()) == ({name: [vf] for name, vf in vfs.items()}, files)

    host.vm.run("ip netns del c1")
    host.wait_for(lambda: vfs["c1"] in host.links())
    told = cnitool(host, "gc", "c2")

    assert told.returncode == 0, told.stderr
    assert "garbage collected" in told.stderr
    assert attached(host) == {"c2": [vfs["c2"]]}
    assert len(host.state_files()) * 2 == len(files), "of one attachment as much as of the other"
    assert host.addresses("c2", "eth0") == theirs != []
    answer = host.cni(
        "DEL", CONF | FAST | {"cniVersion": "1.1.0"}, container_id(host), netns="/run/netns/c2", ifname="eth0"
    )
    assert answer.code == 0, answer.text


def container_id(node: Node) -> str:
    """Of the one attachment that is there: cnitool makes it from the path of the netns."""
    (name,) = {path.rsplit("/", 1)[1].partition("@")[0] for path in node.state_files() if "/sriov/" in path}
    return name


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ({"master": "enp9s9"}, "enp9s9"),
        ({"statusOnFull": "error", "ipam": IPAM | {"pools": [{"subnet": "10.10.0.0/24", "prefixLength": 24}]}}, "10.10.0.0/24"),
    ],
)  # fmt: skip
def test_status_says_why_no_add_can_be_served(host: Node, plugin: dict[str, Any], said: str) -> None:
    put(host, FAST | plugin)
    if "ipam" in plugin:
        assert done(host, "status") == ""
        done(host, "add")

    told = cnitool(host, "status")

    assert told.returncode == 1
    assert said in told.stderr
    if "ipam" in plugin:
        done(host, "del")
        assert done(host, "status") == ""
