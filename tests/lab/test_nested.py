"""A container that takes its VF out of reach, and what it calls it: the VF comes home, its address is nobody else's
until then, and the host never hears the name.
"""

from __future__ import annotations

from typing import Any

import pytest

from .node import FULL, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, NAME = "0000:01:10.0", f"{PORTS[0]}v0"
MINE: dict[str, Any] = FULL | {"master": None, "deviceID": VF}
OTHER: dict[str, Any] = FULL | {"master": None, "deviceID": "0000:01:10.2", "mac": "02:00:00:00:aa:02"}
LONG = "an-altname-of-more-than-fifteen-bytes"
# a netns that no path leads to but its holder's, as a pod with CAP_SYS_ADMIN in a user namespace makes one
HOLD = "ip netns exec c1 unshare -n sleep 612 > /dev/null 2>&1 & sleep 0.5; pgrep -xf 'sleep 612'"


@pytest.fixture
def pods(node: Node) -> Node:
    node.add_netns("c1", "c2")
    return node


def attach(node: Node, conf: dict[str, Any] = MINE, container: str = "c1") -> str:
    added = node.cni("ADD", conf, container)
    assert added.code == 0, added.text
    return added.addresses[0]


def hide(node: Node, address: str) -> str:
    """The VF into a netns of the container's own, where it goes on as before; the answer is who holds that."""
    pid = node.vm.run(HOLD).stdout.split()[-1]
    there = f"nsenter --net=/proc/{pid}/ns/net"
    node.vm.run(
        f"ip -n c1 link set net1 netns {pid} name evil0;"
        f"{there} ip addr add {address} dev evil0; {there} ip link set evil0 up; {there} ip link set lo up"
    )
    return pid


def inside(node: Node, pid: str) -> str:
    return node.vm.run(f"nsenter --net=/proc/{pid}/ns/net ip -o link").stdout


@pytest.mark.parametrize("verb", ["DEL", "GC"])
def test_a_vf_in_a_netns_that_the_container_holds_is_taken_out_of_it(pods: Node, verb: str) -> None:
    before = pods.card()
    pid = hide(pods, attach(pods))
    assert "evil0" in inside(pods, pid)

    listed = {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []}
    given = pods.cni(verb, MINE | (listed if verb == "GC" else {}))

    assert (given.code, "made anew" in given.log) == (0, True), given.text
    assert "evil0" not in inside(pods, pid)
    assert (pods.state_files(), pods.changed(before)) == ([], [])
    attach(pods, MINE, "c2")
    assert pods.cni("DEL", MINE, "c2").code == 0
    pods.vm.run(f"kill {pid}")


def test_while_its_driver_does_not_let_go_the_address_is_nobody_elses(pods: Node) -> None:
    """Its file is covered, so that nothing can be written to it."""
    pool = {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/24", "prefixLength": 24}]}
    mine, other = MINE | {"ipam": pool}, OTHER | {"ipam": pool}
    pid = hide(pods, attach(pods, mine))
    unbind = "/sys/bus/pci/drivers/igbvf/unbind"
    pods.vm.run(f": > /run/cover; mount --bind /run/cover {unbind}; mount -o remount,bind,ro {unbind}")

    assert [pods.cni("DEL", mine).code for _ in range(2)] == [0, 0]

    assert '"status": "released"' in pods.vm.get("/var/lib/cni/sriov/c1@net1").decode()
    assert "evil0" in inside(pods, pid)
    refused = pods.cni("ADD", other, "c2")
    assert (refused.code, "c1/net1" in refused.text or "exhausted" in refused.text) == (11, True), (
        refused.text
    )
    pods.vm.run(f"umount {unbind}; rm /run/cover")
    assert pods.cni("ADD", mine, "c2").code == 0, "whoever needs it takes it back"
    assert "evil0" not in inside(pods, pid)
    assert [pods.cni("DEL", mine, container).code for container in ("c1", "c2")] == [0, 0]
    pods.vm.run(f"kill {pid}")


def test_a_pod_that_hides_its_vf_hinders_no_other(pods: Node) -> None:
    pid = hide(pods, attach(pods))
    attach(pods, OTHER, "c2")

    collected = pods.cni("GC", MINE | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": []})

    assert collected.code == 0, collected.text
    assert pods.state_files() == []
    pods.vm.run(f"kill {pid}")


# names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("renamed", [False, True], ids=["net1", "evil0"])
def test_no_event_of_the_host_has_a_name_that_a_container_gave(pods: Node, renamed: bool) -> None:
    """Neither the kernel's (uevents, RTM_NEWLINK) nor udev's."""
    attach(pods)
    pods.vm.run(f"ip -n c1 link property add dev net1 altname evil1 altname {LONG}")
    if renamed:
        pods.vm.run(
            "ip -n c1 link set net1 down; ip -n c1 link set net1 name evil0; ip -n c1 link set evil0 up"
        )
    pods.vm.run(
        "udevadm monitor --kernel --udev --subsystem-match=net --property > /tmp/uevents & ip monitor link > /tmp/links &"
        "sleep 0.5; true"
    )

    assert pods.cni("DEL", MINE).code == 0

    pods.vm.run("udevadm settle; sleep 0.5; pkill -x udevadm; pkill -xf 'ip monitor link'; true")
    told = pods.vm.run("cat /tmp/uevents /tmp/links; rm /tmp/uevents /tmp/links").stdout
    assert NAME in told, "else it heard nothing"
    assert [word for word in ("net1", "evil", "an-altname") if word in told] == []


def test_an_altname_of_two_containers_hinders_neither(pods: Node) -> None:
    """The first one's netns died, and the kernel brought the altname home with its VF."""
    attach(pods)
    attach(pods, OTHER, "c2")
    for name in ("c1", "c2"):
        pods.vm.run(f"ip -n {name} link property add dev net1 altname {LONG}")
    pods.vm.run("ip netns del c1")
    pods.wait_for(lambda: VF in pods.links())

    assert pods.cni("DEL", OTHER, "c2").code == 0
    assert pods.cni("DEL", MINE, netns="").code == 0

    assert LONG not in pods.vm.run("ip link").stdout
    assert pods.links()[VF]["ifname"] == NAME


@pytest.mark.parametrize(
    "taken", [[NAME], [NAME, "vf000001100"]], ids=["its name", "and the one it waits under"]
)
def test_a_container_that_has_taken_the_vfs_name_does_not_keep_it(pods: Node, taken: list[str]) -> None:
    attach(pods)
    for name in taken:
        pods.vm.run(f"ip -n c1 link add {name} type dummy")

    assert pods.cni("DEL", MINE).code == 0

    pods.vm.run("udevadm settle")
    assert pods.links()[VF]["ifname"] == NAME
