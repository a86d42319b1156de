"""Where attachments are, in words; and of those of a program in user space, what was done for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit import dpdk
from tests.unit.ctl import taps
from tests.unit.ctl.tool import attach, sriovctl
from tests.world import World

VF = "0000:01:10.0"


@pytest.fixture
def node(world: World) -> World:
    return dpdk.furnish(world)


def row(node: World, index: int = 0) -> Any:
    return sriovctl(node, "status", "--json").document["pfs"][0]["vfs"][index]


def test_status_tells_what_was_done_for_a_program(node: World) -> None:
    attach(node, driver="vfio-pci")

    found = row(node)

    assert (found["state"], found["driver"], found["netdev"], found["openIn"]) == (
        "attached",
        "vfio-pci",
        "",
        [],
    )
    assert found["owner"]["containerID"] == "c1"
    assert found["leases"][0]["subnet"] == "10.10.0.0/24"
    assert found["userspace"] == {
        "kind": "vfio",
        "driver": "vfio-pci",
        "driverBefore": "igbvf",
        "nodes": [],
        "files": [str(node.cdi_dir / "cni-sriov.dev-vf_0000:01:10.0.json")],
        "crypto": "",
        "socket": "",
    }


def test_a_netdev_has_none_of_that(node: World) -> None:
    attach(node)

    assert (row(node)["userspace"], row(node, 1)["userspace"], row(node)["netdev"]) == (None, None, "net1")


def test_the_mac_is_the_pfs_word(node: World) -> None:
    document = attach(node, driver="vfio-pci", cniVersion="1.1.0")

    assert row(node)["mac"] == document["interfaces"][0]["mac"]


def test_a_free_one_that_somebody_has_open_is_busy_and_told(node: World) -> None:
    dpdk.ahead(node, node.kernel.pfs[0].vfs[0])
    assert (row(node)["state"], row(node)["openIn"]) == ("free", [])

    dpdk.hold(node)

    found = row(node)
    assert (found["state"], found["openIn"]) == ("busy", ["dpdk-testpmd (pid 77)"])
    assert found["reason"] == "it is open in dpdk-testpmd (pid 77)"
    assert "open in dpdk-testpmd" in sriovctl(node, "status").out


def test_gc_says_what_may_be_in_use(node: World) -> None:
    attach(node, driver="vfio-pci")
    taps.attach(node, "c2")
    node.kernel.pods.pop("/run/netns/pod1")
    dpdk.hold(node)

    items = {
        one["owner"]: one for one in sriovctl(node, "gc", "--json").document["items"] if one["kind"] == "vf"
    }

    assert (items["c1/net1"]["what"], items["c1/net1"]["reason"]) == (
        "enp1s0f0 vf 0",
        "it is open in dpdk-testpmd (pid 77)",
    )
    assert items["c2/net1"]["what"] == f"a tap of VPP at {taps.SOCKET}"
    pid = node.kernel.pods["/run/netns/c2"].pid
    assert items["c2/net1"]["reason"] == f"its container is alive: ? (pid {pid}) in its network namespace"


def test_gc_says_who_is_in_the_way(node: World) -> None:
    attach(node, driver="vfio-pci")
    node.kernel.pods.pop("/run/netns/pod1")
    held = dpdk.hold(node)
    assert node.call("DEL", node.conf(driver="vfio-pci"), netns="").code == 0

    def reason() -> str:
        (item,) = [one for one in sriovctl(node, "gc", "--json").document["items"] if one["kind"] == "vf"]
        return str(item["reason"])

    assert reason() == "it is open in dpdk-testpmd (pid 77)"
    held.unlink()
    assert reason() == "its netns is dead, and nobody has it open"
    assert row(node)["state"] == "free"


def test_gc_of_a_tap_says_that_vpp_does_not_answer(node: World) -> None:
    taps.attach(node, "c2", "released")

    (item,) = [one for one in sriovctl(node, "gc", "--json").document["items"] if one["kind"] == "vf"]

    assert (item["taken"], taps.SOCKET in item["reason"]) == (False, True)
