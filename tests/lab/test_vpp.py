"""A container's VPP on the emulated card: what ADD prepares is read as VPP would read it (tests/vpp), and the container's side
of a tap is made as VPP would make it, by the guest's kernel.
"""

from __future__ import annotations

import json

import pytest

from tests.vpp.cli import TapSide, Vpp
from tests.vpp.grammar import Startup

from .node import CONF, IPAM, Node
from .test_drivers import driver
from .vm import Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VFS = ("0000:01:10.0", "0000:01:10.2")
POOLS = [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}]
ROUTES = [{"dst": "0.0.0.0/0"}, {"dst": "fd00:99::/32"}]
DIRECTORY = "/run/vpp-of"
VPP = CONF | {
    "vlan": 100,
    "mtu": 1400,
    "vpp": {"directory": f"{DIRECTORY}/{{containerID}}", "tap": {}},
    "ipam": IPAM | {"pools": POOLS, "routes": ROUTES, "onlink": True},
}


def files_of(node: Node, container: str) -> dict[str, str]:
    names = node.vm.run(f"ls {DIRECTORY}/{container}").stdout.split()
    return {name: node.vm.run(f"cat {DIRECTORY}/{container}/{name}").stdout for name in names}


def started(files: dict[str, str]) -> Vpp:
    vpp = Vpp(Startup.parse(files["startup.conf"]))
    vpp.execute(files["start.exec"])
    vpp.execute(files["again.exec"])
    return vpp


def make(vm: Vm, netns: str, side: TapSide) -> None:
    """What `create tap` does to the kernel."""
    ip = f"ip -n {netns}"
    steps = [f"{ip} tuntap add dev {side.ifname} mode tap", f"{ip} link set {side.ifname} mtu {side.mtu} up"]
    steps += [f"{ip} addr add {address} dev {side.ifname}" for address in side.addresses]
    steps += [f"{ip} route replace default via {gateway}" for gateway in side.default]
    vm.run("; ".join(["set -e", "modprobe tun", *steps]))


def way(vm: Vm, netns: str, address: str) -> tuple[str, str]:
    """(gateway, interface) that the container's kernel takes."""
    (route,) = json.loads(vm.run(f"ip -n {netns} -j route get {address}").stdout)
    return str(route["gateway"]), str(route["dev"])


def test_two_vfs_of_one_container_have_one_vpp_with_taps_for_ordinary_programs(node: Node) -> None:
    before = node.card()
    node.add_netns("c1")
    replies = [node.cni("ADD", VPP, "c1", ifname=name) for name in ("net1", "net2")]
    assert [reply.code for reply in replies] == [0, 0], replies[-1].text

    files = files_of(node, "c1")
    vpp = started(files)
    assert Startup.parse(files["startup.conf"]).devices == {
        VFS[0]: {"name": "net1"},
        VFS[1]: {"name": "net2"},
    }
    assert [driver(node.vm, vf) for vf in VFS] == ["vfio-pci", "vfio-pci"]
    for name, reply in zip(("net1", "net2"), replies, strict=True):
        assert [str(address) for address in vpp.interfaces[name].addresses] == reply.addresses
        assert vpp.interfaces[name].mtu == 1400
        assert node.cni("CHECK", VPP | {"prevResult": reply.document}, "c1", ifname=name).code == 0

    for side in vpp.taps.values():
        make(node.vm, "c1", side)
    for _ in range(2):
        node.vm.run(f"ip -n c1 -force -batch {DIRECTORY}/c1/tap.ip")
    first, second = (reply.addresses[0].partition("/")[0] for reply in replies)
    assert way(node.vm, "c1", "192.0.2.1") == way(node.vm, "c1", "10.10.200.1") == (first, "net1")
    assert way(node.vm, "c1", second.rpartition(".")[0] + ".1") == (second, "net2")
    assert way(node.vm, "c1", "fd00:99::1")[1] == "net1"

    assert node.cni("DEL", VPP, "c1", ifname="net1").code == 0
    assert list(Startup.parse(files_of(node, "c1")["startup.conf"]).devices) == [VFS[1]]
    assert node.cni("DEL", VPP, "c1", netns="", ifname="net2").code == 0
    assert node.vm.run(f"ls {DIRECTORY}").stdout == ""
    assert node.changed(before) == []


def test_a_failed_add_leaves_no_file_and_the_vf_at_home(node: Node) -> None:
    before = node.card()
    node.add_netns("c2")

    reply = node.cni("ADD", VPP | {"ipam": IPAM | {"pools": [POOLS[0] | {"prefixLength": 30}]}}, "c2")

    assert (reply.code, "no address for it" in reply.text) == (7, True)
    assert node.vm.run(f"ls {DIRECTORY}/c2", check=False).returncode != 0
    assert (driver(node.vm, VFS[0]), node.changed(before)) == ("igbvf", [])
