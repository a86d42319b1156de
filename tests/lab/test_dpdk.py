"""Attachments for programs in user space on the emulated card: ADD prepares a VF, dpdk-testpmd in a container drives it.

What is expected comes from testpmd's own counters, `ip`, sysfs, and the kernel's rules on /dev/vfio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from . import dpdk
from .node import CONF, IPAM, Node, Reply
from .test_drivers import HOLD, driver, override
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VFS = ("0000:01:10.0", "0000:01:10.2", "0000:01:10.4", "0000:01:10.6")  # virtfn0 to 3 of the first port
ONE = CONF | {"driver": "vfio-pci", "vlan": 100, "ipam": IPAM | {"onlink": True}}
OTHER = ONE | {"vlan": 200}
ALL_STATIONS = "--eth-peer=0,ff:ff:ff:ff:ff:ff"


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


def added(node: Node, conf: dict[str, Any], container: str, **rest: Any) -> dict[str, Any]:
    """The only interface of the result, with its address."""
    node.add_netns(container)
    reply = node.cni("ADD", conf, container, **rest)
    assert reply.code == 0, reply.text
    (interface,) = reply.document["interfaces"]
    return dict(interface) | {"address": reply.addresses[0]}


def deleted(node: Node, conf: dict[str, Any], container: str) -> Reply:
    reply = node.cni("DEL", conf, container)
    assert reply.code == 0, reply.text
    return reply


def test_packets_cross_on_one_vlan_and_not_on_two(node: Node) -> None:
    """Three containers drive a VF each, two of them in one VLAN; then a container with a netdev pings the third."""
    dpdk.reserve_hugepages(node.vm)
    before = node.card()
    first, second = added(node, ONE, "c1"), added(node, ONE, "c2")
    third = added(node, OTHER | {"cniVersion": "1.1.0", "mac": "02:00:00:00:aa:03"}, "c3")
    drivers = [(driver(node.vm, vf), override(node.vm, vf)) for vf in VFS[:3]]
    assert drivers == [("vfio-pci", "vfio-pci")] * 3
    shown = node.vfs(PORTS[0])[:3]
    assert [vf["vlan_list"][0]["vlan"] for vf in shown] == [100, 100, 200]
    assert first["mac"] == before[VFS[0]]["address"]  # its netdev's, as nobody asked for another one
    assert [vf["address"] for vf in shown] == [first["mac"], second["mac"], third["mac"]]
    assert third == {
        "name": "net1",
        "mac": "02:00:00:00:aa:03",
        "sandbox": "/run/netns/c3",
        "pciID": VFS[2],
        "address": third["address"],
    }

    receives = dpdk.start(node.vm, "c2", VFS[1], "--forward-mode=rxonly")
    echoes = dpdk.start(node.vm, "c3", VFS[2], "--forward-mode=icmpecho")
    receives.wait()
    echoes.wait()
    sends = dpdk.start(node.vm, "c1", VFS[0], "--forward-mode=txonly", ALL_STATIONS)
    sends.wait()
    before_it = sends.counters()[1], receives.counters()[0], echoes.counters()[0]
    node.wait_for(lambda: receives.counters()[0] >= before_it[1] + 1000, 60)
    assert sends.counters()[1] >= before_it[0] + 1000
    assert echoes.counters()[0] == before_it[2]
    assert (sends.mac(), receives.mac(), echoes.mac()) == (first["mac"], second["mac"], third["mac"])
    assert (
        dpdk.refusal(node.vm, "c1", VFS[0], VFS[1])
        == f"Failed to open VFIO group {dpdk.number(node.vm, VFS[1])}"
    )
    sends.end()

    added(node, OTHER | {"driver": "kernel"}, "k1")
    heard = receives.counters()
    assert node.pings_soon("k1", third["address"])
    assert receives.counters() == heard
    receives.end()
    echoes.end()
    for container, conf in (("c1", ONE), ("c2", ONE), ("c3", OTHER), ("k1", OTHER | {"driver": "kernel"})):
        deleted(node, conf, container)
    assert [(driver(node.vm, vf), override(node.vm, vf)) for vf in VFS] == [("igbvf", "(null)")] * 4
    assert node.changed(before) == []


def test_a_vf_that_a_process_has_open_goes_home_when_that_ends(node: Node) -> None:
    """The kernel would let the write to driver/unbind wait for it: DEL says who it is, and the next call goes on."""
    group = dpdk.group_of(node.vm, VFS[0])
    before = node.card()
    conf = ONE | {"deviceID": VFS[0], "vfioOwner": "1000:1001"}
    added(node, conf, "c1")
    assert node.vm.run(f"stat -c %u:%g {group}").stdout == "1000:1001\n"
    holder = node.vm.spawn(["python3", "-c", HOLD, group], check=False, timeout=300)
    node.wait_for(lambda: node.vm.run("test -s /run/held", check=False).returncode == 0, 60)
    pid = node.vm.run("cat /run/held; rm /run/held").stdout

    told = deleted(node, conf, "c1")

    assert f"python3 (pid {pid})" in told.log
    assert (driver(node.vm), node.vf(PORTS[0], 0)["vlan_list"][0]["vlan"]) == ("vfio-pci", 100)
    node.add_netns("c2")
    assert node.cni("ADD", conf, "c2").code == 11
    node.vm.run(f"kill {pid}")
    holder.wait()
    other = node.cni("ADD", conf, "c2")
    assert other.code == 0, other.text
    deleted(node, conf, "c2")
    assert (driver(node.vm), override(node.vm)) == ("igbvf", "(null)")
    assert node.changed(before) == []
