"""A kernel made of rules, for tests of everything above the faces.

FakeKernel holds PFs, VFs, links, network namespaces and a sysfs tree on disk that the real Sysfs reads. Its faces have
the real ones' signatures (they are subclasses, so mypy holds that) and obey what was seen of an igb card and the
kernel in the lab. tests/contract/test_netlink.py runs one set of assertions on this and on the kernel.

Every mutating call is an effect with a number: `fail_effect(k, when)` fails one, `crash_at(k, when)` ends the process
there, `snapshot()` is all there is to compare.
"""

from __future__ import annotations

import os
import shutil
from errno import (
    EACCES,
    EADDRNOTAVAIL,
    EBUSY,
    EEXIST,
    EHOSTUNREACH,
    EINVAL,
    EIO,
    ENETDOWN,
    ENETUNREACH,
    ENODEV,
    ENOENT,
    EOPNOTSUPP,
    EPROTONOSUPPORT,
    ERANGE,
    ESRCH,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_sriov.kernel.netlink import NO_NETNS_ID, ZERO_MAC, Netlink
from cni_sriov.kernel.netns import OWN, Netns
from cni_sriov.kernel.rtnl import IFA_F_PERMANENT, RT_SCOPE_LINK, RT_TABLE_MAIN, Address, KernelRoute
from cni_sriov.kernel.sysfs import Sysfs, is_userspace
from cni_sriov.words.domain import PF, Link, Route, VfState
from cni_sriov.words.errors import BadNetns, KernelRefused
from cni_sriov.words.inet import Prefix, parse_address, parse_interface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IFF_UP, IFF_RUNNING = 0x1, 0x40
RTPROT_KERNEL, RTPROT_BOOT = 2, 3
OWN_PATHS = {OWN, "/proc/self/ns/net", f"/proc/{os.getpid()}/ns/net"}


class Crash(BaseException):  # not an Exception: nothing may survive it
    """The process was killed here. Only a test may catch it; `FakeKernel.restart` is the next process."""


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

    def snapshot(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "mac": self.mac,
            "mtu": self.mtu,
            "modes": self.modes,
            "txqueuelen": self.txqueuelen,
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
        self.driver = pf.driver + "vf" if pf.driver == "igb" else "iavf"
        self.state = VfState(
            mac="", vlan=0, min_tx_rate=0, max_tx_rate=0, spoofchk=True, trust=False, link_state="auto"
        )
        self.admin_mac = False
        self.link: FakeLink | None = None

    def snapshot(self) -> dict[str, Any]:
        return {**self.state.to_json(), "admin_mac": self.admin_mac, "driver": self.driver}


class FakePf:
    def __init__(self, pci_address: str, link: FakeLink, totalvfs: int, driver: str, port: int) -> None:
        self.pci_address = pci_address
        self.link = link
        self.totalvfs = totalvfs
        self.driver = driver
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


class FakeKernel:
    """`udev` True: a VF that comes home under another name gets its own name as an altname (lab fact 8)."""

    def __init__(self, root: Path, udev: bool = False) -> None:
        self.root = root
        self.udev = udev
        self.cookies = 1  # how many there were
        self.knows_cookies = True
        self.host = Namespace(OWN, 4026531840, 1)
        self.pods: dict[str, Namespace] = {}
        self.pfs: list[FakePf] = []
        # directories that a crash freezes: what a process writes later never was
        self.durable: list[Path] = []
        self.held_inodes: set[int] = set()  # of netns that only a descriptor keeps
        self.later: list[Callable[[], None]] = []  # what the kernel still has to do; wait_link lets it happen
        self.effects: list[str] = []
        self._trap: tuple[int, str, bool] | None = None
        self._dead = False
        self._fds: dict[int, Namespace] = {}
        self._macs = 0
        (root / "sys/bus/pci/devices").mkdir(parents=True)
        (root / "sys/class/net").mkdir(parents=True)
        self._add_link(self.host, FakeLink("lo", ZERO_MAC, kind=""))
        self.sysfs = FakeSysfs(self)
        self.netlink = FakeNetlink(self, self.host)

    # -- furnishing ---------------------------------------------------------------------------------------------------

    def add_pf(
        self,
        ifname: str = "enp1s0f0",
        pci_address: str = "0000:01:00.0",
        numvfs: int = 0,
        totalvfs: int = 7,
        driver: str = "igb",
        up: bool = True,
    ) -> FakePf:
        link = FakeLink(ifname, self.new_mac(), pci_address)
        link.is_up = up
        pf = FakePf(pci_address, link, totalvfs, driver, int(pci_address[-1]))
        link.pf = pf
        self.pfs.append(pf)
        ids = {"vendor": "0x8086", "device": "0x10c9", "sriov_totalvfs": str(totalvfs), "sriov_numvfs": "0"}
        self._write_device(pci_address, driver, ids)
        self._add_link(self.host, link)
        if numvfs:
            self._apply_numvfs(pf, numvfs)
        return pf

    def add_pod(self, path: str = "/run/netns/pod1") -> Namespace:
        """With the lowest inode that no netns has, as the kernel's ida gives it: a dead one's comes again."""
        taken = {pod.identity[1] for pod in self.pods.values()} | self.held_inodes
        inode = next(n for n in range(4026532000, 4026532000 + len(taken) + 1) if n not in taken)
        self.cookies += 1
        pod = Namespace(path, inode, self.cookies if self.knows_cookies else 0)
        self.pods[path] = pod
        self._add_link(pod, FakeLink("lo", ZERO_MAC))
        return pod

    def add_link(self, namespace: Namespace, name: str, kind: str = "veth") -> FakeLink:
        link = FakeLink(name, self.new_mac(), kind=kind, max_mtu=65535)
        self._add_link(namespace, link)
        return link

    def add_upper(self, link: FakeLink, upper: str) -> None:
        link.uppers.append(upper)
        (self.root / "sys/class/net" / link.name / f"upper_{upper}").mkdir()

    def stack(self, namespace: Namespace, lower: FakeLink, name: str, kind: str = "macvlan") -> FakeLink:
        """A VLAN or macvlan on a link, which may be in another netns."""
        upper = self.add_link(namespace, name, kind)
        upper.lower = lower
        return upper

    def enslave(self, namespace: Namespace, link: FakeLink, name: str, kind: str = "bond") -> FakeLink:
        """A master that is UP, with the link as its port."""
        link.master = self.add_link(namespace, name, kind)
        self.set_up(link.master)
        return link.master

    def set_up(self, link: FakeLink) -> None:
        """It joins 224.0.0.1, and what it is stacked on hears of that; with it each VLAN on it (vlan_device_event)."""
        link.is_up = True
        if link.lower is not None and link not in link.lower.wanting and link.kind != "gre":
            link.lower.wanting.append(link)
        for upper in self.uppers_of(link):
            if upper.kind == "vlan" and not upper.is_up:
                self.set_up(upper)

    def set_down(self, link: FakeLink) -> None:
        """v4 addresses stay, v6 ones go unless keep_addr_on_down is 1, routes go; VLANs on it go down, macvlans do not."""
        if link.is_up and not self._keeps_addresses(link):
            link.addresses = [a for a in link.addresses if ":" not in a.address]
        link.is_up = False
        link.routes.clear()
        if link.lower is not None and link in link.lower.wanting:
            link.lower.wanting.remove(link)
        for upper in self.uppers_of(link):
            if upper.kind == "vlan" and upper.is_up:
                self.set_down(upper)

    def _keeps_addresses(self, link: FakeLink) -> bool:
        there = next(space for space in (self.host, *self.pods.values()) if link in space.links.values())
        return there.sysctls.get(("net", "ipv6", "conf", link.name, "keep_addr_on_down")) == "1"

    def uppers_of(self, lower: FakeLink) -> list[FakeLink]:
        """Of every netns."""
        spaces = (self.host, *self.pods.values())
        return [link for space in spaces for link in space.links.values() if link.lower is lower]

    def set_driver(self, vf: FakeVf, driver: str) -> None:
        """Bind the VF to another driver ("" = none): its netdev goes; a network driver makes a new one in the host."""
        if vf.link:
            self.destroy(vf.link)
            vf.link = None
        vf.driver = driver
        self._write_device(vf.pci_address, driver, {})
        if driver and not is_userspace(driver):
            self._new_vf_link(vf)

    def new_mac(self) -> str:
        self._macs += 1
        return f"02:00:00:00:{self._macs >> 8:02x}:{self._macs & 255:02x}"

    # -- what happens to a node ---------------------------------------------------------------------------------------

    def kill_netns(self, path: str, slowly: bool = False) -> None:
        """Real devices come home: DOWN, without addresses, under their name there if that is free, else devN.

        `slowly`: the netns is gone from its path, the devices are still on their way (see `later`).
        """
        pod = self.pods.pop(path)
        if slowly:
            self.later.append(lambda: self._bring_home(pod))
        else:
            self._bring_home(pod)

    def _bring_home(self, pod: Namespace) -> None:
        for ifindex, link in list(pod.links.items()):
            del pod.links[ifindex]
            self._detach(link)
            if link.pci_address:
                self._arrive(self.host, link, self._free_name(link.name))

    def fail_effect(self, k: int, when: str) -> None:
        """Effect k (from 0) is refused with EIO: "before" it happened, or "after" (it did, and only the ack says no)."""
        self._trap = (len(self.effects) + k, when, False)

    def crash_at(self, k: int, when: str) -> None:
        """Crash "before" or "after" effect k. Until `restart` every further change crashes again."""
        self._trap = (len(self.effects) + k, when, True)

    def restart(self) -> None:
        """The next process: the kernel is as the crash left it, and so are the `durable` directories."""
        if self._dead:
            for directory in self.durable:
                shutil.rmtree(directory, ignore_errors=True)
                if self._frozen(directory).exists():
                    shutil.move(self._frozen(directory), directory)
        self._dead = False
        self._trap = None

    @property
    def is_dead(self) -> bool:
        """The process was killed and has not been restarted."""
        return self._dead

    def effect(self, what: str, act: Callable[[], None]) -> None:
        if self._dead:
            raise Crash(what)
        number = len(self.effects)
        self.effects.append(what)
        self._spring(number, "before", what)
        act()
        self._spring(number, "after", what)

    def snapshot(self) -> dict[str, Any]:
        """Everything an attachment could change, by name: equal snapshots = no trace. No ifindex is in it."""
        return {
            "host": self.host.snapshot(),
            "pods": {path: pod.snapshot() for path, pod in self.pods.items()},
            "vfs": {vf.pci_address: vf.snapshot() for pf in self.pfs for vf in pf.vfs},
            "numvfs": {pf.pci_address: len(pf.vfs) for pf in self.pfs},
        }

    # -- faces --------------------------------------------------------------------------------------------------------

    def open_netns(self, path: str) -> Netns:
        return FakeNetns(self, path)

    def pod_netlink(self, netns: Netns) -> Netlink:
        return FakeNetlink(self, self.namespace_of_fd(netns.fd))

    def namespace_of_fd(self, fd: int) -> Namespace:
        return self._fds[fd]

    def new_fd(self, namespace: Namespace) -> int:
        fd = 1000 + len(self._fds)
        self._fds[fd] = namespace
        return fd

    # -- rules of moving ----------------------------------------------------------------------------------------------

    def move(self, source: Namespace, ifindex: int, target: Namespace, name: str, mac: str, mtu: int) -> None:
        """One RTM_NEWLINK, as dev_change_net_namespace and do_setlink take it: the move first, then the rest.

        The wanted name counts for the move only where the present one is taken there. So a refusal after the move
        leaves the link in the target under the name it had.
        """
        link = source.links[ifindex]
        if target is source:
            raise Refused(EINVAL)
        if any(target.has(altname) for altname in link.altnames):
            raise Refused(EEXIST)
        name_there = link.name
        if target.has(link.name):
            if target.has(name):
                raise Refused(EEXIST)
            name_there = name
        self._leave(source, ifindex)
        new_index = self._arrive(target, link, name_there)
        if mac:
            set_mac(link, mac)
        if mtu:
            set_mtu(link, mtu)
        self.rename(target, new_index, name)

    def rename(self, namespace: Namespace, ifindex: int, name: str) -> None:
        link = namespace.links[ifindex]
        if name in {"", link.name}:  # IFLA_IFNAME "" is taken for none
            return
        if not 0 < len(name) < 16 or "/" in name or ":" in name or " " in name or name in {".", ".."}:
            raise Refused(EINVAL)
        if namespace.has(name):
            raise Refused(EEXIST)
        self._leave_name(namespace, link)
        link.name = name
        if namespace is self.host:
            self._publish(link, ifindex)

    def _detach(self, link: FakeLink) -> None:
        """As a move does: packet sockets are cut off, address lists flushed (dev_mc_flush), uppers stay."""
        for upper in self.uppers_of(link):
            if upper.kind == "vlan" and upper.is_up:
                self.set_down(upper)
        link.wanting.clear()
        link.sockets = 0
        link.master = None

    def destroy(self, link: FakeLink) -> None:
        """And all that is stacked on it, in whatever netns."""
        for upper in self.uppers_of(link):
            self.destroy(upper)
        if link.lower is not None and link in link.lower.wanting:
            link.lower.wanting.remove(link)
        self._destroy(link)

    def _leave(self, namespace: Namespace, ifindex: int) -> None:
        link = namespace.links.pop(ifindex)
        self._detach(link)
        if link.lower is not None and link in link.lower.wanting:
            link.lower.wanting.remove(link)  # it goes DOWN first
        self._leave_name(namespace, link)
        link.is_up = False
        link.addresses.clear()
        link.routes.clear()

    def _leave_name(self, namespace: Namespace, link: FakeLink) -> None:
        for key in [key for key in namespace.sysctls if key[2:4] == ("conf", link.name)]:
            del namespace.sysctls[key]
        if namespace is self.host:
            shutil.rmtree(self.root / "sys/class/net" / link.name, ignore_errors=True)
            if link.pci_address:
                shutil.rmtree(self._device(link.pci_address) / "net" / link.name, ignore_errors=True)

    def _arrive(self, namespace: Namespace, link: FakeLink, name: str) -> int:
        link.name = name
        link.is_up = False
        link.addresses.clear()
        link.routes.clear()
        ifindex = self._add_link(namespace, link)
        if self.udev and namespace is self.host and not namespace.has(link.home_name):
            link.altnames.append(link.home_name)
        return ifindex

    def _free_name(self, name: str) -> str:
        """As default_device_exit_net: the name it has, else dev%d."""
        if not self.host.has(name):
            return name
        return next(f"dev{n}" for n in range(1000) if not self.host.has(f"dev{n}"))

    def _add_link(self, namespace: Namespace, link: FakeLink) -> int:
        ifindex = namespace.add(link)
        if namespace is self.host:
            self._publish(link, ifindex)
        return ifindex

    def _destroy(self, link: FakeLink) -> None:
        for namespace in (self.host, *self.pods.values()):
            for ifindex, other in list(namespace.links.items()):
                if other is link:
                    self._leave(namespace, ifindex)

    # -- numvfs and the sysfs tree ------------------------------------------------------------------------------------

    def change_numvfs(self, pf: FakePf, numvfs: int) -> None:
        if numvfs < 0:
            raise Refused(EINVAL)
        if numvfs > pf.totalvfs:
            raise Refused(ERANGE)
        if not pf.driver or is_userspace(pf.driver):
            raise Refused(ENOENT)
        if numvfs == len(pf.vfs):
            return
        if numvfs and pf.vfs:
            raise Refused(EBUSY)
        if numvfs and pf.numvfs_errno:
            raise Refused(pf.numvfs_errno)
        self._apply_numvfs(pf, numvfs)

    def _apply_numvfs(self, pf: FakePf, numvfs: int) -> None:
        device = self._device(pf.pci_address)
        for vf in pf.vfs:
            if vf.link:
                self.destroy(vf.link)
            (device / f"virtfn{vf.index}").unlink()
            shutil.rmtree(self._device(vf.pci_address))
        pf.vfs = [FakeVf(pf, index, pf.vf_pci(index)) for index in range(numvfs)]
        pf.lives += 1
        for vf in pf.vfs:
            ids = {"vendor": "0x8086", "device": "0x10ca"}
            self._write_device(vf.pci_address, vf.driver, ids)
            (self._device(vf.pci_address) / "physfn").symlink_to(f"../{pf.pci_address}")
            (device / f"virtfn{vf.index}").symlink_to(f"../{vf.pci_address}")
            self._new_vf_link(vf)
        (device / "sriov_numvfs").write_text(f"{numvfs}\n")

    def _new_vf_link(self, vf: FakeVf) -> None:
        """It takes an admin MAC that stands already; else the address is random, and the PF does not know it."""
        mac = vf.state.mac if vf.admin_mac and vf.state.mac else self.new_mac()
        vf.link = FakeLink(f"{vf.pf.link.home_name}v{vf.index}", mac, vf.pci_address)
        vf.link.vf = vf
        self._add_link(self.host, vf.link)

    def _device(self, pci_address: str) -> Path:
        return self.root / "sys/bus/pci/devices" / pci_address

    def _write_device(self, pci_address: str, driver: str, files: dict[str, str]) -> None:
        device = self._device(pci_address)
        device.mkdir(exist_ok=True)
        for name, text in files.items():
            (device / name).write_text(text + "\n")
        (device / "driver").unlink(missing_ok=True)
        shutil.rmtree(device / "net", ignore_errors=True)
        if driver:
            (device / "driver").symlink_to(f"../../drivers/{driver}")
            if not is_userspace(driver):
                (device / "net").mkdir()

    def _publish(self, link: FakeLink, ifindex: int) -> None:
        directory = self.root / "sys/class/net" / link.name
        directory.mkdir()
        (directory / "ifindex").write_text(f"{ifindex}\n")
        for upper in link.uppers:
            (directory / f"upper_{upper}").mkdir()
        if link.pci_address:
            (directory / "device").symlink_to(f"../../../bus/pci/devices/{link.pci_address}")
            (self._device(link.pci_address) / "net" / link.name).mkdir(parents=True)

    # -- traps --------------------------------------------------------------------------------------------------------

    def _spring(self, number: int, when: str, what: str) -> None:
        if not self._trap or self._trap[:2] != (number, when):
            return
        crash = self._trap[2]
        self._trap = None
        if not crash:
            raise KernelRefused(what, EIO, f"injected {when} effect {number}")
        self._dead = True
        for directory in self.durable:
            if directory.exists():
                shutil.copytree(directory, self._frozen(directory), symlinks=True)
        raise Crash(what)

    def _frozen(self, directory: Path) -> Path:
        return directory.with_name(directory.name + ".at-crash")


class Refused(Exception):
    """A rule said no; the face adds the verb."""

    def __init__(self, errno: int, sentence: str = "") -> None:
        super().__init__(errno, sentence)
        self.errno = errno
        self.sentence = sentence


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


class FakeSysfs(Sysfs):
    """The real one on the fake's tree; a write asks the fake's rules."""

    __slots__ = ("_world",)

    def __init__(self, world: FakeKernel) -> None:
        super().__init__(str(world.root / "sys"), str(world.root / "run"))
        self._world = world

    def inode(self, pci_address: str) -> int:
        """Of a new VF a new one, as in sysfs; a file system on a disk would give the old one again."""
        lives = next(
            (pf.lives for pf in self._world.pfs for vf in pf.vfs if vf.pci_address == pci_address), 0
        )
        return lives or super().inode(pci_address)

    def unbind(self, pci_address: str) -> None:
        def act() -> None:
            vf = self._vf(pci_address)
            if not vf.driver:
                raise Refused(ENOENT)
            self._world.set_driver(vf, "")

        _apply(self._world, f"unbind the driver of {pci_address}", act)

    def bind(self, pci_address: str, driver: str) -> None:
        def act() -> None:
            vf = self._vf(pci_address)
            if vf.driver:
                raise Refused(EBUSY)
            if driver not in {"igbvf", "iavf"}:
                raise Refused(ENODEV)
            self._world.set_driver(vf, driver)

        _apply(self._world, f"bind {driver} to {pci_address}", act)

    def _vf(self, pci_address: str) -> FakeVf:
        for pf in self._world.pfs:
            for vf in pf.vfs:
                if vf.pci_address == pci_address:
                    return vf
        raise Refused(ENOENT)

    def set_numvfs(self, pf: PF, numvfs: int) -> None:
        what = f"set numvfs of {pf.pci_address} to {numvfs}"
        fake = next((p for p in self._world.pfs if p.pci_address == pf.pci_address), None)
        if fake is None:
            raise KernelRefused(what, ENOENT)
        _apply(self._world, what, lambda: self._world.change_numvfs(fake, numvfs))


class FakeNetns(Netns):
    __slots__ = ("_namespace", "_world")

    def __init__(self, world: FakeKernel, path: str) -> None:
        namespace = world.host if path in OWN_PATHS else world.pods.get(path)
        if namespace is None:
            raise BadNetns(f"open netns {path}: No such file or directory")
        self._world = world
        self._namespace = namespace
        self.path = path
        self.fd = world.new_fd(namespace)
        self.identity = namespace.identity
        self._cookie = namespace.cookie

    def is_own(self) -> bool:
        return self._namespace is self._world.host

    def sysctl(self, *parts: str) -> str:
        self._check(f"read /proc/sys/{'/'.join(parts)}", parts)
        return self._namespace.sysctls.get(parts, "0")

    def set_sysctls(self, settings: Iterable[tuple[tuple[str, ...], str]]) -> list[KernelRefused]:
        refused = []
        for parts, value in settings:
            try:
                self._set(parts, value)
            except KernelRefused as error:
                refused.append(error)
        return refused

    def proc_net(self, name: str) -> str:
        lines = []
        for ifindex, link in self._namespace.links.items():
            bond = link.master is not None and link.master.kind == "bond" and link.master.is_up
            has = link.is_up + link.groups + len(link.wanting) + bond
            if name == "dev_mcast" and has:
                lines.append(f"{ifindex:<4d} {link.name:<15s} {has:<5d} 0     01005e000001")
            if name == "igmp" and link.is_up:
                lines.append(f"{ifindex}\t{link.name:<10s}:     1      V3")
                lines += ["\t\t\t\t010000E0     1 0:00000000\t\t0"]
                lines += ["\t\t\t\t010000EF     1 0:00000000\t\t0"] * link.groups
        return "".join(line + "\n" for line in lines)

    def close(self) -> None:
        self.fd = -1

    def _set(self, parts: tuple[str, ...], value: str) -> None:
        what = f"write {value!r} to /proc/sys/{'/'.join(parts)}"
        self._check(what, parts)
        if parts[-1] == "disable_ipv6" and self._namespace.sysctls.get(parts, "0") == value:
            return

        def act() -> None:
            self._namespace.sysctls[parts] = value
            if parts[1] == "ipv6" and parts[-1] == "disable_ipv6" and value == "1":
                found = self._namespace.find(parts[3])
                if found:
                    found[1].addresses = [a for a in found[1].addresses if ":" not in a.address]

        self._world.effect(what, act)

    def _check(self, what: str, parts: tuple[str, ...]) -> None:
        device = parts[3] if parts[2:3] == ("conf",) else "all"
        known = [link.name for link in self._namespace.links.values()]
        if device not in {"all", "default", *known}:
            raise KernelRefused(what, ENOENT)


class FakeNetlink(Netlink):
    __slots__ = ("_namespace", "_world")

    def __init__(self, world: FakeKernel, namespace: Namespace) -> None:
        self._world = world
        self._namespace = namespace

    def close(self) -> None:
        pass

    # -- looking ------------------------------------------------------------------------------------------------------

    def ifindex(self, name: str) -> int:
        found = self._namespace.find(name)
        return found[0] if found else 0

    def ifname(self, ifindex: int) -> str:
        link = self._namespace.links.get(ifindex)
        return link.name if link else ""

    def find_link(self, name: str) -> Link | None:
        found = self._namespace.find(name)
        return self._as_link(*found) if found else None

    def link_by_index(self, ifindex: int) -> Link | None:
        link = self._namespace.links.get(ifindex)
        return self._as_link(ifindex, link) if link else None

    def links(self) -> list[Link]:
        return [self._as_link(ifindex, link) for ifindex, link in self._namespace.links.items()]

    def netns_id(self, netns_fd: int) -> int:
        """Given when a link of another netns is first told of (peernet2id_alloc)."""
        asked = self._world.namespace_of_fd(netns_fd)
        return self._namespace.ids.index(asked) if asked in self._namespace.ids else NO_NETNS_ID

    def _as_link(self, ifindex: int, link: FakeLink) -> Link:
        found = _as_link(ifindex, link)
        found.master = next((i for i, other in self._namespace.links.items() if other is link.master), 0)
        spaces = (self._world.host, *self._world.pods.values())
        for space in spaces if link.lower is not None else ():
            for index, other in space.links.items():
                if other is link.lower:
                    found.lower = index
                    found.lower_netns = self._id_of(space)
        return found

    def _id_of(self, space: Namespace) -> int:
        if space is self._namespace:
            return -1
        if space not in self._namespace.ids:
            self._namespace.ids.append(space)
        return self._namespace.ids.index(space)

    def bus_info(self, ifname: str) -> str:
        found = self._namespace.find(ifname)
        return found[1].pci_address if found else ""

    def wait_link(self, match: Callable[[Link], bool], timeout_s: float) -> Link | None:
        while True:
            found = next(filter(match, self.links()), None)
            if found or not self._world.later:
                return found
            self._world.later.pop(0)()

    def vf_states(self, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        link = self._link(f"look up the VFs of link {pf_ifindex}", pf_ifindex)
        return {
            vf.index: VfState.from_json(vf.state.to_json())
            for vf in (link.pf.vfs if link.pf else [])
            if only in {None, vf.index}
        }

    def addresses(self, ifindex: int = 0) -> list[Address]:
        return [
            Address(a.address, i, a.flags, a.scope)
            for i, link in self._namespace.links.items()
            for a in link.addresses
            if ifindex in (0, i)
        ]

    def routes(self, ifindex: int = 0, table: int = RT_TABLE_MAIN) -> list[KernelRoute]:
        found = []
        for i, link in self._namespace.links.items():
            if ifindex in (0, i):
                found += _connected(i, link) + [_at(i, route) for route in link.routes]
        return [held for held in found if table in (0, held.table or RT_TABLE_MAIN)]

    # -- changing links -----------------------------------------------------------------------------------------------

    def set_up(self, ifindex: int) -> None:
        self._change(f"set link {ifindex} up", ifindex, self._world.set_up)

    def set_down(self, ifindex: int) -> None:
        self._change(f"set link {ifindex} down", ifindex, self._world.set_down)

    def set_mac(self, ifindex: int, mac: str) -> None:
        self._change(f"set link {ifindex} address {mac}", ifindex, lambda link: set_mac(link, mac))

    def set_mtu(self, ifindex: int, mtu: int) -> None:
        self._change(f"set link {ifindex} mtu {mtu}", ifindex, lambda link: set_mtu(link, mtu))

    def set_txqueuelen(self, ifindex: int, length: int) -> None:
        def act(link: FakeLink) -> None:
            link.txqueuelen = length

        self._change(f"set link {ifindex} txqueuelen {length}", ifindex, act)

    def delete(self, ifindex: int) -> None:
        def act(link: FakeLink) -> None:
            if link.pci_address:
                raise Refused(EOPNOTSUPP)
            self._world.destroy(link)

        self._change(f"delete link {ifindex}", ifindex, act)

    def set_master(self, ifindex: int, master: int) -> None:
        """Who leaves a bond is DOWN (__bond_release_one)."""

        def act(link: FakeLink) -> None:
            if link.master is not None and link.master.kind == "bond":
                self._world.set_down(link)
            link.master = self._link("", master) if master else None

        self._change(f"set link {ifindex} master {master}", ifindex, act)

    def set_modes(self, ifindex: int, modes: int) -> None:
        def act(link: FakeLink) -> None:
            link.modes = modes

        self._change(f"set link {ifindex} modes {modes:#x}", ifindex, act)

    def set_name(self, ifindex: int, name: str) -> None:
        """Stricter than Linux 6.2 and later, which rename a link that is UP."""

        def act(link: FakeLink) -> None:
            if link.is_up and name != link.name:
                raise Refused(EBUSY)
            self._world.rename(self._namespace, ifindex, name)

        self._change(f"set link {ifindex} name {name}", ifindex, act)

    def move(self, ifindex: int, netns_fd: int, name: str, mac: str = "", mtu: int = 0) -> None:
        target = self._world.namespace_of_fd(netns_fd)

        def act(link: FakeLink) -> None:
            self._world.move(self._namespace, ifindex, target, name, mac, mtu)

        self._change(f"move link {ifindex} to another netns as {name}", ifindex, act)

    def add_altname(self, ifindex: int, name: str) -> None:
        def act(link: FakeLink) -> None:
            if self._namespace.has(name):
                raise Refused(EEXIST)
            link.altnames.append(name)

        self._change(f"add altname {name} to link {ifindex}", ifindex, act)

    def del_altname(self, ifindex: int, name: str) -> None:
        def act(link: FakeLink) -> None:
            if name not in link.altnames:
                raise Refused(ENOENT)
            link.altnames.remove(name)

        self._change(f"remove altname {name} of link {ifindex}", ifindex, act)

    # -- VFs ----------------------------------------------------------------------------------------------------------

    def set_vf_mac(self, pf_ifindex: int, index: int, mac: str) -> None:
        """The VF's own driver does not notice: its netdev keeps the address it has."""

        def act(vf: FakeVf) -> None:
            if int(mac[:2], 16) & 1:
                raise Refused(EINVAL)
            vf.admin_mac = mac != ZERO_MAC
            vf.state.mac = mac if vf.admin_mac else ""

        self._change_vf(pf_ifindex, index, f"mac {mac}", act)

    def set_vf_vlan(
        self, pf_ifindex: int, index: int, vlan: int, qos: int = 0, proto: str = "802.1q"
    ) -> None:
        def act(vf: FakeVf) -> None:
            if vlan > 4095 or qos > 7:
                raise Refused(EINVAL)
            if proto != "802.1q" and vf.pf.driver == "igb":
                raise Refused(EPROTONOSUPPORT)
            vf.state.vlan, vf.state.vlan_qos, vf.state.vlan_proto = vlan, qos, proto

        self._change_vf(pf_ifindex, index, f"vlan {vlan} qos {qos} proto {proto}", act)

    def set_vf_rate(self, pf_ifindex: int, index: int, min_tx_rate: int, max_tx_rate: int) -> None:
        def act(vf: FakeVf) -> None:
            no_link = not (vf.pf.link.is_up and vf.pf.link.carrier)
            igb_refuses = vf.pf.driver == "igb" and (min_tx_rate or max_tx_rate > 1000 or no_link)
            if igb_refuses or (max_tx_rate and min_tx_rate > max_tx_rate):
                raise Refused(EINVAL)
            vf.state.min_tx_rate, vf.state.max_tx_rate = min_tx_rate, max_tx_rate

        what = f"min_tx_rate {min_tx_rate} max_tx_rate {max_tx_rate}"
        self._change_vf(pf_ifindex, index, what, act)

    def set_vf_spoofchk(self, pf_ifindex: int, index: int, on: bool) -> None:
        def act(vf: FakeVf) -> None:
            vf.state.spoofchk = on

        self._change_vf(pf_ifindex, index, f"spoofchk {'on' if on else 'off'}", act)

    def set_vf_trust(self, pf_ifindex: int, index: int, on: bool) -> None:
        def act(vf: FakeVf) -> None:
            vf.state.trust = on

        self._change_vf(pf_ifindex, index, f"trust {'on' if on else 'off'}", act)

    def set_vf_link_state(self, pf_ifindex: int, index: int, state: str) -> None:
        def act(vf: FakeVf) -> None:
            if vf.pf.driver == "igb":
                raise Refused(EOPNOTSUPP)
            vf.state.link_state = state

        self._change_vf(pf_ifindex, index, f"link_state {state}", act)

    # -- addresses and routes -----------------------------------------------------------------------------------------

    def add_address(self, ifindex: int, address: str, flags: int = 0) -> None:
        def act(link: FakeLink) -> None:
            disabled = ("net", "ipv6", "conf", link.name, "disable_ipv6")
            if ":" in address and self._namespace.sysctls.get(disabled) == "1":
                raise Refused(EACCES, "ipv6: IPv6 is disabled on this device")
            if any(_same_address(a.address, address) for a in link.addresses):
                raise Refused(EEXIST)
            link.addresses.append(Address(address, 0, flags | IFA_F_PERMANENT))

        self._change(f"add address {address} to link {ifindex}", ifindex, act)

    def del_address(self, ifindex: int, address: str) -> None:
        def act(link: FakeLink) -> None:
            kept = [a for a in link.addresses if not _same_address(a.address, address)]
            if len(kept) == len(link.addresses):
                raise Refused(EADDRNOTAVAIL)
            link.addresses = kept
            link.routes = [r for r in link.routes if r.route.src != address.partition("/")[0]]

        self._change(f"remove address {address} of link {ifindex}", ifindex, act)

    def announce(self, ifindex: int, address: str) -> None:
        """The sender is the first address whose subnet has it; what that is not is no announcement."""

        def act(link: FakeLink) -> None:
            value = parse_address(address)
            subnets = [a.address for a in link.addresses if ":" not in a.address]
            sender = next((held for held in subnets if parse_interface(held)[0].has(*value)), "")
            if link.is_up and sender.partition("/")[0] == address:
                link.announced.append(address)

        self._change(f"announce {address} on link {ifindex}", ifindex, act)

    def add_route(self, ifindex: int, route: Route, onlink: bool = False) -> None:
        def act(link: FakeLink) -> None:
            self._judge_route(ifindex, link, route, onlink)
            table = route.table or RT_TABLE_MAIN
            link.routes.append(KernelRoute(_as_stored(route), 0, RTPROT_BOOT, table, onlink))

        via = f" via {route.gw}" if route.gw else ""
        self._change(f"add route {route.dst}{via} on link {ifindex}", ifindex, act)

    def del_route(self, ifindex: int, route: Route) -> None:
        def act(link: FakeLink) -> None:
            for held in link.routes:
                same = (held.route.dst, held.table) == (route.dst, route.table or RT_TABLE_MAIN)
                if same and route.gw in ("", held.route.gw):
                    link.routes.remove(held)
                    return
            raise Refused(ESRCH)

        self._change(f"remove route {route.dst} on link {ifindex}", ifindex, act)

    def _judge_route(self, ifindex: int, link: FakeLink, route: Route, onlink: bool) -> None:
        if not link.is_up:
            raise Refused(ENETDOWN)
        held = {str(parse_interface(a.address)[0]) for a in link.addresses}
        if route.gw and not onlink and not any(_covers(prefix, route.gw) for prefix in held):
            raise Refused(EHOSTUNREACH if ":" in route.gw else ENETUNREACH)
        if route.src and not any(a.address.partition("/")[0] == route.src for a in link.addresses):
            raise Refused(EINVAL)
        if route.gw and ":" not in route.gw and (route.scope or 0) >= RT_SCOPE_LINK:
            raise Refused(EINVAL, "Nexthop has invalid gateway")
        wanted = _as_stored(route)
        table = self.routes(table=route.table or RT_TABLE_MAIN)
        if any(r.route.dst == wanted.dst and r.route.priority == wanted.priority for r in table):
            raise Refused(EEXIST)

    # -- rules' errors become the face's ------------------------------------------------------------------------------

    def _link(self, what: str, ifindex: int) -> FakeLink:
        link = self._namespace.links.get(ifindex)
        if link is None:
            raise KernelRefused(what, ENODEV)
        return link

    def _change(self, what: str, ifindex: int, act: Callable[[FakeLink], None]) -> None:
        _apply(self._world, what, lambda: act(self._link(what, ifindex)))

    def _change_vf(self, pf_ifindex: int, index: int, knob: str, act: Callable[[FakeVf], None]) -> None:
        what = f"set vf {index} of link {pf_ifindex} {knob}"

        def change() -> None:
            pf = self._link(what, pf_ifindex).pf
            if pf is None:
                raise Refused(EOPNOTSUPP)
            if not 0 <= index < len(pf.vfs):
                raise Refused(EINVAL)
            act(pf.vfs[index])

        _apply(self._world, what, change)


def _apply(world: FakeKernel, what: str, act: Callable[[], None]) -> None:
    try:
        world.effect(what, act)
    except Refused as refused:
        raise KernelRefused(what, refused.errno, refused.sentence) from refused


def _as_link(ifindex: int, link: FakeLink) -> Link:
    flags = (IFF_UP if link.is_up else 0) | (IFF_RUNNING if link.is_up and link.carrier else 0)
    flags |= link.modes
    return Link(
        ifindex,
        link.name,
        flags=flags,
        mac=link.mac,
        mtu=link.mtu,
        min_mtu=68,
        max_mtu=link.max_mtu,
        altnames=list(link.altnames),
        parent_dev=link.pci_address,
        kind=link.kind,
        carrier=link.is_up and link.carrier,
        txqueuelen=link.txqueuelen,
        promiscuity=bool(link.modes & 0x100) + link.sockets,
    )


def _connected(ifindex: int, link: FakeLink) -> list[KernelRoute]:
    """The kernel's own: one per address with a prefix, while the link is UP."""
    found = []
    for held in link.addresses if link.is_up else []:
        prefix, _ = parse_interface(held.address)
        if prefix.length == (32 if prefix.version == 4 else 128):
            continue
        v4 = prefix.version == 4
        src = held.address.partition("/")[0] if v4 else ""
        route = Route(str(prefix), src=src, scope=RT_SCOPE_LINK if v4 else 0, priority=0 if v4 else 256)
        found.append(KernelRoute(route, ifindex, RTPROT_KERNEL, RT_TABLE_MAIN))
    return found


def _at(ifindex: int, held: KernelRoute) -> KernelRoute:
    return KernelRoute(held.route, ifindex, held.protocol, held.table, held.onlink)


def _as_stored(route: Route) -> Route:
    v6 = ":" in route.dst
    scope = route.scope if route.scope is not None else 0 if route.gw else RT_SCOPE_LINK
    priority = route.priority or (1024 if v6 else 0)
    mtu, advmss = min(route.mtu, 65520), min(route.advmss, 65495)
    return Route(route.dst, route.gw, route.src, 0 if v6 else scope, priority, mtu=mtu, advmss=advmss)


def _covers(prefix: str, address: str) -> bool:
    network: Prefix = parse_interface(prefix)[0]
    return network.has(*parse_address(address))


def _same_address(left: str, right: str) -> bool:
    return parse_interface(left) == parse_interface(right)
