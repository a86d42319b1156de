"""Attachments on the emulated card, through the bundle; expected values come from `ip` and sysfs in the guest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .node import CONF, FULL, Node
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

IPAM: dict[str, Any] = {
    "type": "host-subnet",
    "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}],
    "onlink": True,
}
BOTH_PORTS = {key: value for key, value in CONF.items() if key != "master"} | {"pf": {"names": list(PORTS)}}


def test_one_vf_by_device_id_with_every_setting(node: Node) -> None:
    node.add_netns("c1")
    conf = {key: value for key, value in FULL.items() if key != "master"} | {
        "deviceID": "0000:01:10.6",
        "vlanQoS": 3,
        "ipam": IPAM,
    }

    added = node.cni("ADD", conf)

    assert added.code == 0, added.text
    link = node.links("c1")["0000:01:10.6"]
    assert (link["ifname"], link["address"], link["mtu"]) == ("net1", "02:00:00:00:aa:01", 1400)
    assert "UP" in link["flags"]
    vf = node.vf(PORTS[0], 3)
    assert (vf["address"], vf["vlan_list"]) == ("02:00:00:00:aa:01", [{"vlan": 100, "qos": 3}])
    assert (vf["spoofchk"], vf["trust"], vf["rate"]["max_tx"]) == (False, True, 100)
    assert node.addresses("c1") == ["10.10.0.2/24", "fd00:10::2/64"]
    assert added.document["interfaces"] == [
        {"name": "net1", "mac": "02:00:00:00:aa:01", "sandbox": "/run/netns/c1"}
    ]
    assert added.addresses == ["10.10.0.2/24", "fd00:10::2/64"]
    assert node.cni("CHECK", conf | {"prevResult": added.document}).code == 0
    assert node.cni("ADD", conf).code == 106
    assert [node.cni("DEL", conf).code for _ in range(2)] == [0, 0]


def test_neighbours_in_different_subnets_reach_each_other_on_one_vlan_only(node: Node) -> None:
    node.add_netns("c1", "c2", "c3")
    vlans = {"c1": 100, "c2": 100, "c3": 200}

    replies = {c: node.cni("ADD", BOTH_PORTS | {"vlan": vlan, "ipam": IPAM}, c) for c, vlan in vlans.items()}

    assert {c: reply.code for c, reply in replies.items()} == dict.fromkeys(vlans, 0)
    ports = {c: next(iter(node.links(c).keys() - {"lo"}))[-1] for c in vlans}
    assert ports["c1"] != ports["c2"], "the PF with the fewest claims comes first"
    assert node.pings_soon("c1", replies["c2"].addresses[0])
    assert node.pings_soon("c2", replies["c1"].addresses[1])
    assert not node.pings("c1", replies["c3"].addresses[0])
    assert not node.pings("c3", replies["c2"].addresses[0])
    for c, vlan in vlans.items():
        assert node.cni("DEL", BOTH_PORTS | {"vlan": vlan}, c).code == 0


def test_fourteen_in_parallel_and_the_fifteenth_is_told_why(node: Node) -> None:
    containers = [f"c{n}" for n in range(1, 16)]
    node.add_netns(*containers)
    conf = BOTH_PORTS | {"ipam": IPAM, "vlan": 100}

    calls = [node.start("ADD", conf, c) for c in containers[:14]]
    replies = [call.wait() for call in calls]

    assert [reply.code for reply in replies] == [0] * 14, [reply.text for reply in replies if reply.code]
    subnets = {address for c in containers[:14] for address in node.addresses(c)}
    assert len({address.rpartition(".")[0] for address in subnets if "." in address}) == 14
    assert len(subnets) == 28
    files = node.state_files()
    refused = node.cni("ADD", conf, "c15")
    assert refused.code == 11
    assert "no free VF" in refused.text
    assert all(f"{PORTS[0]} vf {index} " in refused.text for index in range(7))
    assert f"{PORTS[1]} vf 0 " in refused.text
    assert "and 6 more (6 claimed): `sriovctl status` has all" in refused.text
    assert node.state_files() == files
    deleted = [call.wait().code for call in [node.start("DEL", conf, c, netns="") for c in containers]]
    assert deleted == [0] * 15


def test_delete_after_the_netns_died(node: Node) -> None:
    """udev is there: the VF comes home as net1 and gets its own name as an altname, which is in the way."""
    node.add_netns("c1")
    conf = CONF | {"vlan": 100, "mac": "02:00:00:00:aa:01", "mtu": 1400, "ipam": IPAM}
    assert node.cni("ADD", conf).code == 0
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: "enp1s0f0v0" in node.links().get("0000:01:10.0", {}).get("altnames", []))
    assert node.links()["0000:01:10.0"]["ifname"] == "net1"

    assert node.cni("DEL", conf, netns="").code == 0


def test_delete_races_with_the_dying_netns(node: Node) -> None:
    node.add_netns("c1")
    conf = CONF | {"vlan": 100, "mac": "02:00:00:00:aa:01"}
    assert node.cni("ADD", conf).code == 0
    node.vm.run("ip netns del c1")

    assert node.cni("DEL", conf, netns="").code == 0


def test_a_late_delete_leaves_the_vf_of_its_next_owner_alone(node: Node) -> None:
    """The netns of c1 dies without a DEL; all VFs are needed, so c1's is reclaimed; then its DEL comes."""
    containers = [f"c{n}" for n in range(1, 9)]
    node.add_netns(*containers)
    assert [node.cni("ADD", CONF | {"vlan": 100}, c).code for c in containers[:7]] == [0] * 7
    node.vm.run("ip netns del c1")
    node.wait_for(lambda: "0000:01:10.0" in node.links())
    added = node.cni("ADD", CONF | {"vlan": 200}, "c8")
    assert added.code == 0, added.text
    assert "reclaimed" in added.log

    assert node.cni("DEL", CONF, "c1").code == 0

    assert "0000:01:10.0" in node.links("c8")
    assert node.vf(PORTS[0], 0)["vlan_list"][0]["vlan"] == 200
    assert [node.cni("DEL", CONF, c).code for c in containers[1:]] == [0] * 7


