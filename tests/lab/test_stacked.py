"""What a container stacks on its VF, in its netns and in one inside it: the next tenant's VF carries none of it.

The proof is on the wire: a neighbour on another VF asks for the address of what the first container left.
"""

from __future__ import annotations

from typing import Any

import pytest

from .node import CONF, PLUGIN, Node

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

VF, NEIGHBOUR = "0000:01:10.0", "0000:01:10.2"
LEFT, ASKING = "10.99.0.1", "10.99.0.254"
TRUSTED: dict[str, Any] = CONF | {"master": None, "spoofchk": "off", "trust": "on"}
FIRST = TRUSTED | {"deviceID": VF}
KINDS = {"macvlan": "type macvlan mode bridge", "vlan": "type vlan id 5", "ipvlan": "type ipvlan mode l2"}


@pytest.fixture
def pods(node: Node) -> Node:
    """c1 has the VF; nb, the neighbour, has another one of the PF."""
    node.add_netns("c1", "c2", "nb", "inner")
    assert node.cni("ADD", TRUSTED | {"deviceID": NEIGHBOUR}, "nb").code == 0
    assert node.cni("ADD", FIRST, "c1").code == 0
    return node


def leave(node: Node, kind: str, where: str) -> None:
    """Something with an address on c1's VF; the neighbour can talk to it."""
    own = "" if where == "c1" else f"ip -n c1 link set up0 netns {where};"
    node.vm.run(
        f"ip -n c1 link add link net1 name up0 {KINDS[kind]};{own}"
        f"ip -n {where} addr add {LEFT}/24 dev up0; ip -n {where} link set up0 up"
    )
    if kind == "vlan":
        node.vm.run("ip -n nb link add link net1 name v5 type vlan id 5; ip -n nb link set v5 up")
    device = "v5" if kind == "vlan" else "net1"
    node.vm.run(f"ip -n nb addr add {ASKING}/24 dev {device}")
    # igb's table of MAC filters fills up with the VFs' resets ("there is no space for it" in the guest's log): then a
    # macvlan is deaf from the start, and that its link is gone has to do
    full = kind == "macvlan" and "there is no space" in node.vm.run("dmesg").stdout
    assert full or node.pings_soon("nb", LEFT), "else no silence proves anything"


def answers(node: Node) -> bool:
    """Whether anybody does; the neighbour asks anew whose MAC it is."""
    node.vm.run("ip -n nb neigh flush all; ip -n nb link set net1 up")
    return any(node.pings("nb", LEFT) for _ in range(2))


def hand_on(node: Node, netns: str | None = None) -> None:
    """DEL of the first, ADD of the second container."""
    deleted = node.cni("DEL", FIRST, "c1", netns=netns)
    assert deleted.code == 0, deleted.text
    added = node.cni("ADD", FIRST, "c2")
    assert added.code == 0, added.text
    checked = node.cni("CHECK", FIRST | {"prevResult": added.document}, "c2")
    assert checked.code == 0, checked.text


def give_back(node: Node) -> None:
    assert node.cni("DEL", FIRST, "c2").code == 0
    assert node.cni("DEL", TRUSTED | {"deviceID": NEIGHBOUR}, "nb").code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_pod_it_is_deleted(pods: Node, kind: str) -> None:
    leave(pods, kind, "c1")
    checked = pods.cni("CHECK", FIRST | {"logLevel": "debug"}, "c1")
    assert checked.code == 0, checked.text
    assert "up0" in checked.log, "it is the container's right, and told"

    hand_on(pods)

    assert not answers(pods)
    assert set(pods.links("c1")) == {"lo"}
    give_back(pods)


@pytest.mark.parametrize("kind", KINDS)
def test_in_a_netns_inside_the_pod_it_ends_with_the_vfs_netdev(pods: Node, kind: str) -> None:
    leave(pods, kind, "inner")
    checked = pods.cni("CHECK", FIRST, "c1")
    assert (checked.code, "another network namespace" in checked.text) == (107, True), checked.text

    hand_on(pods)

    assert not answers(pods)
    assert set(pods.links("inner")) == {"lo"}
    give_back(pods)


@pytest.mark.parametrize("kind", KINDS)
def test_when_the_pod_died_and_the_netns_inside_lives(pods: Node, kind: str) -> None:
    leave(pods, kind, "inner")
    pods.vm.run("ip netns del c1")
    pods.wait_for(lambda: VF in pods.links())

    hand_on(pods, netns="")

    assert not answers(pods)
    assert set(pods.links("inner")) == {"lo"}
    give_back(pods)


def test_a_vlan_that_was_down_is_found_when_it_comes_up_with_the_next_pods_vf(pods: Node) -> None:
    pods.vm.run("ip -n c1 link add link net1 name up0 type vlan id 5; ip -n c1 link set up0 netns inner")
    assert pods.cni("DEL", FIRST, "c1").code == 0
    assert "up0" in pods.links("inner"), "nothing told of it"

    refused = pods.cni("ADD", FIRST, "c2")

    assert (refused.code, "another network namespace" in refused.text) == (11, True), refused.text
    assert set(pods.links("inner")) == {"lo"}
    assert pods.cni("ADD", FIRST, "c2").code == 0
    give_back(pods)


