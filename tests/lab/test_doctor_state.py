"""`sriovctl doctor` on what is attached, and on who calls the plugin: each trouble is made, told, and ended by what the
remedy names, word for word.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from .conftest import FAILED
from .node import CONF, IPAM, PLUGIN, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

NET_D = "/etc/cni/net.d"
PATH = "PATH=/mnt/host/cni-sriov:$PATH"
SLEEPER = "setsid ip netns exec {} sleep 1000 >/dev/null 2>&1 </dev/null &"
# what the guest's own lack of huge pages, QAT and the like is, E1's tests tell
OURS = {
    *("same-mac", "record-without-vf", "lease-lost", "unreadable-state", "directory-gone", "not-restored"),
    *("vf-of-nobody", "lease-without-attachment", "dead-attachment", "netns-without-process", "vf-changed"),
    *("plugin-not-found", "another-sriov", "plugin-missing", "conflist-broken", "conflist-shadowed"),
    *("same-network-name", "network-without-pf", "network-without-vfs", "no-free-vf", "vf-managed"),
    *("podman-without-plugin", "rule-failed", "unseen"),
}


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture(scope="module")
def made(lab_module: Vm) -> Node:
    node = Node(lab_module)
    node.create_vfs(2)
    return node


@pytest.fixture
def host(made: Node, request: pytest.FixtureRequest) -> Iterator[Node]:
    """Two VFs a port, and nothing of ours to be told; a test that fails leaves nothing to the next one."""
    assert findings(made) == {}
    yield made
    if request.node.stash.get(FAILED, False):
        made.vm.run(
            "for n in $(ip netns list | cut -d' ' -f1); do kill $(ip netns pids $n); done", check=False
        )
        made.clear()
        made.vm.run(
            "rm -rf /etc/cni /etc/containerd /opt/cni /run/NetworkManager /run/systemd/netif /run/cni-sriov"
            " /var/lib/cni; ip link del br9",
            check=False,
        )
        made.create_vfs(2)


def findings(node: Node) -> dict[str, dict[str, Any]]:
    """Those of our rules, by rule; of two of one rule, the last."""
    done = node.vm.run("/mnt/host/cni-sriov/sriovctl doctor --json", check=False)
    document = json.loads(done.stdout)
    assert done.stderr == ""
    found = {one["rule"]: one for one in document["findings"] if one["rule"] in OURS}
    assert not found.keys() & {"rule-failed", "unseen"}, document
    return found


def follow(node: Node, finding: dict[str, Any]) -> None:
    """As an operator's shell takes it, with sriovctl on its PATH."""
    done = node.vm.run(["sh", "-ec", f"{PATH}\n{finding['remedy']}"], check=False)
    assert done.returncode == 0, (finding, done.stdout, done.stderr)
    node.vm.run("udevadm settle")


def test_a_vf_that_somebody_moved_away(host: Node) -> None:
    host.add_netns("other")
    host.vm.run(f"ip link set {PORTS[0]}v1 netns other; {SLEEPER.format('other')}")

    found = findings(host)

    assert set(found) == {"vf-of-nobody"}
    one = found["vf-of-nobody"]
    address = next(pci for pci, link in host.links("other").items() if link["ifname"] == f"{PORTS[0]}v1")
    assert one["subject"] == address
    assert "/run/netns/other, with sleep (pid " in one["why"]
    follow(host, one)
    host.wait_for(lambda: address in host.links())
    assert findings(host) == {}
    host.vm.run("kill $(ip netns pids other); ip netns del other")


def test_one_mac_on_two_vfs(host: Node) -> None:
    first, second = f"{PORTS[0]}v0", f"{PORTS[0]}v1"
    (link,) = host.vm.json(f"ip -j link show {first}")
    was = host.vm.json(f"ip -j link show {second}")[0]["address"]
    host.vm.run(f"ip link set {second} address {link['address']}")

    found = findings(host)

    assert set(found) == {"same-mac"}
    assert f"{PORTS[0]} vf 0 and {PORTS[0]} vf 1 have one MAC, {link['address']}" in found["same-mac"]["why"]
    follow(host, found["same-mac"])
    assert host.vm.json(f"ip -j link show {second}")[0]["address"] not in {was, link["address"]}
    assert findings(host) == {}


