"""What is asked for by name and held: by a dead container, by one whose DEL takes its time, by a living one."""

from __future__ import annotations

from typing import Any

import pytest

from .node import CONF, Node, Reply
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, OTHER = "0000:01:10.0", "0000:01:10.2"
MAC = "02:00:00:00:aa:01"
IPAM: dict[str, Any] = {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}]}
STICKY = CONF | {"ipam": IPAM | {"sticky": True}}
WEB = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0"
BY_DEVICE = CONF | {"master": None, "deviceID": VF}
BRIDGE: dict[str, Any] = {
    "cniVersion": "1.0.0",
    "name": "br",
    "type": "bridge",
    "bridge": "br7",
    "isGateway": False,
    "ipam": {
        "type": "host-subnet",
        "pools": [{"subnet": "10.20.0.0/22", "prefixLength": 24, "gateway": "none"}],
    },
}
SLOW = """#!/bin/sh
cat > /dev/null
case $CNI_COMMAND in
ADD) echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.2/24"}]}';;
DEL) touch /run/deleting; sleep 3;;
esac
"""


def die(node: Node, name: str, vf: str = "") -> None:
    """The runtime forgets it; its VF comes home by itself."""
    node.vm.run(f"ip netns del {name}")
    if vf:
        node.wait_for(lambda: vf in node.links())
        node.vm.run("udevadm settle")


def ok(reply: Reply) -> Reply:
    assert reply.code == 0, reply.text
    return reply


def test_a_dead_containers_vf_mac_address_and_sticky_name_are_had(node: Node) -> None:
    node.add_netns("c1", "c2", "c3", "c4")
    first = ok(node.cni("ADD", STICKY | {"mac": MAC, "vlan": 100}, args=WEB)).addresses
    die(node, "c1", VF)

    by_mac = ok(node.cni("ADD", BY_DEVICE | {"deviceID": OTHER, "mac": MAC}, "c2"))

    assert by_mac.document["interfaces"][0]["mac"] == MAC
    assert node.links()[VF]["ifname"] == f"{PORTS[0]}v0", "it went home before another one got its MAC"
    ok(node.cni("DEL", CONF, "c2"))

    assert ok(node.cni("ADD", STICKY, "c2", args=WEB)).addresses == first
    die(node, "c2", VF)
    assert ok(node.cni("ADD", STICKY, "c3", args=WEB)).addresses == first, "its sticky name"
    die(node, "c3", VF)
    plain = CONF | {"ipam": IPAM}
    assert node.cni("ADD", plain, "c4", args=f"IP={first[0]}").code == 104, "kept for its pod"
    asked = plain | {"args": {"cni": {"ips": ["10.10.77.5"]}}}
    ok(node.cni("ADD", asked, "c4"))
    die(node, "c4", VF)
    node.add_netns("c5")
    assert ok(node.cni("ADD", asked, "c5")).addresses == ["10.10.77.5/24"]
    ok(node.cni("DEL", plain, "c5"))
    node.vm.run("rm -rf /var/lib/cni/host-subnet/default/sticky /run/cni-sriov/subnets")


def test_a_living_container_keeps_all_and_is_named(node: Node) -> None:
    node.add_netns("c1", "c2")
    conf = BY_DEVICE | {"mac": MAC, "ipam": IPAM}
    ok(node.cni("ADD", conf))

    refused = {
        11: node.cni("ADD", BY_DEVICE, "c2"),
        103: node.cni("ADD", CONF | {"mac": MAC}, "c2"),
        104: node.cni("ADD", CONF | {"ipam": IPAM}, "c2", args="IP=10.10.0.2"),
    }

    for code, reply in refused.items():
        assert (reply.code, "c1/net1 of network fast" in reply.text) == (code, True), reply.text
    assert node.cni("CHECK", conf).code == 0
    ok(node.cni("DEL", conf))


def test_an_add_waits_for_the_slow_del_of_the_same_device(node: Node) -> None:
    """As a device plugin has it: the VF is the next pod's while the old pod's DEL still runs. udev names it anew."""
    node.vm.put("/opt/cni/bin/slow", SLOW)
    node.vm.run("chmod +x /opt/cni/bin/slow; rm -f /run/deleting")
    node.add_netns("c1", "c2")
    slow = BY_DEVICE | {"mac": MAC, "vlan": 100, "ipam": {"type": "slow"}}
    ok(node.cni("ADD", slow))
    deleting = node.start("DEL", slow)
    node.wait_for(lambda: node.vm.run("test -e /run/deleting", check=False).returncode == 0)

    added = node.cni("ADD", BY_DEVICE | {"mac": MAC, "vlan": 200}, "c2")

    assert added.code == 0, added.text
    assert deleting.wait().code == 0
    assert node.vf(PORTS[0], 0)["vlan_list"] == [{"vlan": 200}]
    assert node.cni("CHECK", BY_DEVICE | {"mac": MAC, "vlan": 200}, "c2").code == 0
    ok(node.cni("DEL", BY_DEVICE, "c2"))
    node.vm.run("rm /opt/cni/bin/slow")


def test_five_bridge_containers_that_died_do_not_fill_a_pool_of_four(node: Node) -> None:
    """Their inode numbers come again, in the next ones and in living ones."""
    plugin = "/usr/lib/cni/bridge"
    node.install()
    node.add_netns("living")
    alive = ok(node.cni("ADD", BRIDGE, "living", plugin=plugin))
    numbers = []
    for n in range(5):
        node.add_netns(f"b{n}")
        numbers.append(node.vm.run(f"stat -L -c %i /run/netns/b{n}").stdout.strip())
        ok(node.cni("ADD", BRIDGE, f"b{n}", plugin=plugin))
        die(node, f"b{n}")
    assert len(set(numbers)) < 5, f"no number came again: {numbers}"
    checked = node.cni("CHECK", BRIDGE | {"prevResult": alive.document}, "living", plugin=plugin)
    assert checked.code == 0, checked.text
    ok(node.cni("DEL", BRIDGE, "living", plugin=plugin))
    told = node.vm.run("/mnt/host/cni-sriov/sriovctl gc", check=False).stdout
    assert [path for path in node.state_files() if "/leases/" in path] == [], told
    node.vm.run("ip link del br7")