@pytest.mark.parametrize("gone", ["pod gives it away", "driver unbound"])
def test_check_finds_a_vanished_vf(node: Node, gone: str) -> None:
    node.add_netns("c1")
    assert node.cni("ADD", CONF | {"vlan": 100, "ipam": IPAM}).code == 0
    if gone == "driver unbound":
        node.vm.run("echo 0000:01:10.0 > /sys/bus/pci/drivers/igbvf/unbind")
    else:
        node.vm.run("ip -n c1 link set net1 down; ip -n c1 link set net1 netns 1")

    checked = node.cni("CHECK", CONF | {"vlan": 100, "ipam": IPAM})

    assert checked.code == 107
    assert "interface net1 is missing" in checked.text
    if gone == "driver unbound":
        node.vm.run("echo 0000:01:10.0 > /sys/bus/pci/drivers/igbvf/bind")
        node.wait_for(lambda: node.links().get("0000:01:10.0", {}).get("ifname") == "enp1s0f0v0")
    assert node.cni("DEL", CONF).code == 0


DRIFTS = {
    "ip -n c1 link set net1 mtu 1300": "MTU of net1 is 1300, not 1500",
    "ip -n c1 addr del ADDRESS dev net1": "address ADDRESS is missing",
    "ip -n c1 route del 10.10.0.0/16": "route 10.10.0.0/16 is missing",
    "ip -n c1 link set net1 down": "interface net1 is down",
    "ip link set enp1s0f0 vf 0 vlan 300": "vlan 300",
    "ip link set enp1s0f0 vf 0 spoofchk off": "spoofchk off, not on",
    "ip link set enp1s0f0 vf 0 trust on": "trust on, not off",
    "ip link set enp1s0f0 vf 0 max_tx_rate 50": "max_tx_rate 50, not 100",
    "ip link set enp1s0f0 down": "PF enp1s0f0 is down",
    "find /var/lib/cni/host-subnet -type f -delete": "there is none",
}


