"""A real VPP in the guest: `make lab-vpp CNI_SRIOV_VPP=DIRECTORY`. Not in the default run, since VPP is in no package registry:
the directory is somebody's own, laid out as usr/ of VPP's Debian packages, with the libraries that the guest lacks.

What is expected is told by VPP's command line, by `ip`, and by whoever answers a ping.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests import bundle

from . import dpdk
from .guest import Running
from .node import Node, Reply
from .test_drivers import driver
from .test_vpp import DIRECTORY, VFS, VPP

pytestmark = [pytest.mark.lab, pytest.mark.bundle, pytest.mark.timeout(900)]

HOME, BINARY = "/mnt/host/vpp", "/mnt/host/vpp/bin/vpp"
LIBRARIES = f"{HOME}/lib/x86_64-linux-gnu"
MOUNTED, RUN = "/etc/vpp/cni-sriov", "/run/vpp"
SOCKET = f"{RUN}/api.sock"
BEHIND: dict[str, Any] = {
    "cniVersion": "1.1.0",
    "name": "behind-vpp",
    "type": "sriov",
    "vpp": {"mode": "host", "socket": SOCKET, "table": 7},
    "mac": "02:00:00:00:aa:01",
    "mtu": 1400,
    "ipam": {
        "type": "host-subnet",
        "pools": [
            {"subnet": "10.20.0.0/16", "prefixLength": 29},
            {"subnet": "fd00:20::/48", "prefixLength": 64},
        ],
        "routes": [{"dst": "10.99.0.0/16"}],
    },
}
# the guest has 1 GiB, and VPP would take that for its heap
IN_C1 = VPP | {"vpp": VPP["vpp"] | {"mainHeap": "256M", "buffers": 8192}}
OF_THE_HOST = f"""unix {{ nodaemon nosyslog runtime-dir {RUN} cli-listen {RUN}/cli.sock poll-sleep-usec 1000 }}
socksvr {{ socket-name {SOCKET} }}
buffers {{ page-size 4K buffers-per-numa 4096 }}
memory {{ main-heap-size 256M }}
plugins {{ plugin dpdk_plugin.so {{ disable }} }}
"""


@pytest.fixture(scope="session", autouse=True)
def shared() -> None:
    """The guest sees it beside the bundle."""
    given = os.environ.get("CNI_SRIOV_VPP")
    assert given, "CNI_SRIOV_VPP is to be the directory of a VPP"
    (bundle.directory() / "vpp").mkdir()
    bundle.press(Path(given), bundle.directory() / "vpp")


_NUMBERS = re.compile(r"(index|uRPF|next):[0-9]+|(to|via):\[[0-9:]+\]")


class RealVpp:
    """One that runs in the guest, and how it is asked; `run` is its runtime directory as the host sees it."""

    def __init__(self, node: Node, argv: list[str], run: str) -> None:
        self.node, self.run = node, run
        node.vm.run(f"mkdir -p {run}; rm -f {run}/*.sock")
        shell = f'exec "$@" > {run}/log 2>&1'
        env = {"LD_LIBRARY_PATH": LIBRARIES}
        self.running: Running = node.vm.spawn(
            ["sh", "-c", shell, "sh", *argv], check=False, timeout=850, env=env
        )
        self.wait_for("show version", "vpp v")

    def say(self, command: str) -> str:
        """Its answer; "" where it has done so."""
        argv = [f"{HOME}/bin/vppctl", "-s", f"{self.run}/cli.sock", *command.split()]
        done = self.node.vm.run(argv, check=False, env={"LD_LIBRARY_PATH": LIBRARIES})
        return done.stdout + done.stderr

    def wait_for(self, command: str, text: str, seconds: float = 90) -> str:
        deadline = time.monotonic() + seconds
        while text not in (said := self.say(command)):
            log = self.node.vm.run(f"tail -n 20 {self.run}/log").stdout
            assert time.monotonic() < deadline, f"{command}: {said}\n{log}"
            time.sleep(0.5)
        return said

    @property
    def pid(self) -> int:
        """As the host has it."""
        (pid,) = self.node.vm.run(f"pgrep -f '^{BINARY} -c'").stdout.split()
        return int(pid)

    def end(self, signal: str = "KILL") -> None:
        self.node.vm.run(f"kill -{signal} {self.pid}")
        self.running.wait()

    def state(self) -> list[str]:
        """All that the files set, without counters, and numbers that VPP gives what it makes anew."""
        asked = ("interface addr", "ip fib", "ip6 fib", "arp proxy")
        return [_NUMBERS.sub("", self.say(f"show {what}")) for what in asked]


# in a container -------------------------------------------------------------------------------------------------------


def start_in(node: Node, container: str, vfs: tuple[str, ...]) -> RealVpp:
    """Bubblewrap with what docs/vpp.md says that the container needs, and no more."""
    nodes = [
        "/dev/vfio/vfio",
        *(dpdk.group_of(node.vm, vf) for vf in vfs),
        "/dev/hugepages",
        "/dev/net/tun",
        "/dev/vhost-net",
    ]
    own = [word for one in nodes for word in ("--dev-bind", one, one)]
    links = [
        word for name in ("bin", "lib", "lib64", "sbin") for word in ("--symlink", f"usr/{name}", f"/{name}")
    ]
    node.vm.run(f"mkdir -p {MOUNTED} /run/of-{container}/vpp; modprobe -a tun vhost_net")
    argv = [
        *("prlimit", "--memlock=unlimited", "ip", "netns", "exec", container, "bwrap", "--unshare-pid", "--unshare-ipc"),
        *("--cap-drop", "ALL", "--cap-add", "CAP_NET_ADMIN", "--die-with-parent"),
        *("--ro-bind", "/usr", "/usr", *links, "--ro-bind", "/etc", "/etc", "--ro-bind", HOME, HOME),
        *("--ro-bind", f"{DIRECTORY}/{container}", MOUNTED, "--ro-bind", "/sys", "/sys"),
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", *own, "--tmpfs", "/tmp"),
        *("--bind", f"/run/of-{container}", "/run", "--symlink", "../run", "/var/run"),
        *(BINARY, "-c", f"{MOUNTED}/startup.conf"),
    ]  # fmt: skip
    return RealVpp(node, argv, f"/run/of-{container}/vpp")


def added(node: Node, conf: dict[str, Any], container: str, ifname: str = "net1") -> Reply:
    reply = node.cni("ADD", conf, container, ifname=ifname)
    assert reply.code == 0, reply.text
    return reply


def know(node: Node, netns: str, address: str, mac: str) -> None:
    """Of IPv6, without asking: VPP wants all multicasts of its VF (VMOLR.MPME), and QEMU's igb gives it none for that."""
    if ":" in address:
        node.vm.run(
            f"ip -n {netns} neigh replace {address.partition('/')[0]} lladdr {mac} dev net1 nud permanent"
        )


