"""`sriovctl doctor` on what is attached, and on who calls the plugin: troubles are made, told, and ended by what the remedy
names, word for word. A look costs seconds in the guest, so each sees many at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from .node import CONF, IPAM, PLUGIN, Node
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

NET_D, OTHER_D = "/etc/cni/net.d", "/srv/net.d"
DOCTOR = "/mnt/host/cni-sriov/sriovctl doctor --json"
SLEEPER = "setsid ip netns exec {} sleep 1000 >/dev/null 2>&1 </dev/null &"
STATE_RULES = {
    *("same-mac", "record-without-vf", "lease-lost", "unreadable-state", "directory-gone", "not-restored"),
    *("vf-of-nobody", "lease-without-attachment", "dead-attachment", "netns-without-process", "vf-changed"),
}
RUNTIME_RULES = {
    *("plugin-not-found", "another-sriov", "plugin-missing", "conflist-broken", "conflist-shadowed"),
    *("same-network-name", "network-without-pf", "network-without-vfs", "no-free-vf", "vf-managed"),
    "podman-without-plugin",
}
# what the guest lacks otherwise, huge pages and the like, test_doctor_card.py tells
OURS = {*STATE_RULES, *RUNTIME_RULES, "rule-failed", "unseen"}
CHANGING = (
    "%process,openat,open,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,symlink,symlinkat,"
    "link,linkat,chmod,fchmod,fchmodat,chown,fchownat,truncate,ftruncate,utimensat,mount,umount2,kill,sendto,sendmsg"
)
NO_CHANGE = ("exit", "exit_group", "execve", "wait4", "vfork", "clone", "clone3", "fork", "rt_sigreturn")


@pytest.fixture(scope="session")
def lab_share() -> Path:
    return bundle.directory()


@pytest.fixture(scope="module")
def host(lab_module: Vm) -> Node:
    node = Node(lab_module)
    node.create_vfs(4)
    return node


def findings(node: Node, command: str = DOCTOR) -> dict[str, dict[str, Any]]:
    """Those of our rules, by rule; of two of one rule, by both."""
    done = node.vm.run(command, check=False)
    assert done.stderr == ""
    found: dict[str, dict[str, Any]] = {}
    for one in json.loads(done.stdout)["findings"]:
        if one["rule"] in OURS:
            name = one["rule"] if one["rule"] not in found else f"{one['rule']} {one['subject']}"
            found[name] = one
    return found


def follow(node: Node, finding: dict[str, Any]) -> None:
    """As an operator's shell takes it, with sriovctl on its PATH."""
    script = f"PATH=/mnt/host/cni-sriov:$PATH\n{finding['remedy']}"
    done = node.vm.run(["sh", "-ec", script], check=False)
    assert done.returncode == 0, (finding, done.stdout, done.stderr)


def write(node: Node, path: str, text: str) -> None:
    node.vm.run(["sh", "-c", f"mkdir -p $(dirname '{path}'); cat > '{path}'"], input=text)


def state_of(node: Node) -> tuple[Any, str]:
    told = "find /run/cni-sriov /var/lib/cni /etc/cni -printf '%p %T@ %i %s %m\\n' 2>/dev/null | sort"
    return node.card(), node.vm.run(told).stdout


def test_what_is_attached_leased_and_lost(host: Node) -> None:
    first, second = PORTS
    host.add_netns("healthy", "kept", "gone", "other", "bridged")
    host.vm.run(" ".join(SLEEPER.format(name) for name in ("healthy", "gone", "other", "bridged")))
    host.vm.run(f"mkdir -p /opt/cni/bin; ln -sf {PLUGIN} /opt/cni/bin/host-subnet")
    bridge = {"cniVersion": "1.0.0", "name": "b", "type": "bridge", "bridge": "br9", "ipam": IPAM}
    for container, conf, plugin in (
        ("healthy", CONF | {"ipam": IPAM}, PLUGIN),
        ("gone", CONF | {"master": second, "ipam": IPAM}, PLUGIN),
        ("bridged", bridge, "/usr/lib/cni/bridge"),
    ):
        added = host.cni("ADD", conf, container, plugin=plugin)
        assert added.code == 0, added.text
    assert findings(host) == {}

    # nobody sends a DEL: podman that was killed during an ADD
    assert host.cni("ADD", CONF, "kept").code == 0
    host.vm.run(f"ip link set {first}v2 netns other")
    taken = next(link["address"] for pci, link in host.links("healthy").items() if pci == "0000:01:10.0")
    was = host.links()["0000:01:10.6"]["address"]
    host.vm.run(f"ip link set {first}v3 address {taken}")
    host.vm.run(f"echo 0 > /sys/class/net/{second}/device/sriov_numvfs")
    host.vm.run("kill $(ip netns pids bridged); ip netns del bridged; ip link del br9")
    damaged = "/run/cni-sriov/claims/0000:01:00.0+0000:01:11.0"
    write(host, damaged, "{")
    host.vm.run("udevadm settle; sleep 1")
    before = state_of(host)

    found = findings(host, f"strace -f --seccomp-bpf -s 64 -o /tmp/trace -e trace={CHANGING} {DOCTOR}")

    assert state_of(host) == before
    trace = host.vm.run("cat /tmp/trace").stdout.splitlines()
    assert (len(trace) > 300, [line for line in trace if _changes(line)]) == (True, [])
    assert set(found) == {
        *("netns-without-process", "vf-of-nobody", "same-mac", "record-without-vf", "unreadable-state"),
        "lease-without-attachment",
    }
    assert found["netns-without-process"]["subject"] == "0000:01:10.2"
    assert "/run/netns/other, with sleep (pid " in found["vf-of-nobody"]["why"]
    assert f"have one MAC, {taken}" in found["same-mac"]["why"]
    assert "gone/net1" in found["record-without-vf"]["why"]
    assert found["unreadable-state"]["subject"] == damaged
    assert "bridged/net1" in found["lease-without-attachment"]["why"]

    # a file that cannot be read first: until then `sriovctl gc` does what it can, and ends with 1
    for rule in ("unreadable-state", "netns-without-process", "vf-of-nobody"):
        follow(host, found.pop(rule))
    host.wait_for(lambda: {"0000:01:10.2", "0000:01:10.4"} <= host.links().keys())
    for finding in found.values():
        follow(host, finding)

    assert findings(host) == {}
    assert host.links()["0000:01:10.6"]["address"] not in {was, taken}
    assert host.cni("DEL", CONF | {"ipam": IPAM}, "healthy").code == 0
    assert host.state_files() == []
    host.vm.run("for n in healthy gone other; do kill $(ip netns pids $n); ip netns del $n; done")


