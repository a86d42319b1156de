"""VFs and drivers that go and come back between ADD and DEL: what is there then is another VF, or bare hardware.

Each accident ends in a named error or a clean state; the fixture `worn` holds that the next ADD and its DEL leave no
trace.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import bundle

from .conftest import FAILED
from .node import FULL, IPAM, Node
from .ready import Lab
from .test_accidents import PF, PLAIN, VF, attach
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


class WornNodes:
    """One guest with two VFs for the tests that make new ones; another after a failure."""

    def __init__(self, saved: Lab) -> None:
        self._saved = saved
        self._vm: Vm | None = None

    def node(self) -> Node:
        if self._vm is None:
            self._vm = self._saved.restore(bundle.directory())
            Node(self._vm).create_vfs(2, (PORTS[0],))
        return Node(self._vm)

    def stop(self) -> None:
        if self._vm is not None:
            self._vm.stop()
        self._vm = None


@pytest.fixture(scope="module")
def worn_nodes(saved_lab: Lab) -> Iterator[WornNodes]:
    nodes = WornNodes(saved_lab)
    yield nodes
    nodes.stop()


@pytest.fixture
def worn(worn_nodes: WornNodes, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node whose VFs may be other ones by the end; an ADD must work then, and its DEL leave no trace."""
    try:
        node = worn_nodes.node()
        yield node
        if not request.node.stash.get(FAILED, False):
            node.clear()
            assert node.state_files() == []
            before = node.card()
            node.add_netns("next")
            assert attach(node, FULL, "next") == "0000:01:10.0"
            assert node.cni("DEL", FULL, "next").code == 0
            assert node.changed(before) == []
    except BaseException:
        worn_nodes.stop()
        raise
    if request.node.stash.get(FAILED, False):
        worn_nodes.stop()


def test_vfs_destroyed_and_created_anew_under_pods(worn: Node) -> None:
    """c1 is deleted late, c2 never: its claim goes when its VF is needed, and its DEL comes after that."""
    worn.add_netns("c1", "c2", "n1", "n2")
    assert attach(worn, FULL, "c1") == VF
    assert attach(worn, PLAIN, "c2") == "0000:01:10.2"
    worn.vm.run(f"echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")
    checked = worn.cni("CHECK", FULL, "c1")
    assert (checked.code, "the VF is gone" in checked.text) == (107, True), checked.text
    worn.create_vfs(2, (PORTS[0],))
    assert worn.links("c1").keys() == {"lo"}
    new = worn.card()

    checked = worn.cni("CHECK", FULL, "c1")
    deleted = worn.cni("DEL", FULL, "c1")

    assert (checked.code, "a new one has its address" in checked.text) == (107, True), checked.text
    assert deleted.code == 0, deleted.text
    assert worn.changed(new) == []
    assert attach(worn, FULL, "n1") == VF
    added = worn.cni("ADD", PLAIN, "n2")
    assert (added.code, "reclaimed" in added.log) == (0, True), added.text
    taken = worn.links("n2")["0000:01:10.2"]
    assert worn.cni("DEL", PLAIN, "c2").code == 0
    assert worn.links("n2")["0000:01:10.2"]["address"] == taken["address"]
    assert worn.vf(PORTS[0], 1)["vlan_list"][0]["vlan"] == 200
    assert [worn.cni("DEL", PLAIN, c).code for c in ("n1", "n2")] == [0, 0]
    assert worn.changed(new) == []
    worn.vm.run(f"echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")
    refused = worn.cni("ADD", FULL, "n1")
    assert (refused.code, "numvfs is 0" in refused.text) == (101, True), refused.text
    worn.create_vfs(2, (PORTS[0],))


def test_the_pfs_driver_is_unbound_and_bound_again(worn: Node) -> None:
    worn.add_netns("c1", "c2", "c3")
    attach(worn, FULL, "c1")
    attach(worn, PLAIN, "c2")
    worn.vm.run(f"echo {PF} > /sys/bus/pci/drivers/igb/unbind")

    checked = worn.cni("CHECK", FULL, "c1")
    refused = worn.cni("ADD", FULL, "c3")
    deleted = worn.cni("DEL", FULL, "c1")

    assert (checked.code, "has vanished" in checked.text) == (107, True), checked.text
    assert (refused.code, "no such interface" in refused.text) == (101, True), refused.text
    assert deleted.code == 0, deleted.text
    worn.vm.run(f"echo {PF} > /sys/bus/pci/drivers/igb/bind; udevadm settle")
    worn.create_vfs(2, (PORTS[0],))
    new = worn.card()
    assert worn.cni("DEL", PLAIN, "c2").code == 0
    assert worn.changed(new) == []


