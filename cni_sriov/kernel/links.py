"""Links: look at them, change them, move them. Verbs as iproute2 has them.

RTNL is the lock a burst queues for (docs/speed.md), so look-ups by name go by ioctl, which takes none, and dumps of
links are a fallback. Every refusal is a KernelRefused.
"""

from __future__ import annotations

import time
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from collections.abc import Callable
from errno import EBADMSG, ENODEV, ENOENT
from fcntl import ioctl
from struct import Struct
from typing import Any, Self, TypeVar

from ..words.domain import ALLMULTI, PROMISC, Link, OwnKnob
from ..words.errors import KernelRefused, Unheard
from . import replies, rtnl
from .attributes import Malformed, attr, attr_text, attr_u32, text_of
from .ethtool import Ethtool
from .nlsocket import NetlinkSocket

S = TypeVar("S")
T = TypeVar("T")

_RTMGRP_LINK = 1  # linux/rtnetlink.h
_IFF_LOOPBACK = 8  # linux/if.h
_SIOCGIFINDEX, _SIOCGIFNAME = 0x8933, 0x8910  # linux/sockios.h
_IFNAMSIZ, _ALTIFNAMSIZ = 16, 128  # linux/if.h
_IFREQ_INDEX = Struct("=16si20x")  # struct ifreq
_AF_UNSPEC = b"\0"  # bridges report their ports again, in short, as AF_BRIDGE
_NO_STATS = attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_SKIP_STATS)
NEW = rtnl.NLM_F_CREATE | rtnl.NLM_F_EXCL
NO_NETNS_ID = -2  # not the kernel's -1, which Link.lower_netns has for the netns of the link itself


