"""What an operator's node goes through: kills, reboots, busy VFs, bonds, odd namespaces and environments."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from tests import bundle

from .node import CONF, FULL, IPAM, PLUGIN, Node
from .ready import Lab
from .vm import PORTS

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


def test_killed_anywhere_the_next_delete_or_add_puts_it_right(node: Node) -> None:
    """SIGKILL after a random time, by the guest's own clock; the seed replays it."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    node.add_netns("c1")
    before = node.card()
    node.vm.put("/root/conf.json", json.dumps(FULL))
    took = time.monotonic()
    assert [node.cni("ADD", FULL).code, node.cni("DEL", FULL).code] == [0, 0]
    took = (time.monotonic() - took) / 2
    env = "CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_IFNAME=net1 CNI_NETNS=/run/netns/c1"
    killed = 0
    for turn in range(8):
        delay = chance.uniform(took / 5, took)
        done = node.vm.run(f"{env} timeout -s KILL {delay:.3f} {PLUGIN} < /root/conf.json", check=False)
        killed += done.returncode == 137
        if turn % 2:
            added = node.cni("ADD", FULL)
            assert added.code in {0, 106}, f"seed {seed} turn {turn}: {added.text}"
        deleted = node.cni("DEL", FULL, netns="")
        assert deleted.code == 0, f"seed {seed} turn {turn}: {deleted.text}"
        assert (node.card(), node.state_files()) == (before, []), f"seed {seed} turn {turn}"
    assert killed, f"seed {seed}: no ADD was killed"


def test_it_attaches_where_the_kernel_promises_no_memory_that_it_has_not(node: Node) -> None:
    """vm.overcommit_memory=2: a writable page of a file counts when it is mapped, not when it is written."""
    before = node.card()
    node.add_netns("c1")
    node.vm.run("sysctl -q vm.overcommit_memory=2 vm.overcommit_ratio=90")

    answers = [node.cni(verb, FULL).code for verb in ("ADD", "DEL")]

    assert answers == [0, 0]
    assert (node.card(), node.state_files()) == (before, [])


def test_a_reboot_forgets_what_cannot_be(saved_lab: Lab) -> None:
    with saved_lab.restore(bundle.directory()) as vm:
        node = Node(vm)
        node.create_vfs(2, (PORTS[0],))
        node.add_netns("c1")
        assert node.cni("ADD", FULL).code == 0
        boot = vm.get("/proc/sys/kernel/random/boot_id")
        vm.run("touch /var/lib/cni/sriov/torn@net1 /var/lib/cni/sriov/torn@net1.tmp; sync")
        files = node.state_files()
        assert len(files) >= 5

        vm.power_cycle()

        assert vm.get("/proc/sys/kernel/random/boot_id") != boot
        assert {f for f in files if f.startswith("/var")} <= set(node.state_files()), "the disk kept them"
        node.create_vfs(2, (PORTS[0],))
        before = node.card()
        node.add_netns("c2")
        added = node.cni("ADD", FULL, "c2")
        assert (added.code, added.addresses) == (0, ["10.10.0.2/24"]), added.text
        assert "earlier boot" in added.log
        assert node.cni("DEL", FULL, "c1", netns="").code == 0, "the runtime deletes what it remembers"
        assert "0000:01:10.0" in node.links("c2")
        assert node.cni("DEL", FULL, "c2").code == 0
        assert (node.card(), node.state_files()) == (before, [])


