"""The fake's netlink, its links."""

from __future__ import annotations

from errno import EBUSY, EEXIST, ENOENT, EOPNOTSUPP
from typing import TYPE_CHECKING

from cni_sriov.kernel.ethtool import NAMES
from cni_sriov.kernel.links import NO_NETNS_ID
from cni_sriov.kernel.traits import SETTABLE
from cni_sriov.words.domain import Link

from .addresses import FakeAddresses
from .card import TUNABLES, FakeLink, Namespace, set_mac, set_mtu, set_trait
from .effects import Refused, hooked

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

IFF_UP, IFF_RUNNING = 0x1, 0x40


@hooked
class FakeNetlink(FakeAddresses):
    __slots__ = ()

    # -- looking ------------------------------------------------------------------------------------------------------

    def ifindex(self, name: str) -> int:
        found = self.namespace.find(name)
        return found[0] if found else 0

    def ifname(self, ifindex: int) -> str:
        link = self.namespace.links.get(ifindex)
        return link.name if link else ""

    def find_link(self, name: str) -> Link | None:
        found = self.namespace.find(name)
        return self._as_link(*found) if found else None

    def link_by_index(self, ifindex: int) -> Link | None:
        link = self.namespace.links.get(ifindex)
        return self._as_link(ifindex, link) if link else None

    def links(self) -> list[Link]:
        return [self._as_link(ifindex, link) for ifindex, link in self.namespace.links.items()]

    def netns_id(self, netns_fd: int) -> int:
        """Given when a link of another netns is first told of (peernet2id_alloc)."""
        asked = self.world.namespace_of_fd(netns_fd)
        return self.namespace.ids.index(asked) if asked in self.namespace.ids else NO_NETNS_ID

    def _as_link(self, ifindex: int, link: FakeLink) -> Link:
        found = _as_link(ifindex, link)
        found.master = next((i for i, other in self.namespace.links.items() if other is link.master), 0)
        spaces = (self.world.host, *self.world.pods.values())
        for space in spaces if link.lower is not None else ():
            for index, other in space.links.items():
                if other is link.lower:
                    found.lower = index
                    found.lower_netns = self._id_of(space)
        return found

    def _id_of(self, space: Namespace) -> int:
        if space is self.namespace:
            return -1
        if space not in self.namespace.ids:
            self.namespace.ids.append(space)
        return self.namespace.ids.index(space)

    def bus_info(self, ifname: str) -> str:
        found = self.namespace.find(ifname)
        return found[1].pci_address if found else ""

    def wait_link(self, match: Callable[[Link], bool], timeout_s: float) -> Link | None:
        while True:
            found = next(filter(match, self.links()), None)
            if found or not self.world.later:
                return found
            self.world.later.pop(0)()

    def traits(self, link: Link, known: Container[str] | None = None) -> dict[str, str]:
        """sysfs shows netdevs of the host only. Of ethtool's only those of `known`."""
        found = self._link(f"ask for features of link {link.ifname}", link.ifindex)
        hidden = {} if self.namespace is self.world.host and link.parent_dev else TUNABLES
        unasked = {name for name in NAMES if known is not None and name not in known}
        told = sorted(found.traits.items())
        return {name: text for name, text in told if name not in hidden and name not in unasked}

    # -- changing links -----------------------------------------------------------------------------------------------

    def set_up(self, ifindex: int) -> None:
        self._change(f"set link {ifindex} up", ifindex, self.world.set_up)

    def set_down(self, ifindex: int, name: str = "") -> None:
        """The name first, as in do_setlink, by the rules of `set_name`."""

        def act(link: FakeLink) -> None:
            if link.is_up and name not in {"", link.name}:
                raise Refused(EBUSY)
            self.world.rename(self.namespace, ifindex, name)
            self.world.set_down(link)

        self._change(f"set link {ifindex} down {name}".rstrip(), ifindex, act)

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
            self.world.destroy(link)

        self._change(f"delete link {ifindex}", ifindex, act)

    def set_master(self, ifindex: int, master: int) -> None:
        """Who leaves a bond is DOWN (__bond_release_one)."""

        def act(link: FakeLink) -> None:
            if link.master is not None and link.master.kind == "bond":
                self.world.set_down(link)
            link.master = self._link("", master) if master else None

        self._change(f"set link {ifindex} master {master}", ifindex, act)

    def set_modes(self, ifindex: int, modes: int) -> None:
        def act(link: FakeLink) -> None:
            link.modes = modes

        self._change(f"set link {ifindex} modes {modes:#x}", ifindex, act)

    def set_traits(self, link: Link, wanted: dict[str, str], names: Iterable[str]) -> None:
        """All that is not refused, then the first refusal."""
        chosen = sorted({*names} & {*wanted} & SETTABLE)

        def act(there: FakeLink) -> None:
            refused = []
            for name in chosen:
                try:
                    set_trait(there, name, wanted[name])
                except Refused as no:
                    refused.append(no)
            if refused:
                raise refused[0]

        if chosen:
            self._change(f"set {', '.join(chosen)} of link {link.ifname}", link.ifindex, act)

    def set_name(self, ifindex: int, name: str) -> None:
        """Stricter than Linux 6.2 and later, which rename a link that is UP."""

        def act(link: FakeLink) -> None:
            if link.is_up and name != link.name:
                raise Refused(EBUSY)
            self.world.rename(self.namespace, ifindex, name)

        self._change(f"set link {ifindex} name {name}", ifindex, act)

    def move(self, ifindex: int, netns_fd: int, name: str) -> None:
        target = self.world.namespace_of_fd(netns_fd)

        def act(link: FakeLink) -> None:
            self.world.move(self.namespace, ifindex, target, name)

        self._change(f"move link {ifindex} to another netns as {name}", ifindex, act)

    def add_altname(self, ifindex: int, name: str) -> None:
        def act(link: FakeLink) -> None:
            if self.namespace.has(name):
                raise Refused(EEXIST)
            link.altnames.append(name)

        self._change(f"add altname {name} to link {ifindex}", ifindex, act)

    def del_altname(self, ifindex: int, name: str) -> None:
        def act(link: FakeLink) -> None:
            if name not in link.altnames:
                raise Refused(ENOENT)
            link.altnames.remove(name)

        self._change(f"remove altname {name} of link {ifindex}", ifindex, act)


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