def test_a_macvlan_in_passthru_mode_that_is_nobodys_is_found_by_an_add(pods: Node) -> None:
    """An earlier version gave the VF back without a look: promiscuity without the flag tells."""
    assert pods.cni("DEL", FIRST, "c1").code == 0
    name = f"{CONF['master']}v0"
    pods.vm.run(
        f"ip link add link {name} name up0 type macvlan mode passthru; ip link set up0 netns inner;"
        f"ip -n inner link set up0 up; ip link set {name} up; sleep 0.2; ip link set {name} down"
    )
    assert pods.links()[VF]["promiscuity"] == 1

    added = pods.cni("ADD", FIRST, "c2")

    assert (added.code, "made anew" in added.log) == (0, True), added.text
    assert set(pods.links("inner")) == {"lo"}
    give_back(pods)


def test_a_port_of_a_bond_in_the_pod_comes_home_alone(pods: Node) -> None:
    pods.vm.run(
        "ip -n c1 link add bond7 type bond mode active-backup; ip -n c1 link set net1 down;"
        "ip -n c1 link set net1 master bond7; ip -n c1 link set bond7 up"
    )

    hand_on(pods)

    assert "master" not in pods.links("c2")[VF]
    give_back(pods)


@pytest.mark.parametrize("key", ["txqueuelen", "promisc", "allmulti"])
def test_what_ip_tells_of_the_netdevs_own_settings(node: Node, key: str) -> None:
    node.add_netns("c1")
    asked: dict[str, Any] = {"txqueuelen": 77} if key == "txqueuelen" else {key: True}
    before = node.links()[VF]

    added = node.cni("ADD", FIRST | asked)

    assert added.code == 0, added.text
    there = node.links("c1")[VF]
    assert (there["txqlen"] == 77, "PROMISC" in there["flags"], "ALLMULTI" in there["flags"]) == (
        key == "txqueuelen",
        key == "promisc",
        key == "allmulti",
    )
    assert node.cni("CHECK", FIRST | asked | {"prevResult": added.document}).code == 0
    node.vm.run("ip -n c1 link set net1 txqueuelen 5 promisc off allmulticast off")
    drifted = node.cni("CHECK", FIRST | asked)
    assert (drifted.code, key in drifted.text) == (107, True), drifted.text
    assert node.cni("DEL", FIRST).code == 0
    home = node.links()[VF]
    assert [home[name] for name in ("txqlen", "promiscuity", "allmulti")] == [
        before[name] for name in ("txqlen", "promiscuity", "allmulti")
    ]


def test_a_name_that_was_taken_comes_back_with_the_next_call(node: Node) -> None:
    node.add_netns("c1")
    name = f"{CONF['master']}v0"
    assert node.cni("ADD", FIRST).code == 0
    node.vm.run(f"ip link add {name} type dummy")
    assert node.cni("DEL", FIRST).code == 0
    assert node.links()[VF]["ifname"] != name
    node.vm.run(f"ip link del {name}")
    other = TRUSTED | {"deviceID": NEIGHBOUR}

    assert [node.cni(verb, other).code for verb in ("ADD", "DEL")] == [0, 0]

    assert node.links()[VF]["ifname"] == name


def test_a_vf_whose_pf_is_not_visible(node: Node) -> None:
    """As in a virtual machine: /sys/bus/pci/devices shows this VF alone, without physfn. The rest of sysfs is real."""
    node.add_netns("c1", "nb")
    node.vm.run(
        f"mkdir -p /run/vm/{VF}; cd /run/vm/{VF}; ln -s /sys/bus/pci/drivers/igbvf driver;"
        f"for part in net vendor device; do ln -s $(readlink -f /sys/bus/pci/devices/{VF})/$part $part; done"
    )
    node.vm.put(
        "/run/in-vm",
        f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind /run/vm /sys/bus/pci/devices && exec {PLUGIN}'\n",
        0o755,
    )
    asked = CONF | {"master": None, "deviceID": VF, "mac": "02:00:00:00:aa:07", "mtu": 1400}

    refused = node.cni("ADD", asked | {"vlan": 5}, plugin="/run/in-vm")
    added = node.cni("ADD", asked, plugin="/run/in-vm")

    assert (refused.code, "only its PF can" in refused.text) == (101, True), refused.text
    assert added.code == 0, added.text
    there = node.links("c1")[VF]
    assert (there["address"], there["mtu"]) == ("02:00:00:00:aa:07", 1400)
    assert node.cni("CHECK", asked | {"prevResult": added.document}, plugin="/run/in-vm").code == 0
    assert node.cni("DEL", asked, plugin="/run/in-vm").code == 0
    assert node.links()[VF]["ifname"] == f"{CONF['master']}v0"
    node.vm.run("rm -r /run/vm /run/in-vm")


@pytest.mark.parametrize("mode", ["active-backup", "802.3ad"])
def test_a_bond_of_the_pod_is_the_pods_affair(pods: Node, mode: str) -> None:
    """As bond-cni makes it: nothing is elsewhere, and nothing is made anew."""
    pods.vm.run(
        "modprobe bonding;"
        f"ip -n c1 link add bond1 type bond mode {mode}; ip -n c1 link set net1 down;"
        "ip -n c1 link set net1 master bond1; ip -n c1 link set bond1 up; ip -n c1 link set net1 up"
    )

    checked = pods.cni("CHECK", FIRST, "c1")
    assert checked.code == 0, checked.text
    deleted = pods.cni("DEL", FIRST, "c1")

    assert (deleted.code, "anew" in deleted.log) == (0, False), deleted.log
    assert pods.cni("ADD", FIRST, "c2").code == 0
    give_back(pods)