def test_a_vf_that_somebody_uses_is_not_taken(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run(
        "ip addr add 192.0.2.1/24 dev enp1s0f0v0; ip link add link enp1s0f0v1 name v1.5 type vlan id 5;"
        "ip link add link enp1s0f0v2 name mv2 type macvlan; ip link add br9 type bridge; ip link set enp1s0f0v3 master br9;"
        "ip link set enp1s0f0v4 up"
    )

    added = node.cni("ADD", CONF | {"logLevel": "debug"})

    assert added.code == 0, added.text
    assert "0000:01:11.0" in node.links("c1"), "UP alone is not busy"
    assert "UP in the host" in added.log
    assert node.cni("DEL", CONF).code == 0
    assert "UP" in node.links()["0000:01:11.0"]["flags"], "it was UP before"
    refused = [node.cni("ADD", CONF | {"master": None, "deviceID": f"0000:01:10.{n}"}) for n in (0, 2, 4, 6)]
    assert [reply.code for reply in refused] == [11] * 4
    for reply, words in zip(refused, ("global address", "v1.5", "mv2", "br9"), strict=True):
        assert words in reply.text
    node.vm.run(
        "ip addr flush dev enp1s0f0v0; ip link del v1.5; ip link del mv2; ip link del br9; ip link set enp1s0f0v4 down"
    )


def test_a_bond_is_refused_by_name_and_its_port_is_fine(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run(
        "ip link set enp1s0f1 down; ip link add bond0 type bond mode active-backup; ip link set enp1s0f1 master bond0; ip link set bond0 up"
    )

    refused = node.cni("ADD", CONF | {"master": "bond0"})
    added = node.cni("ADD", CONF | {"master": "enp1s0f1"})

    assert (refused.code, "enp1s0f1" in refused.text) == (7, True)
    assert added.code == 0, added.text
    assert node.cni("DEL", CONF).code == 0
    node.vm.run("ip link del bond0; ip link set enp1s0f1 up")


def test_a_pod_in_its_own_user_namespace(node: Node) -> None:
    node.vm.run("unshare -Urn sleep 600 > /dev/null 2>&1 & echo $! > /run/pod.pid; sleep 1")
    pid = node.vm.run("pgrep -f '^sleep 600'").stdout.split()[0]
    netns = f"/proc/{pid}/ns/net"

    added = node.cni("ADD", FULL, netns=netns)

    assert added.code == 0, added.text
    seen = node.vm.json(f"nsenter -t {pid} -n ip -j addr show net1")
    assert seen[0]["address"] == "02:00:00:00:aa:01"
    assert node.cni("CHECK", FULL, netns=netns).code == 0
    assert node.cni("DEL", FULL, netns=netns).code == 0
    node.vm.run(f"kill {pid}")


def test_an_empty_environment_and_a_symlinked_netns(node: Node) -> None:
    """containerd sends /proc/PID/ns/net, some runtimes a symlink; nothing but CNI_* is needed from outside."""
    node.add_netns("c1")
    node.vm.run("ln -sfn /run/netns/c1 /run/link-to-c1")
    node.vm.put("/root/conf.json", json.dumps(FULL))
    env = "CNI_CONTAINERID=c1 CNI_IFNAME=net1 CNI_NETNS=/run/link-to-c1"
    for verb in ("ADD", "CHECK", "DEL"):
        node.vm.run(f"cd /; env -i CNI_COMMAND={verb} {env} setsid {PLUGIN} < /root/conf.json")


def test_a_netns_that_is_none(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run("touch /run/file; mkfifo /run/fifo; ln -sfn /nowhere /run/dangling")
    for netns in ("/run/file", "/run/fifo", "/run/dangling", "/proc/self/ns/mnt", "/run", "relative"):
        assert node.cni("ADD", CONF, netns=netns).code == 8, netns
    assert node.cni("ADD", CONF, netns="/proc/1/ns/net").code == 8, "the plugin's own"
    node.vm.run("rm /run/file /run/fifo /run/dangling")


def test_a_name_that_the_pod_has_is_refused(node: Node) -> None:
    node.add_netns("c1")
    node.vm.run(
        "ip -n c1 link add net1 type dummy; ip -n c1 link add d2 type dummy; ip -n c1 link property add dev d2 altname net2"
    )
    assert node.cni("ADD", CONF).code == 102
    assert node.cni("ADD", CONF, ifname="net2").code == 102
    assert node.cni("ADD", CONF, ifname="lo").code == 102


def test_a_container_in_the_hosts_own_netns(node: Node) -> None:
    """Where that is meant the VF stays in sight of the host, which then proves nothing: it is nobody else's."""
    node.add_netns("c1")
    own: dict[str, Any] = {"netns": "/proc/self/ns/net", "env": {"CNI_NETNS_OVERRIDE": "1"}}
    conf = FULL | {"master": None, "deviceID": "0000:01:10.0"}

    added = node.cni("ADD", conf, "own", **own)

    assert added.code == 0, added.text
    assert node.links()["0000:01:10.0"]["ifname"] == "net1"
    assert node.cni("CHECK", conf | {"prevResult": added.document}, "own", **own).code == 0
    again, another = node.cni("ADD", conf, "own", **own), node.cni("ADD", conf | {"mac": None}, "c1")
    assert (again.code, another.code) == (106, 11), again.text + another.text
    assert node.links()["0000:01:10.0"]["ifname"] == "net1"
    assert node.cni("DEL", conf, "own", **own).code == 0
    (home,) = node.vm.json("ip -j addr show dev enp1s0f0v0")
    assert [a for a in home["addr_info"] if a["scope"] == "global"] == []
    assert node.cni("ADD", conf, "c1").code == 0, "it is free again"
    assert node.cni("DEL", conf, "c1").code == 0


def test_several_interfaces_of_one_container(node: Node) -> None:
    """Two networks on one PF, the same container; the second onlink route gets a higher metric."""
    node.add_netns("c1")
    ipam = IPAM | {"onlink": True}
    confs = {"net1": CONF | {"ipam": ipam}, "net2": CONF | {"name": "slow", "vlan": 5, "ipam": ipam}}
    for ifname, conf in confs.items():
        added = node.cni("ADD", conf, ifname=ifname)
        assert added.code == 0, added.text
        assert node.cni("CHECK", conf | {"prevResult": added.document}, ifname=ifname).code == 0
    routes = node.vm.json("ip -n c1 -j route show 10.10.0.0/16")
    assert sorted(route["dev"] for route in routes) == ["net1", "net2"]
    assert len({route.get("metric", 0) for route in routes}) == 2
    assert [node.cni("DEL", conf, ifname=ifname).code for ifname, conf in confs.items()] == [0, 0]


def test_what_the_pod_changed_is_put_back(node: Node) -> None:
    """MAC, MTU, name and altname from inside, with trust on; whatever the conf said, the VF comes home as found."""
    node.add_netns("c1")
    conf = CONF | {"trust": "on"}
    assert node.cni("ADD", conf).code == 0
    node.vm.run(
        "ip -n c1 link set net1 down; ip -n c1 link set net1 name other address 02:00:00:00:bb:bb mtu 2000;"
        "ip -n c1 link property add dev other altname enp1s0f0v0; ip -n c1 link set other up"
    )
    assert node.cni("DEL", conf).code == 0


def test_lost_state_directories(node: Node) -> None:
    """/run/cni-sriov or stateDir wiped under a running pod: the other copy is enough."""
    for lost in ("/run/cni-sriov", "/var/lib/cni/sriov"):
        node.add_netns("c1")
        assert node.cni("ADD", FULL).code == 0
        node.vm.run(f"rm -rf {lost}")
        deleted = node.cni("DEL", FULL)
        assert deleted.code == 0, deleted.text
        node.vm.run("ip netns del c1")
        assert node.vf(PORTS[0], 0)["vlan_list"][0].get("vlan", 0) == 0
