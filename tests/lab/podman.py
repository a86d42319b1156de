"""podman in the guest, as packaged: what its user types, and what it tells then.

What it tells of a container comes from `podman inspect`, and is held against `ip` in the container and in the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.pages import ROOT

from . import containers
from .guest import Done, Running
from .node import Node
from .vm import PORTS

Json = dict[str, Any]
CONF = ROOT / "conf" / "podman"
CHECKOUT = "/root/cni-sriov"
VFS = {f"{port}v{index}" for port in PORTS for index in range(7)}
# `ping` in a container wants it
SLEEPER = f"--cap-add NET_RAW {containers.BUSYBOX} sleep 1000000"
# where podman keeps what it was told of networks; in the guest's root, which forgets
NETWORKS = {4: "/etc/cni/net.d", 5: "/etc/containers/networks"}
KEPT = "/mnt/state/networks"


@dataclass(frozen=True)
class Seen:
    """An interface of a container: `ip -j` in its netns, or the words of `podman inspect` for the same."""

    address: str
    mac: str
    gateway: str


class Podman:
    """`version` is 4, with CNI, or 5, with netavark."""

    def __init__(self, node: Node, version: int) -> None:
        self.node, self.vm, self.version = node, node.vm, version

    def __call__(self, words: str, *, check: bool = True) -> Done:
        return self.vm.run(f"podman {words}", check=check, timeout=120)

    def begin(self, words: str) -> Running:
        return self.vm.spawn(f"podman {words}", check=False, timeout=120)

    def set_up(self) -> None:
        """The image, and the project's own samples as networks; once in a guest."""
        if self.vm.run(f"test -d {CHECKOUT}", check=False).returncode == 0:
            return
        for path in CONF.iterdir():
            self.vm.put(f"{CHECKOUT}/conf/podman/{path.name}", path.read_bytes(), path.stat().st_mode & 0o777)
        # the one that all use, also as a pod's: `load` would write each of the archive's names
        self(f"pull --quiet docker-archive:{containers.IMAGES}:{containers.BUSYBOX}")
        self.make_networks()

    def make_networks(self) -> None:
        if self.version == 4:
            self.vm.run(f"cp {CHECKOUT}/conf/podman/*.conflist {NETWORKS[4]}")
        else:
            self.vm.run(f"{CHECKOUT}/conf/podman/create-networks", timeout=120)

    def forget_networks(self) -> None:
        """Where somebody else is to make them."""
        self("network rm fast blue red")

    def power_cycle(self) -> None:
        """The node's owner would have the networks on a disk, and VFs made at boot."""
        self.vm.run(f"cp -a {NETWORKS[self.version]} {KEPT}; sync")
        self.vm.power_cycle()
        self.node.lay_out()
        self.node.create_vfs(7)
        self.vm.run(f"mkdir -p {NETWORKS[self.version]}; cp -a {KEPT}/. {NETWORKS[self.version]}")

    def start(self, *containers: str, network: str) -> list[Running]:
        """Each with a process that sleeps, all at once."""
        return [
            self.begin(f"run --detach --name {name} --network {network} {SLEEPER}") for name in containers
        ]

    def run(self, *containers: str, network: str) -> None:
        for running in self.start(*containers, network=network):
            done = running.wait()
            assert done.returncode == 0, done.stderr

    def inspect(self, *containers: str) -> list[Json]:
        found: list[Json] = self.vm.json(f"podman inspect {' '.join(containers)}", timeout=120)
        return found

    def exec(self, container: str, words: str) -> Done:
        return self(f"exec {container} {words}", check=False)

    def pings(self, container: str, address: str, tries: int = 15) -> bool:
        """Within some seconds: a fresh link needs its carrier, at both ends."""
        command = f"ping -c 2 -i 0.3 -W 1 {address.partition('/')[0]}"
        return any("bytes from" in self.exec(container, command).stdout for _ in range(tries))

    def in_the_host(self) -> set[str]:
        """The VFs that no container has, by `ip`."""
        return VFS & {link["ifname"] for link in self.node.links().values()}

    def out(self) -> set[str]:
        """Those that the host does not see."""
        return VFS - self.in_the_host()

    def wait_for(self, what: Callable[[], bool]) -> None:
        self.node.wait_for(what, 30)


def told(container: Json) -> dict[str, Seen]:
    """Network -> what `podman inspect` says of it."""
    networks = container["NetworkSettings"]["Networks"]
    return {
        name: Seen(f"{told['IPAddress']}/{told['IPPrefixLen']}", told["MacAddress"], told["Gateway"])
        for name, told in networks.items()
    }
