"""`sriovctl` of the bundle on the emulated card; what is expected comes from `ip` and sysfs in the guest."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from .ctl import document, sriovctl
from .node import CONF, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

IPAM: dict[str, Any] = {
    "type": "host-subnet",
    "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 24}, {"subnet": "fd00:10::/48", "prefixLength": 64}],
}


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture
def card(lab_module: Vm) -> Node:
    """One guest for the file: each test says how many VFs it starts from."""
    node = Node(lab_module)
    node.clear()
    return node


def numvfs(node: Node) -> list[int]:
    said = node.vm.run(
        f"cat /sys/class/net/{PORTS[0]}/device/sriov_numvfs /sys/class/net/{PORTS[1]}/device/sriov_numvfs"
    )
    return [int(text) for text in said.stdout.split()]


def shown(node: Node, port: str, indices: range) -> list[dict[str, Any]]:
    """VFs of a port as status must show them while nobody has them."""
    ends = " ".join(f"virtfn{index}" for index in indices)
    said = node.vm.run(f"cd /sys/class/net/{port}/device; for n in {ends}; do readlink $n; done")
    links = node.links()
    addresses = [Path(line).name for line in said.stdout.splitlines()]
    return [
        {
            "index": index, "pci": pci, "driver": "igbvf", "netdev": links[pci]["ifname"],
            "mac": links[pci]["address"], "vlan": 0, "owner": None, "leases": [],
            "state": "free", "reason": "", "openIn": [], "keptBy": [], "inside": [], "userspace": None,
        }
        for index, pci in zip(indices, addresses, strict=True)
    ]  # fmt: skip


def test_vfs_come_with_their_names_and_stay_as_they_are(card: Node) -> None:
    made = {port: document(card.vm, f"vfs {port} 7") for port in PORTS}

    assert numvfs(card) == [7, 7]
    for number, port in enumerate(PORTS):
        (pf,) = made[port]["pfs"]
        assert pf == {
            "name": port, "pci": f"0000:01:00.{number}", "driver": "igb", "up": False, "numvfs": 7, "totalvfs": 7,
            "counts": {"free": 7, **dict.fromkeys(("attached", "claimed", "released", "dead", "busy", "unknown"), 0)},
            "vfs": shown(card, port, range(7)), "offer": None,
        }  # fmt: skip
        assert [vf["netdev"] for vf in pf["vfs"]] == [f"{port}v{index}" for index in range(7)]
        assert (made[port]["missing"], len(made[port]["notes"])) == ([], 1)
    before = card.links()

    again = document(card.vm, f"vfs {PORTS[0]} 7")

    assert (again["changed"], again["pfs"]) == (False, made[PORTS[0]]["pfs"])
    assert card.links().keys() == before.keys()
    assert {link["ifindex"] for link in card.links().values()} == {
        link["ifindex"] for link in before.values()
    }


def test_another_number_goes_through_zero(card: Node) -> None:
    card.vm.run(f"echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")
    document(card.vm, f"vfs {PORTS[0]} 7")
    first = card.links()["0000:01:10.0"]["ifindex"]

    fewer = document(card.vm, f"vfs {PORTS[0]} 3")

    assert (fewer["changed"], numvfs(card)[0]) == (True, 3)
    assert fewer["pfs"][0]["vfs"] == shown(card, PORTS[0], range(3))
    assert card.links()["0000:01:10.0"]["ifindex"] != first
    dry = document(card.vm, f"vfs {PORTS[0]} max --dry-run")
    rows = sriovctl(card.vm, "vfs").stdout.splitlines()[1:]
    assert (dry["plan"], dry["changed"]) == ([f"give {PORTS[0]} 7 VFs (has 3, which go)"], False)
    assert [row.split("  ")[4:8] for row in rows[:2]] == [["3", "7", "0", "3"], ["7", "7", "0", "7"]]
    too_many = sriovctl(card.vm, f"vfs {PORTS[0]} 8")
    assert (too_many.returncode, too_many.stdout, numvfs(card)[0]) == (1, "", 3)
    assert f"give {PORTS[0]} 8 VFs: it can have at most 7" in too_many.stderr


def test_refuses_while_a_vf_is_in_a_pod_whoever_put_it_there(card: Node) -> None:
    document(card.vm, f"vfs {PORTS[0]} 3")
    card.add_netns("c1", "other")
    conf = CONF | {"ipam": IPAM}
    assert card.cni("ADD", conf, "c1").code == 0
    card.vm.run(f"ip link set {PORTS[0]}v2 netns other")

    refused = sriovctl(card.vm, f"vfs {PORTS[0]} 7")

    assert (refused.returncode, refused.stdout, numvfs(card)[0]) == (1, "", 3)
    assert "2 of them in use" in refused.stderr
    assert "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/c1)" in refused.stderr
    assert "vf 2 (0000:01:10.4): its netdev is in another network namespace" in refused.stderr
    assert "0000:01:10.4" in card.links("other")
    assert card.cni("DEL", conf, "c1").code == 0


def test_status_and_leases_are_what_ip_and_the_results_say(card: Node) -> None:
    document(card.vm, f"vfs {PORTS[0]} 3")
    card.add_netns("c1")
    conf = CONF | {"ipam": IPAM, "vlan": 100}
    added = card.cni("ADD", conf, "c1")
    assert added.code == 0, added.text

    pf = next(pf for pf in document(card.vm, "status")["pfs"] if pf["name"] == PORTS[0])
    table = sriovctl(card.vm, "status").stdout.splitlines()
    leases = document(card.vm, "leases")["leases"]

    link = card.links("c1")["0000:01:10.0"]
    subnet = str(ip_interface(added.addresses[0]).network)
    gateways = {ip["address"]: ip["gateway"] for ip in added.document["ips"]}
    assert pf["up"]
    # what else status has of each: test_status.py
    made = shown(card, PORTS[0], range(1, 3))
    vfs = [{key: vf[key] for key in made[0]} for vf in pf["vfs"]]
    assert vfs[1:] == made
    since = datetime.fromisoformat(vfs[0]["owner"].pop("since"))
    clock = int(card.vm.run("date +%s").stdout)
    assert 0 <= clock - since.timestamp() < 300
    assert vfs[0] == {
        "index": 0,
        "pci": "0000:01:10.0",
        "driver": "igbvf",
        "netdev": link["ifname"],
        "mac": link["address"],
        "vlan": card.vf(PORTS[0], 0)["vlan_list"][0]["vlan"],
        "owner": {
            "containerID": "c1",
            "ifname": "net1",
            "network": "fast",
            "netns": "/run/netns/c1",
            **dict.fromkeys(("pod", "podNamespace", "podName", "podUID"), ""),
        },
        "leases": [
            {
                "subnet": str(ip_interface(address).network),
                "address": address,
                "gateway": gateways[address],
                "scope": "default",
                "pool": pool["subnet"],
                "sticky": "",
            }
            for address, pool in zip(added.addresses, IPAM["pools"], strict=True)
        ],
        "state": "attached",
        "reason": "",
        "openIn": [],
        "keptBy": ["/run/netns/c1"],  # of `ip netns`, and nothing runs in there
        "inside": [],
        "userspace": None,
    }
    assert table[1].split() == [PORTS[0], "0", "igbvf", link["address"], "100", "c1/net1", subnet]
    assert [lease["address"] for lease in leases] == added.addresses == card.addresses("c1")
    assert {lease["containerID"] for lease in leases} == {"c1"}
    assert card.cni("DEL", conf, "c1").code == 0
    assert document(card.vm, "leases")["leases"] == []


def test_gc_takes_back_what_a_dead_netns_left(card: Node) -> None:
    # up before the VFs come: a VF of a port that is down has no address in the PF's eyes, and ADD brings the port up
    card.vm.run(f"ip link set {PORTS[0]} up; echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")
    document(card.vm, f"vfs {PORTS[0]} 3")
    before = card.card()
    card.add_netns("c1", "c2")
    conf = CONF | {"ipam": IPAM, "vlan": 100, "mac": "02:00:00:00:aa:01"}
    assert card.cni("ADD", conf, "c1").code == 0
    assert card.cni("ADD", conf | {"mac": None}, "c2").code == 0
    card.vm.run("ip netns del c1")
    card.wait_for(lambda: "0000:01:10.0" in card.links())

    items = document(card.vm, "gc")["items"]

    assert [(item["owner"], item["taken"]) for item in items if item["kind"] == "vf"] == [
        ("c1/net1", True),
        ("c2/net1", False),
    ]
    held = {lease["containerID"] for lease in document(card.vm, "leases")["leases"]}
    assert (held, "0000:01:10.2" in card.links("c2")) == ({"c2"}, True)
    assert card.cni("DEL", conf, "c2").code == 0
    assert (card.state_files(), card.changed(before)) == ([], [])


def test_validate_finds_its_schema_in_the_bundle(tmp_path: Path) -> None:
    """On this machine: the bundle needs no guest for it."""
    (tmp_path / "bad.conf").write_text(json.dumps(CONF | {"vlan": 5000}))
    argv = [str(bundle.directory() / "cni-sriov/sriovctl"), "validate", str(tmp_path / "bad.conf")]

    done = subprocess.run(argv, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (1, "")
    assert "vlan = 5000: must be an integer in 0-4094" in done.stdout
