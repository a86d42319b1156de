"""A kernel made of rules, for tests of everything above the faces.

FakeKernel holds PFs, VFs, links, network namespaces and a sysfs tree on disk that the real Sysfs reads. Its faces have
the real ones' signatures (they are subclasses, so mypy holds that) and obey what was seen of an igb card and the
kernel in the lab: tests/contract runs one set of assertions on this, on the kernel, and on the card of the lab.

Every mutating call is an effect with a number (effects.py), `snapshot()` is all there is to compare.
"""

from __future__ import annotations

from errno import EBUSY, EEXIST, EINVAL, ENOENT, ERANGE
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cni_sriov.kernel.netlink import ZERO_MAC, Netlink
from cni_sriov.kernel.netns import OWN, Netns
from cni_sriov.words.pci import is_userspace

from .card import FakeLink, FakePf, FakeVf, Namespace
from .effects import Effects, Refused
from .netlink import FakeNetlink
from .netns import FakeNetns
from .nodes import FakeNodes
from .sysfs import FakeSysfs, Tree

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeKernel(Effects):
    """`udev` True: a VF that comes home under another name gets its own name as an altname (lab fact 8)."""

    def __init__(self, root: Path, udev: bool = False) -> None:
        super().__init__()
        self.root = root
        self.tree = Tree(root)
        self.udev = udev
        self.cookies = 1  # how many there were
        self.knows_cookies = True
        self.host = Namespace(OWN, 4026531840, 1)
        self.pods: dict[str, Namespace] = {}
        self.pfs: list[FakePf] = []
        self.blind_spot = ""  # of Host.blind_spot
        self.hides_devices = False  # of Sysfs.must_show_all
        self.held_inodes: set[int] = set()  # of netns that only a descriptor keeps
        self.later: list[Callable[[], None]] = []  # what the kernel still has to do; wait_link lets it happen
        self._fds: dict[int, Namespace] = {}
        self._macs = 0
        self._add_link(self.host, FakeLink("lo", ZERO_MAC, kind=""))
        self.sysfs = FakeSysfs(self)
        self.netlink = FakeNetlink(self, self.host)
        self.nodes = FakeNodes(self)

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
        self.tree.write_device(pci_address, driver, ids)
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
        (self.tree.netdev(link.name) / f"upper_{upper}").mkdir()

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

    def set_driver(self, device: FakeVf | FakePf, driver: str) -> None:
        """Another driver ("" = none): its netdev goes, and with a PF's driver its VFs; a network driver makes a new one in
        the host, DOWN.
        """
        if isinstance(device, FakePf):
            self._set_pf_driver(device, driver)
            return
        if device.link:
            self.destroy(device.link)
            device.link = None
        device.driver = driver
        self.tree.write_device(device.pci_address, driver, {})
        self.nodes.settle()
        if driver and not is_userspace(driver):
            self._new_vf_link(device)

    def _set_pf_driver(self, pf: FakePf, driver: str) -> None:
        """Its address is the card's."""
        if pf.driver and not is_userspace(pf.driver):
            self._apply_numvfs(pf, 0)
            self.destroy(pf.link)
        pf.driver = driver
        self.tree.write_device(pf.pci_address, driver, {})
        if driver and not is_userspace(driver):
            pf.link = FakeLink(pf.link.home_name, pf.link.mac, pf.pci_address)
            pf.link.pf = pf
            self._add_link(self.host, pf.link)

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
                self._arrive(self.host, link, self._free_name(link.name, ifindex))

    def snapshot(self) -> dict[str, Any]:
        """Everything an attachment could change, by name: equal snapshots = no trace. No ifindex is in it."""
        return {
            "host": self.host.snapshot(),
            "pods": {path: pod.snapshot() for path, pod in self.pods.items()},
            "vfs": {vf.pci_address: self._snapshot_of(vf) for pf in self.pfs for vf in pf.vfs},
            "numvfs": {pf.pci_address: len(pf.vfs) for pf in self.pfs},
            "nodes": self.nodes.snapshot(),
        }

    def _snapshot_of(self, vf: FakeVf) -> dict[str, Any]:
        return vf.snapshot() | {"override": self.tree.override(vf.pci_address)}

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

    def move(self, source: Namespace, ifindex: int, target: Namespace, name: str) -> None:
        """One RTM_NEWLINK, as dev_change_net_namespace and do_setlink take it: the move first, then the rename.

        The wanted name counts for the move only where the present one is taken there. So a refusal after the move
        leaves the link in the target under the name it had. Where it is there already, the move is none.
        """
        link = source.links[ifindex]
        if target is source:
            self.rename(target, ifindex, name)
            return
        if any(target.has(altname) for altname in link.altnames):
            raise Refused(EEXIST)
        name_there = link.name
        if target.has(link.name):
            if target.has(name):
                raise Refused(EEXIST)
            name_there = name
        self._leave(source, ifindex)
        self.rename(target, self._arrive(target, link, name_there), name)

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
            self.tree.publish(link, ifindex)

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
            self.tree.withdraw(link)

    def _arrive(self, namespace: Namespace, link: FakeLink, name: str) -> int:
        link.name = name
        link.is_up = False
        link.addresses.clear()
        link.routes.clear()
        ifindex = self._add_link(namespace, link)
        if self.udev and namespace is self.host and not namespace.has(link.home_name):
            link.altnames.append(link.home_name)
        return ifindex

    def _free_name(self, name: str, ifindex: int) -> str:
        """As default_device_exit_net: the name it has, else devN by the index it had, else the first that is free."""
        names = name, f"dev{ifindex}", *(f"dev{n}" for n in range(1000))
        return next(free for free in names if not self.host.has(free))

    def _add_link(self, namespace: Namespace, link: FakeLink) -> int:
        ifindex = namespace.add(link)
        if namespace is self.host:
            self.tree.publish(link, ifindex)
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
        for vf in pf.vfs:
            if vf.link:
                self.destroy(vf.link)
            self.tree.remove_vf(pf, vf)
        pf.vfs = [FakeVf(pf, index, pf.vf_pci(index)) for index in range(numvfs)]
        pf.lives += 1
        for vf in pf.vfs:
            self.tree.add_vf(pf, vf)
            self._new_vf_link(vf)
        (self.tree.device(pf.pci_address) / "sriov_numvfs").write_text(f"{numvfs}\n")

    def _new_vf_link(self, vf: FakeVf) -> None:
        """It takes an admin MAC that stands already; else the address is random, and the PF does not know it."""
        mac = vf.state.mac if vf.admin_mac and vf.state.mac else self.new_mac()
        vf.link = FakeLink(f"{vf.pf.link.home_name}v{vf.index}", mac, vf.pci_address)
        vf.link.vf = vf
        self._add_link(self.host, vf.link)
