"""Two netns with links in them, of the kernel and of its fake.

The kernel's side is veth pairs in two netns of this process's own making; host links are never touched.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Protocol

from cni_sriov.kernel.netlink import Netlink
from cni_sriov.kernel.netns import Netns, inside
from tests.fakes import FakeKernel

if TYPE_CHECKING:
    from pathlib import Path


class Node(Protocol):
    """Two netns. `left` and `right` speak in them, `fd` leads to them."""

    left: Netlink
    right: Netlink
    left_netns: Netns
    right_netns: Netns

    def add_link(self, where: str, name: str) -> int: ...

    def stack(self, where: str, lower: str, name: str) -> int: ...

    def add_bridge(self, where: str, name: str) -> int: ...

    def send_off(self, name: str) -> int: ...

    def sysctl(self, where: str, ifname: str) -> str:
        """Its arp_notify, "" where there is none."""


class KernelNode:
    def __init__(self, prefix: str) -> None:
        self.names = {"left": f"{prefix}-l", "right": f"{prefix}-r"}
        for name in self.names.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
        self.left_netns, self.right_netns = (Netns(f"/run/netns/{name}") for name in self.names.values())
        with inside(self.left_netns):
            self.left = Netlink()
        with inside(self.right_netns):
            self.right = Netlink()

    def add_link(self, where: str, name: str) -> int:
        """One end of a veth pair; the other end is UP in the same netns, so the link has a carrier when UP."""
        netns = self.names[where]
        pair = ["ip", "-n", netns, "link", "add", name, "type", "veth", "peer", "name", f"{name}-p"]
        subprocess.run(pair, check=True)
        subprocess.run(["ip", "-n", netns, "link", "set", f"{name}-p", "up"], check=True)
        return (self.left if where == "left" else self.right).ifindex(name)

    def stack(self, where: str, lower: str, name: str) -> int:
        """A macvlan; VLANs are not in every kernel (the lab has them)."""
        netns = self.names[where]
        subprocess.run(
            ["ip", "-n", netns, "link", "add", "link", lower, "name", name, "type", "macvlan"], check=True
        )
        return (self.left if where == "left" else self.right).ifindex(name)

    def add_bridge(self, where: str, name: str) -> int:
        subprocess.run(
            ["ip", "-n", self.names[where], "link", "add", "name", name, "type", "bridge"], check=True
        )
        return (self.left if where == "left" else self.right).ifindex(name)

    def send_off(self, name: str) -> int:
        """What is stacked goes from left to right alone; the answer is its ifindex there."""
        subprocess.run(
            ["ip", "-n", self.names["left"], "link", "set", name, "netns", self.names["right"]], check=True
        )
        return self.right.ifindex(name)

    def sysctl(self, where: str, ifname: str) -> str:
        path = f"/proc/sys/net/ipv4/conf/{ifname}/arp_notify"
        read = ["ip", "netns", "exec", self.names[where], "cat", path]
        return subprocess.run(read, capture_output=True, text=True).stdout.strip()

    def close(self) -> None:
        for face in (self.left, self.right, self.left_netns, self.right_netns):
            face.close()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=True)


class FakeNode:
    def __init__(self, root: Path) -> None:
        self.world = FakeKernel(root)
        self.namespaces = {"left": self.world.add_pod("/left"), "right": self.world.add_pod("/right")}
        self.left_netns, self.right_netns = self.world.open_netns("/left"), self.world.open_netns("/right")
        self.left, self.right = (
            self.world.pod_netlink(self.left_netns),
            self.world.pod_netlink(self.right_netns),
        )

    def add_link(self, where: str, name: str) -> int:
        self.world.add_link(self.namespaces[where], name)
        return (self.left if where == "left" else self.right).ifindex(name)

    def stack(self, where: str, lower: str, name: str) -> int:
        found = self.namespaces[where].find(lower)
        assert found is not None
        self.world.stack(self.namespaces[where], found[1], name)
        return (self.left if where == "left" else self.right).ifindex(name)

    def add_bridge(self, where: str, name: str) -> int:
        self.world.add_link(self.namespaces[where], name, "bridge")
        return (self.left if where == "left" else self.right).ifindex(name)

    def send_off(self, name: str) -> int:
        self.left.move(self.left.ifindex(name), self.right_netns.fd, name)
        return self.right.ifindex(name)

    def sysctl(self, where: str, ifname: str) -> str:
        there = self.namespaces[where]
        known = there.sysctls.get(("net", "ipv4", "conf", ifname, "arp_notify"), "0")
        return known if there.has(ifname) else ""