def test_the_vfs_driver_is_unbound_and_bound_again(worn: Node) -> None:
    """The new netdev is in the host, and has the admin MAC that the old one got; what ADD set stands on the PF."""
    worn.add_netns("c1")
    own = worn.card()[VF]["address"]
    attach(worn, FULL)
    worn.vm.run(f"echo {VF} > /sys/bus/pci/drivers/igbvf/unbind; echo {VF} > /sys/bus/pci/drivers/igbvf/bind")
    worn.wait_for(lambda: worn.links().get(VF, {}).get("ifname") == f"{PORTS[0]}v0")
    worn.vm.run("udevadm settle")

    checked = worn.cni("CHECK", FULL)
    deleted = worn.cni("DEL", FULL)

    assert (checked.code, "interface net1 is missing" in checked.text) == (107, True)
    assert deleted.code == 0, deleted.text
    assert worn.card()[VF]["address"] == own


def test_deleted_while_the_vf_has_no_driver(worn: Node) -> None:
    worn.add_netns("c1", "c2")
    at_first = worn.card()[VF]["address"]
    attach(worn, FULL)
    worn.vm.run(f"echo {VF} > /sys/bus/pci/drivers/igbvf/unbind")

    refused = worn.cni("ADD", FULL | {"master": None, "deviceID": VF}, "c2")
    deleted = worn.cni("DEL", FULL)

    assert refused.code == 11, refused.text
    assert deleted.code == 0, deleted.text
    refused = worn.cni("ADD", FULL | {"master": None, "deviceID": VF}, "c2")
    assert (refused.code, "no driver is bound" in refused.text) == (7, True), refused.text
    by_device = FULL | {"master": None, "deviceID": VF, "cniVersion": "1.1.0"}
    status = worn.cni("STATUS", by_device, "", ifname="", netns="")
    assert (status.code, "no driver is bound" in status.text) == (50, True), status.text
    vf = worn.vf(PORTS[0], 0)
    assert (vf["vlan_list"], vf["trust"], vf["rate"]["max_tx"]) == ([{}], False, 0)
    worn.vm.run(f"echo {VF} > /sys/bus/pci/drivers/igbvf/bind")
    worn.wait_for(lambda: worn.links().get(VF, {}).get("ifname") == f"{PORTS[0]}v0")
    worn.vm.run("udevadm settle")
    assert worn.card()[VF]["address"] not in {FULL["mac"], at_first}, "its driver gave it any"
    attach(worn, FULL)
    assert worn.cni("DEL", FULL).code == 0
    assert worn.card()[VF]["address"] == at_first, "which this node has seen first"


def test_the_pf_is_reset(worn: Node) -> None:
    """FLR through sysfs: the VFs stay, the hardware forgets, and igb serves no VF again before they are made anew."""
    worn.add_netns("c1", "c2")
    attach(worn, FULL)
    worn.vm.run(f"echo 1 > /sys/bus/pci/devices/{PF}/reset")

    deleted = worn.cni("DEL", FULL)

    assert (deleted.code, "max_tx_rate 0: Invalid argument" in deleted.text) == (11, True), deleted.text
    assert worn.vf(PORTS[0], 0)["vlan_list"] == [{}], "the rest is given back"
    worn.vm.run(f"ip link set {PORTS[0]} down; ip link set {PORTS[0]} up")
    worn.create_vfs(2, (PORTS[0],))
    assert worn.cni("DEL", FULL).code == 0
    added = {c: worn.cni("ADD", PLAIN | {"ipam": IPAM | {"onlink": True}}, c) for c in ("c1", "c2")}
    assert [reply.code for reply in added.values()] == [0, 0]
    assert worn.pings_soon("c1", added["c2"].addresses[0])
    assert [worn.cni("DEL", PLAIN, c).code for c in added] == [0, 0]
