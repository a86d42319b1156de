"""CHECK finds what drifted: netns, name, MAC, MTU, addresses, routes, and the VF's admin state."""

from __future__ import annotations

from cni_sriov.words.domain import Route
from tests.fakes import FakeNetlink
from tests.unit.one_port import MINE
from tests.world import World


def test_check_holds_nothing_of_other_plugins_against_us(one_vf: World) -> None:
    """A host interface of our name, and a route of another plugin's interface, stand in the prevResult of a chain."""
    added = one_vf.call("ADD", one_vf.conf(ipam=one_vf.ipam()))
    pod = one_vf.kernel.pods[MINE]
    netlink = FakeNetlink(one_vf.kernel, pod)
    one_vf.kernel.add_link(pod, "eth0")
    eth0 = netlink.ifindex("eth0")
    netlink.add_address(eth0, "10.1.0.2/24")
    netlink.set_up(eth0)
    netlink.add_route(eth0, Route("0.0.0.0/0", "10.1.0.1"))
    prev = added.document | {
        "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"}, {"dst": "10.1.0.0/24", "gw": None}]
    }
    prev["interfaces"] = [{"name": "net1", "mac": "02:00:00:00:ff:01"}, *added.document["interfaces"]]

    reply = one_vf.call("CHECK", one_vf.conf(ipam=one_vf.ipam(), prevResult=prev))

    assert reply.code == 0, reply.text
