"""The guests that the lab knows: what is in each, and how large it is. What makes them is in image.py.

All boot the same kernel and have the same card. A guest of another suite comes from the machine's own mirror, too.
"""

from __future__ import annotations

from dataclasses import dataclass

BASE = (
    *("busybox-static", "kmod", "mawk", "mount", "procps", "udev", "util-linux"),
    *("ethtool", "iproute2", "iputils-ping", "less", "pciutils", "python3", "strace", "tcpdump"),
    "containernetworking-plugins",
)
# how a node's owner sees firewall and processes, and what writes the messages of the CRI, and speaks them
_BESIDE = ("iptables", "jq", "nftables", "psmisc")
_CRI = ("protobuf-compiler", "python3-grpcio", "python3-protobuf")


@dataclass(frozen=True)
class Recipe:
    """A guest by name. `suite` is the distribution's release it is made of, "" for the machine's own.

    `dpdk`: has testpmd and what it runs with; `containers`: has images for runtimes, their settings, and room for them.
    """

    name: str
    packages: tuple[str, ...]
    suite: str = ""
    memory_mib: int = 1024
    disk_mib: int = 256
    dpdk: bool = False
    containers: bool = False


CARD = Recipe(
    "card",
    # dpdk: its dpdk-devbind.py, the second opinion on `sriovctl status --devices`
    (*BASE, "dpdk", "bubblewrap"),
    dpdk=True,
)
RUNTIMES = Recipe(
    "runtimes",
    (*BASE, *_BESIDE, *_CRI, "containerd", "crun", "podman", "runc"),
    "bookworm",
    memory_mib=2048,
    disk_mib=3072,
    containers=True,
)
TRIXIE = Recipe(
    "trixie",
    (*BASE, *_BESIDE, "aardvark-dns", "conmon", "crun", "netavark", "podman"),
    "trixie",
    memory_mib=2048,
    disk_mib=3072,
    containers=True,
)
# `make lab-containerd` alone: the newest of the archive
NEWEST = Recipe(
    "newest",
    (*BASE, *_BESIDE, *_CRI, "containerd", "runc"),
    "sid",
    memory_mib=2048,
    disk_mib=3072,
    containers=True,
)
# `make lab-kubernetes` alone; what it has of Kubernetes is in kubernetes_parts.py. With 4096 MiB, some of it above 4 GiB, the
# emulated PF never heard from any VF
KUBERNETES = Recipe(
    "kubernetes",
    (*BASE, *_BESIDE, *_CRI, "containerd", "runc", "etcd-server", "kubernetes-client"),
    "bookworm",
    memory_mib=2560,
    disk_mib=3072,
    containers=True,
)
RECIPES = {recipe.name: recipe for recipe in (CARD, RUNTIMES, TRIXIE, NEWEST, KUBERNETES)}