def test_check_names_each_kind_of_drift(node: Node) -> None:
    node.add_netns("c1")
    conf = CONF | {"vlan": 100, "max_tx_rate": 100, "mtu": 1500, "ipam": IPAM}
    for drift, words in DRIFTS.items():
        added = node.cni("ADD", conf)
        assert added.code == 0, added.text
        assert node.cni("CHECK", conf | {"prevResult": added.document}).code == 0
        address = added.addresses[0]
        node.vm.run(drift.replace("ADDRESS", address))

        checked = node.cni("CHECK", conf | {"prevResult": added.document})

        assert (checked.code, words.replace("ADDRESS", address) in checked.text) == (107, True), (
            f"{drift}: {checked.text}"
        )
        node.vm.run("ip link set enp1s0f0 up; sleep 0.5")
        deleted = node.cni("DEL", conf)
        assert deleted.code == 0, f"{drift}: {deleted.text}"


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"link_state": "enable"}, 100, "set link_state on enp1s0f0 vf 0: driver igb does not support it"),
    ({"min_tx_rate": 10}, 100, "set min_tx_rate on enp1s0f0 vf 0: driver igb refused"),
    ({"max_tx_rate": 2000}, 100, "set max_tx_rate on enp1s0f0 vf 0: driver igb refused"),
    ({"vlan": 100, "vlanProto": "802.1ad"}, 100, "set vlan on enp1s0f0 vf 0: driver igb does not support it"),
    ({"mtu": 9500}, 7, "read mtu 9500: enp1s0f0 and its VFs take 68-9216"),
    ({"mac": "01:00:00:00:00:01"}, 7, "multicast"),
    ({"vlan": 4095}, 7, "read vlan 4095"),
    ({"master": "nothere"}, 101, "use master nothere: no such interface"),
    ({"master": "lo"}, 101, "cannot have VFs"),
    ({"deviceID": "0000:09:00.0", "master": None}, 101, "no such VF"),
    ({"ipam": {"type": "nothere"}}, 7, "no such plugin in CNI_PATH"),
    ({"ipam": {"type": "host-local"}}, 5, "ipam host-local: no IP ranges specified"),
    ({"ipam": IPAM | {"pools": [{"subnet": "10.0.0.0/30", "prefixLength": 24}]}}, 7, "prefixLength"),
]


def test_what_igb_or_the_conf_cannot_do_is_said_and_undone(node: Node) -> None:
    """One guest for all: each ADD must leave the card as it was, with the settings before it undone."""
    node.add_netns("c1")
    before = node.card()
    for keys, code, words in REFUSED:
        conf = CONF | {"vlan": 7, "trust": "on", "mac": "02:00:00:00:aa:01", "ipam": IPAM} | keys

        refused = node.cni("ADD", {key: value for key, value in conf.items() if value is not None})

        assert (refused.code, words in refused.text) == (code, True), f"{keys}: {refused.text}"
        assert (node.card(), node.state_files()) == (before, []), f"{keys} left a trace"


def test_what_is_already_so_needs_no_support(node: Node) -> None:
    """igb refuses link_state, but "auto" is what it has."""
    node.add_netns("c1")
    conf = CONF | {"link_state": "auto", "min_tx_rate": 0, "vlan": 0, "spoofchk": "on"}
    assert node.cni("ADD", conf).code == 0
    assert node.cni("DEL", conf).code == 0


def test_a_mac_is_never_given_twice(node: Node) -> None:
    node.add_netns("c1", "c2")
    conf = CONF | {"capabilities": {"mac": True}, "runtimeConfig": {"mac": "02:00:00:00:aa:07"}}
    assert node.cni("ADD", conf, "c1").code == 0

    refused = node.cni("ADD", conf, "c2")

    assert refused.code == 103
    assert "02:00:00:00:aa:07" in refused.text
    assert node.cni("DEL", conf, "c1").code == 0
    assert node.cni("ADD", conf, "c2").code == 0
    assert node.cni("DEL", conf, "c2").code == 0


