"""The binary exchanged under pods that sriov-cni attached: its work done by `ip`, its files as it writes them, our CHECK,
DEL, GC and ADD on them. Debian has no sriov-cni, so it cannot be run itself; expected values come from `ip`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.drop_in import cache_text

from .ctl import document
from .node import CONF, Node
from .test_drivers import driver
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

DIRECTORY = "/var/lib/cni/sriov"
MAC = "02:00:00:00:aa:01"
OLD: dict[str, Any] = CONF | {
    "cniVersion": "0.4.0",
    "vlan": 100,
    "vlanQoS": 3,
    "mac": MAC,
    "spoofchk": "off",
    "trust": "on",
    "max_tx_rate": 100,
}


def orig(node: Node, index: int) -> dict[str, Any]:
    """OrigVfState, out of `ip`. In DPDK mode there is no netdev."""
    vf = node.vf(PORTS[0], index)
    link = node.links().get(address(index), {"ifname": "", "address": "", "mtu": 0})
    return {
        "HostIFName": link["ifname"],
        "SpoofChk": vf["spoofchk"],
        "Trust": vf["trust"],
        "AdminMAC": vf["address"],
        "EffectiveMAC": link["address"],
        "Vlan": vf["vlan_list"][0].get("vlan", 0),
        "VlanQoS": vf["vlan_list"][0].get("qos", 0),
        "VlanProto": 0x8100,
        "MinTxRate": vf["rate"]["min_tx"],
        "MaxTxRate": vf["rate"]["max_tx"],
        "LinkState": 0,
        "MTU": link["mtu"],
    }


def address(index: int) -> str:
    return f"0000:01:{0x10 + (2 * index >> 3):02x}.{2 * index & 7}"


def attach(
    node: Node, container: str, index: int = 0, version: str = "newest", ifname: str = "net1", **keys: Any
) -> dict[str, Any]:
    """What its ADD leaves; the order is that of ApplyVFConfig and SetupVF of pkg/sriov/sriov.go."""
    conf = OLD | {"deviceID": address(index)} | keys
    was, pf = orig(node, index), f"ip link set {PORTS[0]} vf {index}"
    name = was["HostIFName"]
    inside = f"ip -n {container} link"
    handed = (
        f"ip link set {name} netns {container}; {inside} set {name} name {ifname};"
        f"{inside} set {ifname} address {conf['mac']}; {inside} set {ifname} up;"
    )
    node.vm.run(
        f"{pf} vlan {conf['vlan']} qos {conf['vlanQoS']}; {pf} mac {conf['mac']}; {pf} max_tx_rate 100 min_tx_rate 0;"
        f"{pf} spoofchk off; {pf} trust on; {handed if name else ''}"
        f"mkdir -p -m 700 {DIRECTORY}; mkdir -p {DIRECTORY}/pci/vf_lock; touch {DIRECTORY}/pci/vf_lock/{address(index)}.lock"
    )
    node.vm.put(
        f"{DIRECTORY}/{container}-{ifname}", cache_text(conf, address(index), index, was, version, ifname)
    )
    if version != "oldest":
        node.vm.put(f"{DIRECTORY}/pci/{address(index)}", f"/run/netns/{container}")
    node.vm.run(f"chmod 600 {DIRECTORY}/{container}-{ifname}")
    return conf


def files(node: Node) -> list[str]:
    """Those that count; the lock files stay, as they do with sriov-cni."""
    found = [path for path in node.state_files() if "/vf_lock/" not in path]
    node.vm.run(f"rm -rf {DIRECTORY}/pci/vf_lock")
    return found


@pytest.mark.parametrize("version", ["newest", "oldest"])
def test_check_and_delete(node: Node, version: str) -> None:
    node.add_netns("c1")
    before = node.card()
    conf = attach(node, "c1", version=version)
    assert (node.vf(PORTS[0], 0)["vlan_list"], node.links("c1")[address(0)]["address"]) == (
        [{"vlan": 100, "qos": 3}],
        MAC,
    )

    checked = node.cni("CHECK", conf | {"prevResult": {"cniVersion": "0.4.0"}})
    assert checked.code == 0, checked.text
    node.vm.run(f"ip link set {PORTS[0]} vf 0 vlan 7; ip -n c1 link set net1 down")
    drift = node.cni("CHECK", conf)
    assert (drift.code, "vlan 7" in drift.text, "is down" in drift.text) == (107, True, True)
    deleted = [node.cni("DEL", conf) for _ in range(2)]

    assert [reply.code for reply in deleted] == [0, 0], deleted[0].text
    assert (node.card(), files(node)) == (before, [])


def test_delete_after_the_netns_died(node: Node) -> None:
    node.add_netns("c1")
    before = node.card()
    conf = attach(node, "c1")
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: address(0) in node.links())

    deleted = node.cni("DEL", conf, netns="")

    assert deleted.code == 0, deleted.text
    assert (node.card(), files(node)) == (before, [])


def test_dpdk_mode(node: Node) -> None:
    """Of a VF that the operator had bound: what the PF has for it comes back, and it stays where it is. Then an orphan."""
    before = node.card()
    document(node.vm, f"bind {address(0)} vfio-pci")
    was = node.vf(PORTS[0], 0)
    for container in ("c1", "c2"):
        node.add_netns(container)
    conf = attach(node, "c1")
    assert (node.vf(PORTS[0], 0)["vlan_list"], node.vf(PORTS[0], 0)["address"]) == (
        [{"vlan": 100, "qos": 3}],
        MAC,
    )

    called = [node.cni(verb, conf).code for verb in ("CHECK", "DEL", "DEL")]

    assert (called, node.vf(PORTS[0], 0), files(node)) == ([0, 0, 0], was, [])
    assert driver(node.vm) == "vfio-pci"
    attach(node, "c1")
    node.vm.run("ip netns del c1")
    mine = CONF | {"deviceID": address(0)}
    added = node.cni("ADD", mine, "c2")
    assert (added.code, node.vf(PORTS[0], 0)["vlan_list"]) == (0, was["vlan_list"]), added.text
    assert node.cni("DEL", mine, "c2").code == 0
    assert (files(node), driver(node.vm)) == ([], "vfio-pci")
    again = node.vf(PORTS[0], 0)  # ours sets an admin MAC and takes it away: there was none
    assert [key for key in was if again[key] != was[key]] == ["address"]
    document(node.vm, f"restore {address(0)}")
    assert node.changed(before) == []


def test_gc_status_and_an_orphan(node: Node) -> None:
    """c1 is known, c2 is not; c3's netns died. An ADD of its VF gives it back first."""
    node.add_netns("c1", "c2", "c3", "c4")
    before = node.card()
    confs = [attach(node, f"c{n}", n - 1, mac=f"02:00:00:00:aa:0{n}") for n in (1, 2, 3)]
    owners = [
        vf["owner"]
        for vf in json.loads(node.vm.run("/mnt/host/cni-sriov/sriovctl status --json").stdout)["pfs"][0][
            "vfs"
        ]
    ]
    assert [owner and owner["containerID"] for owner in owners] == ["c1", "c2", "c3", None, None, None, None]
    node.vm.run("ip netns del c3")
    node.wait_for(lambda: address(2) in node.links())

    added = node.cni("ADD", CONF | {"master": None, "deviceID": address(2)}, "c4")
    assert added.code == 0, added.text
    assert "reclaimed" in added.log
    assert node.vf(PORTS[0], 2)["vlan_list"][0].get("vlan", 0) == 0
    valid = [{"containerID": c, "ifname": "net1"} for c in ("c1", "c4")]
    collected = node.cni(
        "GC",
        OLD | {"cniVersion": "1.1.0", "cni.dev/valid-attachments": valid},
        container="",
        netns="",
        ifname="",
    )
    assert collected.code == 0, collected.text
    assert [path for path in files(node) if path.endswith("-net1")] == [f"{DIRECTORY}/c1-net1"]

    assert [node.cni("DEL", confs[0], "c1").code, node.cni("DEL", CONF, "c4").code] == [0, 0]
    assert (node.card(), files(node)) == (before, [])