def test_vfs_that_went_below_a_container(host: Node) -> None:
    host.add_netns("c1")
    host.vm.run(SLEEPER.format("c1"))
    added = host.cni("ADD", CONF | {"ipam": IPAM}, "c1")
    assert added.code == 0, added.text
    assert findings(host) == {}
    host.vm.run(f"echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")

    found = findings(host)

    assert set(found) == {"record-without-vf"}
    assert "c1/net1" in found["record-without-vf"]["why"]
    follow(host, found["record-without-vf"])
    assert (findings(host), host.state_files()) == ({}, [])
    host.vm.run("kill $(ip netns pids c1); ip netns del c1")
    host.create_vfs(2, (PORTS[0],))


def test_a_netns_that_a_mount_alone_keeps(host: Node) -> None:
    """As podman leaves it that is killed during an ADD: nobody sends a DEL."""
    host.add_netns("c1")
    assert host.cni("ADD", CONF, "c1").code == 0

    found = findings(host)

    assert set(found) == {"netns-without-process"}
    follow(host, found["netns-without-process"])
    host.wait_for(lambda: findings(host) == {})


def test_a_lease_without_its_container(host: Node) -> None:
    host.add_netns("c1")
    host.vm.run(f"{SLEEPER.format('c1')} mkdir -p /opt/cni/bin; ln -sf {PLUGIN} /opt/cni/bin/host-subnet")
    bridge = {"cniVersion": "1.0.0", "name": "b", "type": "bridge", "bridge": "br9", "ipam": IPAM}
    added = host.cni("ADD", bridge, "c1", plugin="/usr/lib/cni/bridge")
    assert added.code == 0, added.text
    assert findings(host) == {}
    host.vm.run("kill $(ip netns pids c1); ip netns del c1; ip link del br9")
    host.wait_for(lambda: set(findings(host)) == {"lease-without-attachment"})

    follow(host, findings(host)["lease-without-attachment"])

    assert (findings(host), host.state_files()) == ({}, [])
    host.vm.run("rm /opt/cni/bin/host-subnet")


def write(node: Node, path: str, text: str) -> None:
    node.vm.run(["sh", "-c", f"mkdir -p $(dirname {path}); cat > {path}"], input=text)


def test_a_claim_that_is_damaged(host: Node) -> None:
    host.vm.run("mkdir -p -m 700 /run/cni-sriov /run/cni-sriov/claims")
    path = "/run/cni-sriov/claims/0000:01:00.0+0000:01:10.0"
    write(host, path, "{")

    found = findings(host)

    assert set(found) == {"unreadable-state"}
    assert found["unreadable-state"]["subject"] == path
    follow(host, found["unreadable-state"])
    assert findings(host) == {}


def conflist(name: str = "fast", **keys: Any) -> str:
    plugin = {"type": "sriov", "master": PORTS[0]} | keys
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": [plugin]})


def test_a_runtime_its_networks_and_its_plugins(host: Node) -> None:
    """containerd as Debian configures it, which no package of the guest has; one trouble after another."""
    table = (
        '[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/opt/cni/bin"\nconf_dir = "/etc/cni/net.d"\n'
    )
    write(host, "/etc/containerd/config.toml", f"version = 2\n{table}")
    write(host, f"{NET_D}/10-sriov.conflist", conflist())
    host.vm.run("rm -rf /opt/cni/bin")

    found = findings(host)
    assert set(found) == {"plugin-not-found"}
    follow(host, found["plugin-not-found"])
    assert findings(host) == {}
    assert host.vm.run("readlink /opt/cni/bin/sriov").stdout.strip() == PLUGIN

    host.vm.run("rm /opt/cni/bin/sriov; cp /usr/lib/cni/bridge /opt/cni/bin/sriov")
    found = findings(host)
    assert set(found) == {"another-sriov"}
    follow(host, found["another-sriov"])
    assert findings(host) == {}

    write(
        host,
        f"{NET_D}/05-bridge.conflist",
        json.dumps({"cniVersion": "1.0.0", "name": "b", "plugins": [{"type": "bridge"}]}),
    )
    found = findings(host)
    assert (set(found), found["conflist-shadowed"]["severity"]) == ({"conflist-shadowed"}, "warning")
    follow(host, found["conflist-shadowed"])
    assert findings(host) == {}
    assert host.vm.run(f"ls {NET_D}").stdout.split()[0] == "00-10-sriov.conflist"

    write(host, f"{NET_D}/00-10-sriov.conflist", conflist() + "}")
    found = findings(host)
    assert (set(found), found["conflist-broken"]["severity"]) == ({"conflist-broken"}, "error")
    command, _, last = found["conflist-broken"]["remedy"].splitlines()
    judged = host.vm.run(["sh", "-c", f"{PATH} {command}"], check=False)
    assert (judged.returncode, "error" in judged.stdout) == (1, True), judged.stdout
    assert shlex.split(last)[0] == "mv"
    host.vm.run(last)
    assert findings(host) == {}

    write(host, f"{NET_D}/00-sriov.conflist", conflist())
    host.vm.run(f"echo 0 > /sys/class/net/{PORTS[0]}/device/sriov_numvfs")
    found = findings(host)
    assert set(found) == {"network-without-vfs"}
    follow(host, found["network-without-vfs"])
    assert findings(host) == {}
    assert len(host.vfs(PORTS[0])) == 7
    host.vm.run(f"rm -r {NET_D} /etc/containerd /opt/cni/bin/sriov*")