def test_a_container_s_vpp_drives_its_vfs(node: Node) -> None:
    dpdk.reserve_hugepages(node.vm)
    before = node.card()
    node.add_netns("c1", "k1")
    replies = [added(node, IN_C1, "c1", name) for name in ("net1", "net2")]
    neighbour = added(node, IN_C1 | {"vpp": None}, "k1")
    vpp = start_in(node, "c1", VFS)
    last = [line for line in node.vm.run(f"cat {DIRECTORY}/c1/start.exec").stdout.splitlines() if line][-1]
    assert last.startswith("set ip6 nd proxy tap1 "), "the last that it does by itself"
    vpp.wait_for("show ip6 fib", f"{last.split()[-1]}/128")

    hardware = vpp.say("show hardware-interfaces")
    shown = vpp.say("show interface")
    for name, reply in zip(("net1", "net2"), replies, strict=True):
        (interface,) = reply.document["interfaces"]
        assert interface["mac"] in hardware
        (line,) = [line.split() for line in shown.splitlines() if line.startswith(name)]
        assert (line[2], line[3]) == ("up", "1400/0/0/0")
        assert [address in vpp.say("show interface addr") for address in reply.addresses] == [True, True]
    state = vpp.state()
    for _ in range(2):
        assert vpp.say(f"exec {MOUNTED}/again.exec") == ""
        assert vpp.state() == state
    assert "CLI line error" in vpp.say(f"exec {MOUNTED}/start.exec")
    assert vpp.state() == state

    node.vm.run(f"ip netns exec c1 ip -force -batch {DIRECTORY}/c1/tap.ip")
    # both wires are one, and its pool is on link by the first: on the second VPP answers no neighbour that is there
    for address in replies[0].addresses + node.addresses("c1"):
        know(node, "k1", address, replies[0].document["interfaces"][0]["mac"])
        assert node.pings_soon("k1", address), f"{address}: {vpp.say('show error')}"
    assert not node.pings("k1", replies[1].addresses[0])
    for address in neighbour.addresses:
        assert node.pings_soon("c1", address), f"{address}: {vpp.say('show error')}"

    assert node.cni("DEL", IN_C1, "c1", ifname="net1").code == 0
    assert driver(node.vm, VFS[0]) == "vfio-pci", "VPP has it"
    vpp.end()
    for name in ("net1", "net2"):
        assert node.cni("DEL", IN_C1, "c1", netns="", ifname=name).code == 0
    assert node.cni("DEL", IN_C1 | {"vpp": None}, "k1").code == 0
    assert node.changed(before) == []