@pytest.mark.parametrize(("asked", "given"), [(10_000_000_000, 100), (50_000_000, 50), (1, 1), (0, 100)])
def test_a_pods_bandwidth_lowers_the_limit_and_never_raises_it(node: Node, asked: int, given: int) -> None:
    """Bits per second, as Multus and kubelet have them; the card's word in Mbit/s is `ip`'s."""
    node.add_netns("c1")
    conf = CONF | {"max_tx_rate": 100, "runtimeConfig": {"bandwidth": {"egressRate": asked}}}

    added = node.cni("ADD", conf)

    assert added.code == 0, added.text
    assert node.vf("enp1s0f0", 0)["rate"]["max_tx"] == given
    assert ("bandwidth may be lowered" in added.log) == (asked > 100_000_000)
    assert [node.cni(verb, conf).code for verb in ("CHECK", "DEL")] == [0, 0]


def test_a_pf_that_is_down_is_brought_up_or_refused(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run("ip link set enp1s0f0 down")
    refused = node.cni("ADD", CONF | {"pfUp": False})
    assert (refused.code, "enp1s0f0: it is down" in refused.text) == (101, True)
    assert "UP" not in node.links()["0000:01:00.0"]["flags"]

    added = node.cni("ADD", CONF | {"max_tx_rate": 100})

    assert added.code == 0, added.text
    assert "the PF was down" in added.log
    assert "UP" in node.links()["0000:01:00.0"]["flags"]
    assert node.vf("enp1s0f0", 0)["rate"] == {"max_tx": 100, "min_tx": 0}, "igb takes it once it has a link"
    assert node.cni("DEL", CONF).code == 0


def test_del_without_a_cable_frees_the_lease_and_keeps_the_vf(node: Node) -> None:
    """Rates cannot be restored then; what repeats a failing DEL for ever would repeat it until the cable is in."""
    conf = CONF | {"max_tx_rate": 100, "ipam": IPAM}
    node.add_netns("c1", "c2")
    assert node.cni("ADD", conf).code == 0
    node.vm.cable(0, plugged=False)
    node.wait_for(lambda: "NO-CARRIER" in node.links()["0000:01:00.0"]["flags"])

    deleted = node.cni("DEL", conf)

    assert (deleted.code, "the PF has no carrier" in deleted.log) == (0, True), deleted.text
    assert not [path for path in node.state_files() if "/leases/" in path]
    refused = node.cni("ADD", CONF | {"max_tx_rate": 100}, "c2")
    assert (refused.code, "the PF has no carrier" in refused.text) == (100, True), refused.text
    node.vm.cable(0, plugged=True)
    node.wait_for(lambda: "NO-CARRIER" not in node.links()["0000:01:00.0"]["flags"])
    assert node.cni("DEL", conf).code == 0


def test_cnitool_adds_checks_and_deletes(node: Node) -> None:
    """The real runtime library: what it caches and sends back is libcni's business, not ours."""
    node.add_netns("c1")
    plugin = {key: value for key, value in CONF.items() if key != "cniVersion"} | {"vlan": 100, "ipam": IPAM}
    conflist = {"cniVersion": "1.0.0", "name": "fast", "plugins": [plugin]}
    node.vm.run("mkdir -p /etc/cni/net.d")
    node.vm.put("/etc/cni/net.d/10-fast.conflist", json.dumps(conflist))
    env = {"CNI_PATH": "/mnt/host/cni-sriov", "NETCONFPATH": "/etc/cni/net.d"}

    added = json.loads(node.vm.run("cnitool add fast /run/netns/c1", env=env).stdout)

    assert [ip["address"] for ip in added["ips"]] == node.addresses("c1", "eth0")
    assert node.links("c1")["0000:01:10.0"]["ifname"] == "eth0"
    node.vm.run("cnitool check fast /run/netns/c1", env=env)
    node.vm.run("ip -n c1 link set eth0 down")
    assert node.vm.run("cnitool check fast /run/netns/c1", env=env, check=False).returncode != 0
    node.vm.run("cnitool del fast /run/netns/c1", env=env)
    node.vm.run("rm -rf /var/lib/cni/results")