def test_networkmanager_and_networkd(host: Node) -> None:
    """By the files that they write of a link: neither runs in the guest."""
    (link,) = host.vm.json(f"ip -j link show {PORTS[0]}v0")
    nm, networkd = (
        f"/run/NetworkManager/devices/{link['ifindex']}",
        f"/run/systemd/netif/links/{link['ifindex']}",
    )
    write(host, nm, "[device]\nmanaged=true\n")
    write(host, networkd, "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-dhcp.network\n")

    done = host.vm.run("/mnt/host/cni-sriov/sriovctl doctor", check=False)

    assert done.returncode == 1
    assert f"NetworkManager configures 1 VF ({PORTS[0]}v0)" in done.stdout
    assert (
        f"systemd-networkd configures 1 VF ({PORTS[0]}v0) by /etc/systemd/network/10-dhcp.network"
        in done.stdout
    )
    write(host, nm, "[device]\nmanaged=false\n")
    write(host, networkd, "ADMIN_STATE=unmanaged\n")
    assert findings(host) == {}
    host.vm.run(f"rm {nm} {networkd}")


def test_a_look_changes_nothing(host: Node) -> None:
    """By every call of it that could: strace, with what it starts."""
    host.add_netns("c1")
    assert host.cni("ADD", CONF | {"ipam": IPAM}, "c1").code == 0
    host.vm.run(f"ip netns add other; ip link set {PORTS[0]}v1 netns other")
    before = (
        host.card(),
        host.vm.run("find /run/cni-sriov /var/lib/cni -printf '%p %T@ %i %s %m\\n' | sort").stdout,
    )
    writes = (
        "%process,openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,symlink,symlinkat,"
        "link,linkat,chmod,fchmod,fchmodat,chown,fchownat,truncate,ftruncate,utimensat,mount,umount2,kill,sendto,sendmsg"
    )

    host.vm.run(
        f"strace -f -s 64 -o /tmp/trace -e trace={writes} /mnt/host/cni-sriov/sriovctl doctor --json",
        check=False,
    )

    after = (
        host.card(),
        host.vm.run("find /run/cni-sriov /var/lib/cni -printf '%p %T@ %i %s %m\\n' | sort").stdout,
    )
    assert after == before
    trace = host.vm.run("cat /tmp/trace").stdout.splitlines()
    assert len(trace) > 500
    assert [line for line in trace if _changes(line)] == []
    assert host.cni("DEL", CONF | {"ipam": IPAM}, "c1").code == 0
    host.vm.run("ip netns del c1; ip netns del other")
    host.wait_for(lambda: findings(host) == {})


def _changes(line: str) -> bool:
    call = line.split(maxsplit=1)[-1]
    name = call.partition("(")[0]
    if name in {"openat", "open"}:
        return (
            any(flag in call for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"))
            and "/dev/null" not in call
        )
    if name in {"sendto", "sendmsg"}:
        return any(f"RTM_{verb}" in call for verb in ("NEW", "DEL", "SET"))
    return (
        name
        not in {"exit_group", "execve", "exit", "wait4", "vfork", "clone", "clone3", "fork", "+++", "---"}
        and call[:1].isalpha()
    )
