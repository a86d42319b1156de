"""Containers that drive a VF from user space: dpdk-testpmd in bubblewrap, in a pod's netns, with one IOMMU group's node.

What a port is and counts comes from DPDK's telemetry socket, never from the code under test.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from .guest import Running
from .vm import Vm

# three testpmd and what one that died has left; 2 MiB each
HUGEPAGES = 160
ASK = """
import socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.settimeout(10)
line.connect(sys.argv[1])
line.recv(4096)  # it introduces itself
for question in sys.argv[2:]:
    line.send(question.encode())
    print(line.recv(65536).decode())
"""


def reserve_hugepages(vm: Vm) -> None:
    path = "/proc/sys/vm/nr_hugepages"
    vm.run(
        f"echo 1 > /proc/sys/vm/compact_memory; echo {HUGEPAGES} > {path}; test $(cat {path}) = {HUGEPAGES}"
    )
    vm.run("modprobe vfio-pci")


def number(vm: Vm, pci_address: str) -> str:
    """Of its IOMMU group."""
    return Path(vm.run(f"readlink /sys/bus/pci/devices/{pci_address}/iommu_group").stdout.strip()).name


def group_of(vm: Vm, pci_address: str) -> str:
    """The node that a container needs for it."""
    return f"/dev/vfio/{number(vm, pci_address)}"


def contained(netns: str, nodes: tuple[str, ...], argv: list[str]) -> list[str]:
    """`argv` as a container: the netns is the pod's, pids, IPC and mounts are its own; no capability, and of /dev/vfio
    its own nodes alone.
    """
    own = [
        word for node in ("/dev/vfio/vfio", *nodes, "/dev/hugepages") for word in ("--dev-bind", node, node)
    ]
    links = [
        word for name in ("bin", "lib", "lib64", "sbin") for word in ("--symlink", f"usr/{name}", f"/{name}")
    ]
    return [
        *("prlimit", "--memlock=unlimited", "ip", "netns", "exec", netns, "bwrap"),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL", "--die-with-parent"),
        *("--ro-bind", "/usr", "/usr", *links, "--ro-bind", "/etc", "/etc", "--ro-bind", "/sys", "/sys"),
        *("--proc", "/proc", "--dev", "/dev", *own, "--tmpfs", "/tmp"),
        *("--bind", f"/run/of-{netns}", "/run", "--symlink", "../run", "/var/run", *argv),
    ]  # fmt: skip


def testpmd(netns: str, pci_address: str, *mode: str) -> list[str]:
    memory = ("-l", "0-1", "-m", "64", "--huge-unlink=always", f"--file-prefix={netns}")
    few = ("--nb-cores=1", "--total-num-mbufs=4096", "--no-lsc-interrupt")
    return ["dpdk-testpmd", *memory, "-a", pci_address, "--", *few, *mode]


class Testpmd:
    """One that runs, and what it says of its only port."""

    __test__ = False

    def __init__(self, vm: Vm, netns: str, running: Running) -> None:
        self.vm, self.netns, self.running = vm, netns, running

    def ask(self, *questions: str) -> list[Any]:
        """By question, what its telemetry answers; [] while it is not so far."""
        socket = f"/run/of-{self.netns}/dpdk/{self.netns}/dpdk_telemetry.v2"
        done = self.vm.run(["python3", "-Ic", ASK, socket, *questions], check=False)
        return [next(iter(json.loads(line).values())) for line in done.stdout.splitlines()]

    def wait(self, seconds: float = 90) -> None:
        """Until its port is up."""
        deadline = time.monotonic() + seconds
        while True:
            (link,) = self.ask("/ethdev/link_status,0") or [None]
            if link and link["status"] == "UP":
                return
            assert time.monotonic() < deadline, self.said()

    def counters(self) -> tuple[int, int]:
        """Packets in and out so far."""
        (stats,) = self.ask("/ethdev/stats,0")
        return stats["ipackets"], stats["opackets"]

    def mac(self) -> str:
        (found,) = self.ask("/ethdev/info,0")
        return str(found["mac_addr"]).lower()

    def said(self) -> str:
        return self.vm.run(f"cat /run/of-{self.netns}/log").stdout

    @property
    def pid(self) -> int:
        """Of testpmd as the host sees it."""
        (found,) = self.vm.run(f"pgrep -f '^dpdk-testpmd .*--file-prefix={self.netns} '").stdout.split()
        return int(found)

    def end(self) -> None:
        """By SIGKILL, as a container ends that does not stop in time."""
        self.vm.run(f"kill -9 {self.pid}")
        self.running.wait()


def start(vm: Vm, netns: str, pci_address: str, *mode: str) -> Testpmd:
    argv = contained(
        netns, (group_of(vm, pci_address),), testpmd(netns, pci_address, "--stats-period=60", *mode)
    )
    vm.run(f"mkdir -p /run/of-{netns}")
    shell = f'exec "$@" > /run/of-{netns}/log 2>&1'
    return Testpmd(vm, netns, vm.spawn(["sh", "-c", shell, "sh", *argv], check=False, timeout=300))


def refusal(vm: Vm, netns: str, own: str, pci_address: str) -> str:
    """What DPDK says of that VF in the container that has its own one; the prompt ends with its input."""
    argv = contained(netns, (group_of(vm, own),), testpmd(f"{netns}-more", pci_address, "--interactive"))
    said = vm.run(argv, check=False).stderr
    return next((line.removeprefix("EAL: ") for line in said.splitlines() if "VFIO group" in line), said)
