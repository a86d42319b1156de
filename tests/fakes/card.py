"""What a node has: PFs, VFs, links, network namespaces. Things with their rules; what moves them is kernel.py."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EINVAL, EOPNOTSUPP, ERANGE
from typing import Any

from cni_sriov.kernel.netlink import ZERO_MAC
from cni_sriov.kernel.replies import Address, KernelRoute
from cni_sriov.words.record import VfState

from .effects import Refused


class FakeLink:
    """A netdev. `pci_address` "" = virtual: it dies with its netns instead of coming home."""

    def __init__(
        self, name: str, mac: str, pci_address: str = "", kind: str = "", max_mtu: int = 9216
    ) -> None:
        self.name = name
        self.home_name = name  # what udev calls it
        self.mac = mac
        self.pci_address = pci_address
        self.kind = kind
        self.mtu = 1500
        self.max_mtu = max_mtu
        self.is_up = False
        self.carrier = True
        self.modes = 0
        self.txqueuelen = 1000
        self.traits = fresh_traits()
        self.sockets = 0  # that want it promiscuous
        self.lower: FakeLink | None = None  # what it is stacked on
        self.master: FakeLink | None = None  # what it is a port of
        self.wanting: list[FakeLink] = []  # what is stacked on it and has told it its multicast groups
        self.groups = 0  # more than 224.0.0.1 that have the same MAC
        self.altnames: list[str] = []
        self.addresses: list[Address] = []
        self.routes: list[KernelRoute] = []
        self.announced: list[str] = []  # by gratuitous ARP
        self.uppers: list[str] = []
        self.vf: FakeVf | None = None
        self.pf: FakePf | None = None
        self.counted = (0, 0, 0, 0)  # packets in and out, bytes in and out

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "mac": self.mac,
            "mtu": self.mtu,
            "modes": self.modes,
            "txqueuelen": self.txqueuelen,
            "traits": dict(self.traits),
            "stacked on": self.lower.pci_address or self.lower.name if self.lower else "",
            "up": self.is_up,
            "altnames": sorted(self.altnames),
            "addresses": sorted(a.address for a in self.addresses),
            "routes": sorted(f"{r.route} table {r.table}" for r in self.routes),
            "pci": self.pci_address,
        }


class FakeVf:
    """The PF's view. `mac` is what `ip link` shows: the admin MAC if `admin_mac`, else what the VF last set itself."""

    def __init__(self, pf: FakePf, index: int, pci_address: str) -> None:
        self.pf = pf
        self.index = index
        self.pci_address = pci_address
        self.driver = self.home_driver = pf.driver + "vf" if pf.driver == "igb" else "iavf"
        self.state = VfState(
            mac="", vlan=0, min_tx_rate=0, max_tx_rate=0, spoofchk=True, trust=False, link_state="auto"
        )
        self.admin_mac = False
        self.link: FakeLink | None = None
        self.counted = (0, 0, 0, 0)  # by the PF; igb counts nothing, and the kernel says 0 then

    def snapshot(self) -> dict[str, Any]:
        return {**self.state.to_json(), "admin_mac": self.admin_mac, "driver": self.driver}


class FakePf:
    def __init__(self, pci_address: str, link: FakeLink, totalvfs: int, driver: str, port: int) -> None:
        self.pci_address = pci_address
        self.link = link
        self.totalvfs = totalvfs
        self.driver = self.home_driver = driver
        self.port = port
        self.vfs: list[FakeVf] = []
        self.lives = 0  # how often numvfs made VFs
        self.numvfs_errno = 0  # ENOMEM: the bridge above has no bus number for the VFs

    def vf_pci(self, index: int) -> str:
        """As an I350/82576 lays them out: offset 128, stride 2."""
        number = 0x80 + self.port + 2 * index
        bus = int(self.pci_address.split(":")[1], 16) + (number >> 8)
        return f"0000:{bus:02x}:{number >> 3 & 31:02x}.{number & 7}"


class Namespace:
    def __init__(self, path: str, inode: int, cookie: int) -> None:
        self.path = path
        self.identity = (4, inode)
        self.cookie = cookie  # never given again, as the kernel's; 0 = a kernel before 5.14
        self.links: dict[int, FakeLink] = {}
        self.sysctls: dict[tuple[str, ...], str] = {}
        self.ids: list[Namespace] = []  # those that a link here told of; the index is the netns ID
        self.next_index = 1
        self.pid = inode - 4026532000 + 10
        self.is_abandoned = False  # no process is in it

    def add(self, link: FakeLink) -> int:
        """Never the index it had elsewhere: the kernel promises nothing."""
        ifindex = self.next_index
        self.next_index += 1
        self.links[ifindex] = link
        return ifindex

    def find(self, name: str) -> tuple[int, FakeLink] | None:
        return next(
            ((i, link) for i, link in self.links.items() if name in (link.name, *link.altnames)), None
        )

    def has(self, name: str) -> bool:
        return self.find(name) is not None

    def snapshot(self) -> dict[str, Any]:
        links = sorted((link.snapshot() for link in self.links.values()), key=lambda link: str(link["name"]))
        return {"links": links, "sysctls": {"/".join(k): v for k, v in sorted(self.sysctls.items())}}


# of an igbvf netdev, as it told them in the lab; those of sysfs and of bpf(2) are told in the host only
TUNABLES = {
    "threaded": "0",
    "gro_flush_timeout": "0",
    "napi_defer_hard_irqs": "0",
    "rps_cpus": "0",
    "tcx": "",
}
_SIZES = ("gso_max_size", "gso_ipv4_max_size", "gro_max_size", "gro_ipv4_max_size")


def fresh_traits() -> dict[str, str]:
    told = {"flags": "multicast", "ifalias": "", "group": "0", "linkmode": "0", "proto_down": "0", "xdp": ""}
    told |= {"broadcast": "ff:ff:ff:ff:ff:ff", "gso_max_segs": "65535", **dict.fromkeys(_SIZES, "65536")}
    told |= {
        "features": "21014009a9",
        "rings": "rx 256 tx 256",
        "coalesce": "rx-usecs 3",
        "message-level": "level 7",
    }
    return told | TUNABLES


def set_trait(link: FakeLink, name: str, text: str) -> None:
    """As do_setlink judges it; a feature that cannot be changed stays, without a word."""
    if (name == "xdp" and text) or (name == "proto_down" and text != link.traits[name]):
        raise Refused(EOPNOTSUPP)
    if name == "ifalias" and len(text.encode()) > 255:
        raise Refused(ERANGE)
    if name.startswith(("gso_", "gro_")) and int(text) > (0xFFFF if name == "gso_max_segs" else 0x80000):
        raise Refused(EINVAL)
    link.traits[name] = text


def set_mac(link: FakeLink, mac: str) -> None:
    if mac == ZERO_MAC or int(mac[:2], 16) & 1:
        raise Refused(EADDRNOTAVAIL)
    if mac == link.mac:
        return  # dev_set_mac_address: the driver is not asked for what the netdev has, whatever the PF thinks
    if link.vf:
        if link.vf.admin_mac and not link.vf.state.trust:
            raise Refused(EADDRNOTAVAIL)  # igbvf: the PF answers NACK, whatever the address
        link.vf.state.mac = mac
    link.mac = mac


def set_mtu(link: FakeLink, mtu: int) -> None:
    if not 68 <= mtu <= link.max_mtu:
        raise Refused(EINVAL, "mtu greater than device maximum" if mtu > link.max_mtu else "")
    link.mtu = mtu