# of the host ------------------------------------------------------------------------------------------------------------


def start_of_the_host(node: Node) -> RealVpp:
    node.vm.run(f"mkdir -p {RUN}; modprobe -a tun vhost_net")
    node.vm.put(f"{RUN}/startup.conf", OF_THE_HOST)
    vpp = RealVpp(node, [BINARY, "-c", f"{RUN}/startup.conf"], RUN)
    assert [vpp.say("ip table add 7"), vpp.say("ip6 table add 7")] == ["", ""]
    return vpp


def test_taps_of_the_host_s_vpp(node: Node) -> None:
    node.add_netns("c1", "c2")
    vpp = start_of_the_host(node)
    loop = vpp.say("create loopback interface").strip()
    assert [
        vpp.say(f"set interface {what}") for what in (f"ip table {loop} 7", f"ip address {loop} 10.20.0.9/29")
    ] == ["", ""]

    first, second = added(node, BEHIND, "c1"), added(node, BEHIND, "c2")
    assert [reply.addresses[0] for reply in (first, second)] == ["10.20.0.2/29", "10.20.0.18/29"]
    shown = vpp.say("show interface addr")
    assert all(text in shown for text in ("10.20.0.1/29 ip4 table-id 7", "10.20.0.17/29 ip4 table-id 7"))
    (link,) = node.vm.json("ip -n c1 -j -d link show net1")
    assert (link["address"], link["mtu"], link["linkinfo"]["info_kind"]) == ("02:00:00:00:aa:01", 1400, "tun")
    for container, gateways in (
        ("c1", ("10.20.0.1", "fd00:20::1")),
        ("c2", ("10.20.0.17", "fd00:20:0:1::1")),
    ):
        assert [node.pings_soon(container, gateway) for gateway in gateways] == [True, True]
    assert node.cni("CHECK", BEHIND | {"prevResult": first.document}).code == 0
    assert vpp.say("set interface state tap0 down") == ""
    assert "tap0 is down" in node.cni("CHECK", BEHIND | {"prevResult": first.document}).text
    asked = BEHIND | {"runtimeConfig": {"ips": ["10.20.0.10/29"]}}
    node.add_netns("c3")
    refused = node.cni("ADD", asked, "c3")
    assert refused.code == 104, refused.text

    node.vm.run("ip netns del c2")
    assert node.cni("DEL", BEHIND, "c2", netns="").code == 0
    assert "tap1" not in vpp.say("show interface")
    vpp.end()
    assert node.cni("CHECK", BEHIND | {"prevResult": first.document}).code == 107
    assert node.cni("DEL", BEHIND, "c1").code == 0
    assert node.cni("ADD", BEHIND, "c1").code == 11
    vpp = start_of_the_host(node)
    assert node.cni("DEL", BEHIND, "c1").code == 0
    third = added(node, BEHIND, "c1")
    assert node.pings_soon("c1", third.addresses[0].replace("26/29", "25"))
    assert node.cni("DEL", BEHIND, "c1").code == 0
    assert "tap" not in vpp.say("show interface")
    vpp.end("TERM")