def _changes(line: str) -> bool:
    """One of strace's: "12 openat(...) = 3"."""
    call = line.split(maxsplit=1)[-1]
    name = call.partition("(")[0]
    if name in {"openat", "open"}:
        return (
            any(flag in call for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")) and "/dev/" not in call
        )
    if name in {"sendto", "sendmsg"}:
        return any(f"RTM_{verb}" in call for verb in ("NEW", "DEL", "SET"))
    return name.isidentifier() and name not in NO_CHANGE


def conflist(name: str, **keys: Any) -> str:
    plugin = {"type": "sriov", "master": PORTS[0]} | keys
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": [plugin]})


def test_runtimes_their_networks_and_plugins_and_who_manages_vfs(host: Node) -> None:
    """By files as Debian's packages have them: the guest has none of these, nor NetworkManager and networkd."""
    host.clear()
    host.vm.run(f"rm -rf /opt/cni/bin; echo 0 > /sys/class/net/{PORTS[1]}/device/sriov_numvfs")
    table = f'[plugins."io.containerd.grpc.v1.cri".cni]\nbin_dir = "/opt/cni/bin"\nconf_dir = "{NET_D}"\n'
    write(host, "/etc/containerd/config.toml", f"version = 2\n{table}")
    crio = f'[crio.network]\nnetwork_dir = "{OTHER_D}"\nplugin_dirs = ["/srv/cni"]\n'
    write(host, "/etc/crio/crio.conf", crio)
    bridge = json.dumps({"cniVersion": "1.0.0", "name": "b", "plugins": [{"type": "bridge"}]})
    write(host, f"{NET_D}/05-bridge.conflist", bridge)
    write(host, f"{NET_D}/10-sriov.conflist", conflist("fast"))
    write(host, f"{OTHER_D}/10-sriov.conflist", conflist("slow", master=PORTS[1]))
    write(host, f"{OTHER_D}/20-sriov.conflist", conflist("third") + "}")
    host.vm.run("mkdir -p /srv/cni /usr/lib/podman; cp /usr/lib/cni/bridge /srv/cni/sriov")
    write(host, "/usr/bin/podman", "")
    write(host, "/usr/lib/podman/netavark", "")
    (link,) = host.vm.json(f"ip -j link show {PORTS[0]}v0")
    nm, networkd = (
        f"/run/NetworkManager/devices/{link['ifindex']}",
        f"/run/systemd/netif/links/{link['ifindex']}",
    )
    write(host, nm, "[device]\nmanaged=true\n")
    write(host, networkd, "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-dhcp.network\n")

    found = findings(host)

    assert {name.partition(" ")[0]: one["severity"] for name, one in found.items()} == {
        "plugin-not-found": "error",
        "another-sriov": "error",
        "conflist-broken": "error",
        "network-without-vfs": "error",
        "conflist-shadowed": "warning",
        "vf-managed": "warning",
        "podman-without-plugin": "note",
    }
    managed = [one["why"] for one in found.values() if one["rule"] == "vf-managed"]
    assert f"NetworkManager configures 1 VF ({PORTS[0]}v0)" in managed[0]
    assert (
        f"systemd-networkd configures 1 VF ({PORTS[0]}v0) by /etc/systemd/network/10-dhcp.network"
        in managed[1]
    )

    for rule in ("plugin-not-found", "another-sriov", "conflist-shadowed", "network-without-vfs"):
        follow(host, found[rule])
    judge, *_, aside = found["conflist-broken"]["remedy"].splitlines()
    judged = host.vm.run(f"PATH=/mnt/host/cni-sriov:$PATH {judge}", check=False)
    assert (judged.returncode, "error" in judged.stdout) == (1, True), judged.stdout
    host.vm.run(aside)
    write(host, nm, "[device]\nmanaged=false\n")
    write(host, networkd, "ADMIN_STATE=unmanaged\n")
    host.vm.run("rm -r /usr/bin/podman /usr/lib/podman")

    assert findings(host) == {}
    assert host.vm.run("readlink /opt/cni/bin/sriov /srv/cni/sriov").stdout.split() == [PLUGIN, PLUGIN]
    assert host.vm.run(f"ls {NET_D}").stdout.split() == ["00-10-sriov.conflist", "05-bridge.conflist"]
    assert len(host.vfs(PORTS[1])) == 7
