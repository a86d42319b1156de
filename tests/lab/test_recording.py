"""`sriovctl record` on the emulated card with two containers: what the node says itself and what its recording says are the same,
in the guest and, as nobody, on a machine that has no card.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from .ctl import SRIOVCTL
from .node import CONF, IPAM, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

LOOKS = ("status --json", "doctor --json", "oracle --json")
NOBODY = 65534
PATIENCE_S = 150
SECRETS = ("tenant-blue-7f3a", "sesame-4711", "rack17-host")
LONG = "5f0e6a1c" * 8  # as container IDs of runtimes are


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture(scope="module")
def node(lab_module: Vm) -> Node:
    """Three containers have a VF each, another netns one that is not recorded; a conflist has a password in it."""
    node = Node(lab_module)
    node.vm.run(f"hostname {SECRETS[2]}")
    node.create_vfs(3)
    node.add_netns(SECRETS[0], "cache", "other")
    kept = {"kubernetes": {"password": SECRETS[1]}}
    pod = f"K8S_POD_NAMESPACE=shop-9c1e;K8S_POD_NAME={SECRETS[0]}"
    conf = CONF | {"ipam": IPAM, "vlan": 100} | kept
    first = node.cni("ADD", conf, LONG, netns=f"/run/netns/{SECRETS[0]}", args=pod)
    second = node.cni("ADD", conf, SECRETS[0], netns=f"/run/netns/{SECRETS[0]}", ifname="net2")
    third = node.cni("ADD", conf | {"master": PORTS[1]}, "cache")
    assert (first.code, second.code, third.code) == (0, 0, 0), first.text + second.text + third.text
    node.vm.run(f"ip link set {PORTS[0]}v2 netns other")
    listed = {"cniVersion": "1.0.0", "name": "fast", "plugins": [{**conf, "type": "sriov"}]}
    node.vm.run(
        ["sh", "-c", "mkdir -p /etc/cni/net.d; cat > /etc/cni/net.d/10.conflist"], input=json.dumps(listed)
    )
    return node


@pytest.fixture(scope="module")
def live(node: Node) -> dict[str, Any]:
    return {look: said(node, look) for look in LOOKS}


@pytest.fixture(scope="module")
def recorded(node: Node, live: dict[str, Any]) -> str:
    """In the guest."""
    done = node.vm.run(f"{SRIOVCTL} record /root/node.json.gz", check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not recorded" not in done.stdout, done.stdout
    assert node.vm.run("stat -c %a /root/node.json.gz").stdout.strip() == "600"
    return "/root/node.json.gz"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Path]:
    """Where nobody finds the bundle on this machine."""
    home = Path(tempfile.mkdtemp(prefix="replay."))
    shutil.copytree(bundle.directory() / "cni-sriov", home / "cni-sriov", symlinks=True)
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    yield home
    shutil.rmtree(home)


def said(node: Node, arguments: str) -> Any:
    done = node.vm.run(f"{SRIOVCTL} {arguments}", check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return settled(done.stdout)


def settled(text: str) -> Any:
    """Without what moves by itself."""
    return _without(json.loads(text))


def _without(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _without(value) for key, value in raw.items() if key != "counters"}
    return [_without(one) for one in raw] if isinstance(raw, list) else raw


def brought(node: Node, file: str, to: Path) -> Path:
    to.write_bytes(base64.b64decode(node.vm.run(f"base64 -w0 {file}").stdout))
    to.chmod(0o644)
    return to


def test_there_is_something_to_see(live: dict[str, Any]) -> None:
    """By what the fixture did: else two empty answers would be equal."""
    vfs = next(pf for pf in live["status --json"]["pfs"] if pf["name"] == PORTS[0])["vfs"]
    assert [vf["owner"]["containerID"] if vf["owner"] else "" for vf in vfs] == [LONG, SECRETS[0], ""]
    assert [one["name"] for one in live["oracle --json"]["pfs"]] == list(PORTS)
    assert live["doctor --json"]["findings"]


def test_a_replay_says_what_the_node_says(node: Node, live: dict[str, Any], recorded: str) -> None:
    for look in LOOKS:
        assert said(node, f"--replay {recorded} {look}") == live[look], look


def test_and_so_it_does_elsewhere_for_anybody(
    node: Node, live: dict[str, Any], recorded: str, elsewhere: Path
) -> None:
    file = brought(node, recorded, elsewhere / "node.json.gz")

    for look in LOOKS:
        argv = [str(elsewhere / "cni-sriov/sriovctl"), *look.split(), "--replay", str(file)]
        done = subprocess.run(
            argv, capture_output=True, text=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", env={}
        )
        assert done.returncode in {0, 1}, done.stderr
        assert settled(done.stdout) == live[look], look
    assert os.geteuid() == 0, "else it was not another one"


def test_nobody_is_named_in_an_anonymous_one(node: Node, tmp_path: Path) -> None:
    node.vm.run(f"{SRIOVCTL} record --anonymous /root/anonymous.json.gz", timeout=PATIENCE_S)
    file = brought(node, "/root/anonymous.json.gz", tmp_path / "anonymous.json.gz")
    told = node.vm.json("ip -j -d link")
    macs = [one["address"] for one in told if one.get("parentdev", "").startswith("0000:01")]
    # in an answer of the kernel, which is hexadecimal, `5e0000` stands for a number that is 94, too
    shown = [*macs, *(mac[9:] for mac in macs), *(mac.replace(":", "") for mac in macs)]
    text = gzip.decompress(file.read_bytes()).decode()

    assert [secret for secret in (*SECRETS, LONG, LONG[:12], "10.10.0.", "shop-9c1e") if secret in text] == []
    assert len(macs) >= 2
    assert [part for part in shown if part in text] == []
    status = json.loads(node.vm.run(f"{SRIOVCTL} --replay /root/anonymous.json.gz status --json").stdout)
    owners = [vf["owner"]["containerID"] for pf in status["pfs"] for vf in pf["vfs"] if vf["owner"]]
    assert len({*owners}) == len(owners) == 3
