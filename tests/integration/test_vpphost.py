"""The bundle and a stand-in for the host's VPP, which makes real taps: what `ip` sees, and SIGKILL at every call.

The stand-in is a process of its own in the rig's namespaces. Where the killed one was ended, its next calls put it right, and
nothing is left in VPP, in the pod, or on disk.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel.vpp import Vpp
from tests import checker
from tests.integration.rig import BUNDLE, ROOT, Call, Rig, call
from tests.killing import Point, points, watch

pytestmark = [pytest.mark.root, pytest.mark.bundle]

SOCKET, POD = "/run/vpp/api.sock", "/run/netns/pod"
POOLS = [
    {"subnet": "10.20.0.0/16", "prefixLength": 29},
    {"subnet": "fd00:20::/48", "prefixLength": 64},
]
CONF: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "name": "taps",
    "type": "sriov",
    "vpp": {"mode": "host", "table": 7},
    "mac": "02:00:00:00:aa:01",
    "mtu": 1400,
    "ipam": {"type": "host-subnet", "pools": POOLS, "routes": [{"dst": "10.99.0.0/16"}]},
}
ADD, CHECK = (call(verb, "one", POD, CONF) for verb in ("ADD", "CHECK"))
DEL = call("DEL", "one", "", CONF)
GC = call("GC", "", "", CONF | {"cni.dev/valid-attachments": []})
# what a kill there changes, besides what tests/killing.py knows: a word to VPP is a change as well
TALK = {"connect", "sendto", "recvfrom", "close"}


class Node:
    """A rig with a pod, and VPP in it."""

    def __init__(self, home: Path) -> None:
        self.log = str(home / "strace")
        self.rig = Rig(vfs=0).__enter__()
        self.rig.add_pod("pod")
        self.rig.run("mkdir", "/run/vpp")
        self.vpp = self.start()
        self.before = self.look()

    def start(self) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "tests.vpp", SOCKET]
        vpp = self.rig.inside(subprocess.Popen, argv, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert vpp.stdout is not None
        assert vpp.stdout.readline() == "it listens\n"
        return vpp

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.vpp.send_signal(how)
        self.vpp.communicate()

    def close(self) -> None:
        self.vpp.kill()
        self.vpp.communicate()
        self.rig.close()

    def look(self) -> tuple[list[str], list[str], list[str]]:
        """The pod's interfaces, VPP's, and what is on disk for an attachment."""
        links = [link["ifname"] for link in self.rig.ip("-n", "pod", "link", "show")]
        files = [path for path in self.rig.leftovers() if not checker.is_bounded(path) or "/.tmp-+" in path]
        return links, self.rig.inside(names_in_vpp), files

    def code(self, call: Call) -> int:
        status, answer = self.rig.answer(call)
        return int(answer["code"]) if status else 0


def names_in_vpp() -> list[str]:
    with Vpp(SOCKET) as vpp:
        return [found.name for found in vpp.interfaces()]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    assert BUNDLE.exists(), "no bundle: run `make build`"
    node = Node(tmp_path)
    yield node
    node.close()


def test_the_pod_has_what_the_result_tells(node: Node) -> None:
    status, result = node.rig.answer(ADD)
    assert status == 0, result
    (link,) = node.rig.ip("-n", "pod", "-d", "addr", "show", "net1")
    found = {
        f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if entry["scope"] == "global"
    }
    routes = node.rig.ip("-n", "pod", "route", "show", "10.99.0.0/16")

    assert (link["address"], link["mtu"], link["linkinfo"]["info_kind"]) == ("02:00:00:00:aa:01", 1400, "tun")
    assert "UP" in link["flags"]
    assert found == {"10.20.0.2/29", "fd00:20::2/64"} == {ip["address"] for ip in result["ips"]}
    assert [(route["gateway"], route["dev"]) for route in routes] == [("10.20.0.1", "net1")]
    (interface,) = result["interfaces"]
    assert {key: interface[key] for key in ("name", "mac", "mtu", "sandbox")} == {
        "name": "net1",
        "mac": "02:00:00:00:aa:01",
        "mtu": 1400,
        "sandbox": POD,
    }
    checked = call("CHECK", "one", POD, CONF | {"prevResult": result})
    assert node.code(checked) == 0
    assert node.code(DEL) == 0
    assert node.look() == node.before


def test_the_pod_s_netns_is_gone_and_vpp_still_has_the_tap(node: Node) -> None:
    assert node.code(ADD) == 0
    node.rig.del_pod("pod")
    assert "tap0" in node.rig.inside(names_in_vpp)
    assert node.code(DEL) == 0
    node.rig.add_pod("pod")
    assert node.look() == node.before


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_vpp_ends_and_comes_back(node: Node, how: signal.Signals) -> None:
    """Its taps go with it; DEL is success meanwhile, and the next one ends it."""
    assert node.code(ADD) == 0
    node.stop(how)
    assert node.code(CHECK) == 107
    assert [node.code(DEL), node.code(ADD)] == [0, 11]
    node.vpp = node.start()
    assert node.code(DEL) == 0
    assert node.look() == node.before


def test_a_stopped_vpp_hangs_nobody_for_ever(node: Node) -> None:
    """SIGSTOP: the kernel still connects to its socket, and nothing is answered."""
    os.kill(node.vpp.pid, signal.SIGSTOP)
    try:
        assert node.code(ADD) == 11
    finally:
        os.kill(node.vpp.pid, signal.SIGCONT)
    assert node.code(ADD) == 0
    assert node.code(DEL) == 0
    assert node.look() == node.before


def kill(node: Node, killed: Call, point: Point) -> bool:
    process = node.rig.start(killed._replace(argv=(*point.kill(node.log), *killed.argv)))
    process.communicate()
    return process.returncode != 0


def found_points(node: Node, traced: Call) -> list[Point]:
    status, answer = node.rig.answer(traced._replace(argv=(*watch(node.log), *traced.argv)))
    assert status == 0, answer
    found = points(Path(node.log).read_text())
    return [point for point in found if point.changes or point.call in TALK]


@pytest.mark.stress
@pytest.mark.parametrize("verb", ["ADD", "DEL", "GC"])
def test_killed_at_any_call_nothing_is_left(node: Node, verb: str) -> None:
    """Then a DEL, or the ADD again and its DEL, and always the look of somebody else."""
    seed = int(os.environ.get("KILL_SEED") or random.randrange(1 << 32))
    print(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    killed = {"ADD": ADD, "DEL": DEL, "GC": GC}[verb]
    assert (node.code(ADD), node.code(DEL)) == (0, 0)  # what a node makes once
    if verb != "ADD":
        assert node.code(ADD) == 0
    found = found_points(node, killed)
    assert (node.code(DEL), node.look()) == (0, node.before)
    died = 0
    for point in found:
        if verb != "ADD":
            assert node.code(ADD) == 0
        died += kill(node, killed, point)
        after = chance.choice([[DEL], [GC], [ADD, DEL]])
        codes = [node.code(one) for one in after]
        assert all(code in {0, 106} for code in codes), f"{verb} killed before {point}: {codes}"
        assert node.look() == node.before, f"{verb} killed before {point}, then {codes}"
    print(f"{len(found)} points, {died} times it died")
    assert died >= len(found) * 9 // 10
    lines = [point.line for point in found]
    assert any(SOCKET in line for line in lines), "it does not ask VPP, or the trace does not see it"
