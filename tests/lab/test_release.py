"""An attachment whose container told nobody that it went: status and gc say so, release gives it back, and of the living one
too, on the operator's word; GC without a list takes back the dead alone. The card is looked at by `ip`, processes by /proc.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from .guest import Done
from .node import FULL, IPAM, PLUGIN_DIR, Node

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF = "0000:01:10.0"
NETNS = "netns-0c4d1d2e-7a5f-4c51-bd0a-6a0f6c9d5c1e"  # as podman names them
NEW: dict[str, Any] = FULL | {"cniVersion": "1.1.0"}


def sriovctl(node: Node, words: str) -> Done:
    return node.vm.run(f"{PLUGIN_DIR}/sriovctl {words}", check=False)


def comes_home(node: Node, vf: str = VF) -> bool:
    return vf in node.links()


def test_a_netns_that_a_mount_alone_keeps_is_told_and_released(node: Node) -> None:
    """podman was killed during ADD, and `rm -f` made no call."""
    node.add_netns(NETNS)
    path = f"/run/netns/{NETNS}"
    added = node.cni("ADD", FULL, "c1", netns=path)
    assert added.code == 0, added.text
    gone = f"which the mount {path} keeps; if that container is gone: sriovctl release c1/net1"

    status, collected = sriovctl(node, "status"), sriovctl(node, "gc")
    (vf,) = [
        vf
        for pf in json.loads(sriovctl(node, "status --json").stdout)["pfs"]
        for vf in pf["vfs"]
        if vf["owner"]
    ]

    assert gone in status.stdout, status.stdout
    assert gone in collected.stdout, collected.stdout
    assert (vf["pci"], vf["keptBy"]) == (VF, [path])
    assert not comes_home(node), "gc has no proof"
    asked = sriovctl(node, "release c1/net1 < /dev/null")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True), asked.stderr

    released = sriovctl(node, "release c1/net1 --yes")

    assert released.returncode == 0, released.stderr
    assert comes_home(node)
    assert node.state_files() == []
    assert sriovctl(node, "release c1/net1 --yes").returncode == 0
    assert node.cni("DEL", FULL, "c1", netns=path).code == 0, "the runtime comes after all"
    node.vm.run(f"ip netns del {NETNS}")


def test_of_a_living_container_the_processes_are_told_and_live_on(node: Node) -> None:
    node.add_netns("c1")
    assert node.cni("ADD", FULL, "c1").code == 0
    pid = node.vm.run("ip netns exec c1 sleep 1000 > /dev/null 2>&1 & echo $!").stdout.strip()
    node.wait_for(lambda: node.vm.run(f"cat /proc/{pid}/comm", check=False).stdout == "sleep\n")

    planned = sriovctl(node, "release c1 --dry-run")
    assert f"in its network namespace /run/netns/c1: sleep (pid {pid})" in planned.stdout, planned.stdout
    assert (VF in node.links("c1"), "no process" in sriovctl(node, "status").stdout) == (True, False)

    released = sriovctl(node, "release c1 --yes")

    assert released.returncode == 0, released.stderr
    assert (VF in node.links("c1"), comes_home(node)) == (False, True)
    assert node.vm.run(f"cat /proc/{pid}/comm").stdout == "sleep\n", "nothing is ended"
    node.vm.run(f"kill {pid}")


def test_who_finds_no_vf_is_told_by_whom_and_gets_one_after_a_release(node: Node) -> None:
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-{}"
    for number in range(7):
        node.add_netns(f"c{number}")
        added = node.cni("ADD", FULL | {"mac": None, "ipam": IPAM}, f"c{number}", args=args.format(number))
        assert added.code == 0, added.text
    node.add_netns("c7")

    refused = node.cni("ADD", FULL, "c7")

    assert refused.code == 11, refused.text
    for number in range(7):
        assert f"claimed by c{number}/net1 of network fast (pod shop/web-{number}), since 20" in refused.text
    assert "`sriovctl release CONTAINER/IFNAME`" in refused.text
    assert sriovctl(node, "release c3/net1 --yes").returncode == 0
    node.vm.run("udevadm settle")
    assert node.cni("ADD", FULL, "c7").code == 0
    for name in ("c0", "c1", "c2", "c4", "c5", "c6", "c7"):
        assert node.cni("DEL", FULL, name).code == 0


def test_gc_without_a_list_takes_back_what_is_dead_and_says_nothing_on_the_way(node: Node) -> None:
    """cnitool 1.3.0 sends none."""
    node.add_netns("dead", "alive")
    calls = [
        node.cni("STATUS", NEW, ""),
        node.cni("ADD", NEW | {"mac": None}, "dead"),
        node.cni("ADD", NEW, "alive"),
    ]
    calls.append(node.cni("CHECK", NEW, "alive"))
    node.vm.run("ip netns del dead")
    node.wait_for(lambda: comes_home(node))

    collected = node.cni("GC", NEW, "", netns="", ifname="")

    assert collected.code == 0, collected.text
    assert "garbage collected" in collected.log, "what was put right is told"
    assert "0000:01:10.2" in node.links("alive")
    assert [path for path in node.state_files() if "dead" in path] == []
    calls += [node.cni("GC", NEW, "", netns="", ifname="") for _ in range(2)]
    calls += [
        node.cni("CHECK", NEW, "alive"),
        node.cni("DEL", NEW, "alive"),
        node.cni("DEL", NEW, "alive", netns=""),
    ]
    assert [(call.code, call.log) for call in calls] == [(0, "")] * len(calls)