class Links:
    """The links of the netns that this process was in when it was made. One socket, which stays there."""

    __slots__ = ("_socket",)

    def __init__(self) -> None:
        self._socket = NetlinkSocket()

    @property
    def raw(self) -> Socket:
        """The socket itself, for what it tells of its netns."""
        return self._socket.raw

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- looking ------------------------------------------------------------------------------------------------------

    def ifindex(self, name: str) -> int:
        """0 if the netns has no link of that name or altname. Takes no RTNL, but for altnames above 15 bytes."""
        wire = name.encode("utf-8", "surrogateescape")
        if not wire:
            return 0
        if len(wire) >= _IFNAMSIZ or b":" in wire:  # the ioctl cuts off what follows a colon: dev_ioctl
            found = self.find_link(name) if len(wire) < _ALTIFNAMSIZ else None
            return found.ifindex if found else 0
        try:
            answer = ioctl(self._socket.raw, _SIOCGIFINDEX, _IFREQ_INDEX.pack(wire, 0))
        except OSError as error:
            if error.errno == ENODEV:
                return 0
            raise Unheard(f"look up link {name}", error.errno or 0) from error
        return int(_IFREQ_INDEX.unpack(answer)[1])

    def ifname(self, ifindex: int) -> str:
        """Empty if the netns has no such link. Takes no RTNL."""
        try:
            answer = ioctl(self._socket.raw, _SIOCGIFNAME, _IFREQ_INDEX.pack(b"", ifindex))
        except OSError as error:
            if error.errno == ENODEV:
                return ""
            raise Unheard(f"look up link {ifindex}", error.errno or 0) from error
        return text_of(answer[:_IFNAMSIZ])

    def link(self, name: str) -> Link | None:
        """The link of exactly that name; an altname does not count."""
        found = self.find_link(name)
        return found if found and found.ifname == name else None

    def find_link(self, name: str) -> Link | None:
        """The link that answers to that name or altname."""
        short = len(name.encode("utf-8", "surrogateescape")) < _IFNAMSIZ
        # the kernel looks both up in one table; before 5.5 it knows no IFLA_ALT_IFNAME
        return self._one_link(
            f"look up link {name}",
            0,
            attr_text(rtnl.IFLA_IFNAME if short else rtnl.IFLA_ALT_IFNAME, name),
        )

    def link_by_index(self, ifindex: int) -> Link | None:
        return self._one_link(f"look up link {ifindex}", ifindex, b"")

    def links(self) -> list[Link]:
        """Every link of the netns. A dump under RTNL: a fallback, not for the host netns in an ADD."""
        body = rtnl.link(0, _NO_STATS)
        return [
            self._with_device(decoded("list links", replies.decode_link, b))
            for b in self._dump("list links", rtnl.RTM_GETLINK, body)
        ]

    def netns_id(self, netns_fd: int) -> int:
        """By which ID links of this netns tell of that one (Link.lower_netns); NO_NETNS_ID if none does. Takes no RTNL."""
        verb = f"look up the ID of netns {netns_fd}"
        body = self._socket.ask(verb, rtnl.RTM_GETNSID, rtnl.netns_id_query(netns_fd))
        found = decoded(verb, replies.decode_netns_id, body)
        return NO_NETNS_ID if found < 0 else found

    def link_by_pci(self, pci_address: str) -> Link | None:
        """The link whose device is at that PCI address. A dump."""
        return next((link for link in self.links() if link.parent_dev == pci_address), None)

    def bus_info(self, ifname: str) -> str:
        """What ethtool calls bus-info: the PCI address, "" for a link that has none."""
        try:
            return Ethtool(self.raw, ifname).bus_info()
        except KernelRefused as refused:
            if refused.errno == ENODEV:  # gone meanwhile
                return ""
            raise

    def wait_link(self, match: Callable[[Link], bool], timeout_s: float) -> Link | None:
        """The first link for which `match` holds, among those there and those that come before `timeout_s`.

        Call it from inside this Netlink's netns. It listens before it looks, so nothing slips through between.
        """
        events = NetlinkSocket(_RTMGRP_LINK)
        try:
            found = next(filter(match, self.links()), None)
            if found:
                return found
            for event in events.events(time.monotonic() + timeout_s):
                news = self.links() if event is None else _new_link(*event)
                found = next(filter(match, news), None)
                if found:
                    return found
            return None
        finally:
            events.close()

    # -- changing -----------------------------------------------------------------------------------------------------

    def set_up(self, ifindex: int) -> None:
        self._set(f"set link {ifindex} up", rtnl.link(ifindex, up=True))

    def set_down(self, ifindex: int, name: str = "") -> None:
        """With a new name, if one is given: errors as of `set_name`, and then it is not DOWN."""
        attrs = attr_text(rtnl.IFLA_IFNAME, name) if name else b""
        self._set(f"set link {ifindex} down {name}".rstrip(), rtnl.link(ifindex, attrs, up=False))

    def set_mac(self, ifindex: int, mac: str) -> None:
        """EADDRNOTAVAIL on a VF whose PF set an admin MAC and does not trust it; EBUSY on some drivers while UP."""
        self._set(
            f"set link {ifindex} address {mac}",
            rtnl.link(ifindex, attr(rtnl.IFLA_ADDRESS, rtnl.pack_mac(mac))),
        )

    def set_mtu(self, ifindex: int, mtu: int) -> None:
        self._set(f"set link {ifindex} mtu {mtu}", rtnl.link(ifindex, attr_u32(rtnl.IFLA_MTU, mtu)))

    def set_txqueuelen(self, ifindex: int, length: int) -> None:
        self._set(
            f"set link {ifindex} txqueuelen {length}",
            rtnl.link(ifindex, attr_u32(rtnl.IFLA_TXQLEN, length)),
        )

    def set_master(self, ifindex: int, master: int) -> None:
        """Make it a port of a bond, bridge or VRF; 0 = of none, which a bond answers by setting it DOWN."""
        self._set(
            f"set link {ifindex} master {master}", rtnl.link(ifindex, attr_u32(rtnl.IFLA_MASTER, master))
        )

    def set_modes(self, ifindex: int, modes: int) -> None:
        """Link.modes."""
        self._set(f"set link {ifindex} modes {modes:#x}", rtnl.link_flags(ifindex, modes, PROMISC | ALLMULTI))

    def set_own(self, ifindex: int, knob: OwnKnob, *values: Any) -> None:
        """That knob by its verb above; `values` are what the verb takes."""
        verbs: dict[OwnKnob, Callable[..., None]] = {
            "mtu": self.set_mtu,
            "txqueuelen": self.set_txqueuelen,
            "modes": self.set_modes,
        }
        verbs[knob](ifindex, *values)

    def set_name(self, ifindex: int, name: str) -> None:
        """EEXIST where a name or altname of the netns is equal; EBUSY before 6.2 while the link is UP."""
        self._set(f"set link {ifindex} name {name}", rtnl.link(ifindex, attr_text(rtnl.IFLA_IFNAME, name)))

    def move(self, ifindex: int, netns_fd: int, name: str) -> None:
        """Into another netns under that name, in one request. It goes DOWN and loses its addresses.

        Not atomic: where the name is refused, the link may already be there, under the name it had here.
        """
        attrs = attr_u32(rtnl.IFLA_NET_NS_FD, netns_fd) + attr_text(rtnl.IFLA_IFNAME, name)
        self._set(f"move link {ifindex} to another netns as {name}", rtnl.link(ifindex, attrs))

    def delete(self, ifindex: int) -> None:
        """Of a virtual link, and of all that is stacked on it; EOPNOTSUPP for a device of its own."""
        self._socket.tell(f"delete link {ifindex}", rtnl.RTM_DELLINK, rtnl.link(ifindex))

    def add_altname(self, ifindex: int, name: str) -> None:
        self._socket.tell(
            f"add altname {name} to link {ifindex}", rtnl.RTM_NEWLINKPROP, rtnl.altname(ifindex, name), NEW
        )

    def del_altname(self, ifindex: int, name: str) -> None:
        self._socket.tell(
            f"remove altname {name} of link {ifindex}", rtnl.RTM_DELLINKPROP, rtnl.altname(ifindex, name)
        )

    def _one_link(self, verb: str, ifindex: int, attrs: bytes) -> Link | None:
        body = rtnl.link(ifindex, attrs + _NO_STATS)
        try:
            found = decoded(verb, replies.decode_link, self._socket.ask(verb, rtnl.RTM_GETLINK, body))
            return self._with_device(found)
        except KernelRefused as refused:
            if refused.errno == ENODEV:
                return None
            raise

    def _with_device(self, link: Link) -> Link:
        """Before 5.14 there is no IFLA_PARENT_DEV_NAME, and ethtool tells. What has a kind, or is lo, has no device."""
        if not (link.parent_dev or link.kind or link.flags & _IFF_LOOPBACK):
            link.parent_dev = self.bus_info(link.ifname)
        return link

    def _set(self, verb: str, body: bytes) -> None:
        self._socket.tell(verb, rtnl.RTM_NEWLINK, body)

    def _dump(self, verb: str, kind: int, query: bytes) -> list[bytes]:
        """The query's first byte is the family: a kernel without IPv6 answers for all families instead."""
        try:
            bodies = self._socket.dump(verb, kind, query)
        except KernelRefused as refused:
            if refused.errno in {ENODEV, ENOENT}:  # the link is gone; the table is not there yet
                return []
            raise
        return [body for body in bodies if body[:1] == query[:1]]


def decoded(verb: str, decode: Callable[[S], T], told: S) -> T:
    """What `decode` makes of it; KernelRefused (EBADMSG) where it is Malformed."""
    try:
        return decode(told)
    except Malformed as error:
        raise KernelRefused(verb, EBADMSG, str(error)) from error


def _new_link(kind: int, _flags: int, _sequence: int, body: bytes) -> list[Link]:
    return (
        [decoded("listen for link changes", replies.decode_link, body)]
        if kind == rtnl.RTM_NEWLINK and body[:1] == _AF_UNSPEC
        else []
    )
