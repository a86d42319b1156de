"""host-subnet as `ipam.type` of Debian's prebuilt main plugins: each with two containers in subnets of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import bundle

from .node import Node
from .ready import Lab

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

POOL = {"subnet": "10.20.0.0/16", "prefixLength": 24, "gateway": "none"}
ONLINK = {"type": "host-subnet", "pools": [POOL], "onlink": True}
ROUTED = {
    "type": "host-subnet",
    "pools": [{"subnet": "10.20.0.0/16", "prefixLength": 24}],
    "routes": [{"dst": "10.20.0.0/16"}],
}


@pytest.fixture(scope="module")
def host(saved_lab: Lab) -> Iterator[Node]:
    """A guest without VFs: these plugins make their own interfaces."""
    with saved_lab.restore(bundle.directory()) as vm:
        node = Node(vm)
        node.install()
        vm.run("echo 1 > /proc/sys/net/ipv4/ip_forward; ip link set enp1s0f1 up")
        yield node


def attach_two(host: Node, conf: dict[str, Any], devices: tuple[str, str] | None = None) -> list[str]:
    """ADD and CHECK c1 and c2; their addresses, as `ip` tells them."""
    host.add_netns("c1", "c2")
    plugin = f"/usr/lib/cni/{conf['type']}"
    addresses = []
    for n, container in enumerate(("c1", "c2")):
        own = conf | ({"device": devices[n]} if devices else {})
        added = host.cni("ADD", own, container, plugin=plugin)
        assert added.code == 0, added.text
        checked = host.cni("CHECK", own | {"prevResult": added.document}, container, plugin=plugin)
        assert checked.code == 0, checked.text
        assert added.addresses == host.addresses(container)
        addresses += added.addresses
    return addresses


def detach_two(host: Node, conf: dict[str, Any], devices: tuple[str, str] | None = None) -> None:
    """DEL twice each; no lease is left."""
    for n, container in enumerate(("c1", "c2")):
        own = conf | ({"device": devices[n]} if devices else {})
        # its second DEL misses the device: a known fault
        for _ in range(2 if conf["type"] != "host-device" else 1):
            deleted = host.cni("DEL", own, container, plugin=f"/usr/lib/cni/{conf['type']}")
            assert deleted.code == 0, deleted.text
    host.clear()
    # next-fit begins again, so that tests do not depend
    host.vm.run("rm -rf /run/cni-sriov/subnets/default@10*")
    assert host.state_files() == []


def test_ptp(host: Node) -> None:
    conf = {"cniVersion": "1.0.0", "name": "p2p", "type": "ptp", "ipam": ROUTED}
    first, second = attach_two(host, conf)

    assert (first, second) == ("10.20.0.2/24", "10.20.1.2/24")
    assert host.pings_soon("c1", "10.20.0.1")
    assert host.pings_soon("c1", second)
    detach_two(host, conf)


def test_bridge_without_gateway(host: Node) -> None:
    conf = {
        "cniVersion": "1.0.0",
        "name": "br",
        "type": "bridge",
        "bridge": "br7",
        "isGateway": False,
        "ipam": ONLINK,
    }
    first, second = attach_two(host, conf)

    assert (first, second) == ("10.20.0.1/24", "10.20.1.1/24")
    assert host.pings_soon("c1", second)
    detach_two(host, conf)


def test_macvlan(host: Node) -> None:
    conf = {
        "cniVersion": "1.0.0",
        "name": "mv",
        "type": "macvlan",
        "master": "enp1s0f1",
        "mode": "bridge",
        "ipam": ONLINK,
    }
    first, second = attach_two(host, conf)

    assert (first, second) == ("10.20.0.1/24", "10.20.1.1/24")
    assert host.pings_soon("c2", first)
    detach_two(host, conf)


def test_host_device(host: Node) -> None:
    host.vm.run("ip link add br8 type bridge; ip link set br8 up")
    for n in (1, 2):
        host.vm.run(f"ip link add hd{n} type veth peer hp{n}; ip link set hp{n} master br8 up")
    conf = {"cniVersion": "1.0.0", "name": "hd", "type": "host-device", "ipam": ONLINK}
    first, second = attach_two(host, conf, ("hd1", "hd2"))

    assert (first, second) == ("10.20.0.1/24", "10.20.1.1/24")
    assert host.pings_soon("c1", second)
    detach_two(host, conf, ("hd1", "hd2"))


def test_onlink_with_a_gateway_is_refused_under_a_foreign_plugin(host: Node) -> None:
    """Debian's plugins would send the pool's route to the gateway instead of the link."""
    host.add_netns("c1")
    ipam = ONLINK | {"pools": [{"subnet": "10.20.0.0/16", "prefixLength": 24}]}
    conf = {"cniVersion": "1.0.0", "name": "mv", "type": "macvlan", "master": "enp1s0f1", "ipam": ipam}

    refused = host.cni("ADD", conf, plugin="/usr/lib/cni/macvlan")

    assert (refused.code, "onlink" in refused.text) == (7, True), refused.text
    host.clear()
    assert host.state_files() == []


def test_two_networks_never_overlap(host: Node) -> None:
    """The overlap rule is the node's, whatever dataDir a conf names."""
    host.add_netns("c1", "c2")
    first = {"cniVersion": "1.0.0", "name": "a", "type": "bridge", "bridge": "br7", "ipam": ONLINK}
    wide = {"subnet": "10.20.0.0/15", "prefixLength": 16, "gateway": "none"}
    ipam = {"type": "host-subnet", "dataDir": "/var/lib/cni/host-subnet/other", "pools": [wide]}
    second = first | {"name": "b", "ipam": ipam}

    one = host.cni("ADD", first, "c1", plugin="/usr/lib/cni/bridge")
    two = host.cni("ADD", second, "c2", plugin="/usr/lib/cni/bridge")

    assert (one.addresses, two.addresses) == (["10.20.0.1/24"], ["10.21.0.1/16"]), one.text + two.text
    detach = [
        host.cni("DEL", conf, c, plugin="/usr/lib/cni/bridge").code
        for conf, c in ((first, "c1"), (second, "c2"))
    ]
    assert detach == [0, 0]
    host.clear()
    assert host.state_files() == []
