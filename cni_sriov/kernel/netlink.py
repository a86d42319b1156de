"""Verbs on links, addresses and routes, named after iproute2. One socket in one netns, for life.

A Netlink belongs to the netns it was opened in, wherever the process goes later: "in which namespace?" is answered by
the receiver. Imported on every CNI call. RTNL is the lock a burst queues for (docs/speed.md), so look-ups by name go
by ioctl, which takes none, and dumps of links are a fallback. Every refusal is a KernelRefused.
"""

from __future__ import annotations

import time
from _socket import socket as Socket  # noqa: N812 # the class in C: socket.socket is a slower heir
from _struct import Struct
from array import array
from collections.abc import Callable
from errno import EBADMSG, ENODEV, ENOENT
from fcntl import ioctl
from typing import Self, TypeVar

from ..words.domain import Link, Route, VfState
from ..words.errors import KernelRefused
from ..words.inet import Prefix, parse_interface
from . import rtnl
from .nlsocket import NetlinkSocket

T = TypeVar("T")

_RTMGRP_LINK = 1  # linux/rtnetlink.h
_SIOCGIFINDEX, _SIOCGIFNAME, _SIOCETHTOOL = 0x8933, 0x8910, 0x8946  # linux/sockios.h
_ETHTOOL_GDRVINFO = 3  # linux/ethtool.h
_IFNAMSIZ, _ALTIFNAMSIZ = 16, 128  # linux/if.h
_IFREQ_INDEX, _IFREQ_POINTER = Struct("=16si20x"), Struct("@16sP16x")  # struct ifreq
_U32 = Struct("=I")
_NEW = rtnl.NLM_F_CREATE | rtnl.NLM_F_EXCL
_AF_UNSPEC = b"\0"  # bridges report their ports again, in short, as AF_BRIDGE
NO_NETNS_ID = -2  # not the kernel's -1, which Link.lower_netns has for the netns of the link itself
ZERO_MAC = "00:00:00:00:00:00"


class Netlink:
    """Requests to the kernel's rtnetlink in the netns this process was in when it was made."""

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

    # -- looking at links ---------------------------------------------------------------------------------------------

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
            raise KernelRefused(f"look up link {name}", error.errno or 0) from error
        return int(_IFREQ_INDEX.unpack(answer)[1])

    def ifname(self, ifindex: int) -> str:
        """Empty if the netns has no such link. Takes no RTNL."""
        try:
            answer = ioctl(self._socket.raw, _SIOCGIFNAME, _IFREQ_INDEX.pack(b"", ifindex))
        except OSError as error:
            if error.errno == ENODEV:
                return ""
            raise KernelRefused(f"look up link {ifindex}", error.errno or 0) from error
        return rtnl.text_of(answer[:_IFNAMSIZ])

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
            rtnl.attr_text(rtnl.IFLA_IFNAME if short else rtnl.IFLA_ALT_IFNAME, name),
        )

    def link_by_index(self, ifindex: int) -> Link | None:
        return self._one_link(f"look up link {ifindex}", ifindex, b"")

    def links(self) -> list[Link]:
        """Every link of the netns. A dump under RTNL: a fallback, not for the host netns in an ADD."""
        body = rtnl.link(0, rtnl.attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_SKIP_STATS))
        return [
            _decoded("list links", rtnl.decode_link, b)
            for b in self._dump("list links", rtnl.RTM_GETLINK, body)
        ]

    def netns_id(self, netns_fd: int) -> int:
        """By which ID links of this netns tell of that one (Link.lower_netns); NO_NETNS_ID if none does. Takes no RTNL."""
        verb = f"look up the ID of netns {netns_fd}"
        body = self._socket.ask(verb, rtnl.RTM_GETNSID, rtnl.netns_id_query(netns_fd))
        found = _decoded(verb, rtnl.decode_netns_id, body)
        return NO_NETNS_ID if found < 0 else found

    def link_by_pci(self, pci_address: str, hint: str = "") -> Link | None:
        """The link whose device is at that PCI address; a `hint` that is right saves the dump of the netns."""
        guess = self.link(hint) if hint else None
        if guess and guess.parent_dev == pci_address:
            return guess
        links = self.links()
        for link in links:
            if link.parent_dev == pci_address:
                return link
        if any(link.parent_dev for link in links):
            return None
        # no link names its device: a kernel before 5.14, which has no IFLA_PARENT_DEV_NAME
        return next(
            (link for link in links if not link.kind and self.bus_info(link.ifname) == pci_address), None
        )

    def bus_info(self, ifname: str) -> str:
        """What ethtool calls bus-info: the PCI address, "" for a link that has none."""
        info = array("B", _U32.pack(_ETHTOOL_GDRVINFO) + bytes(192))  # struct ethtool_drvinfo: 196 bytes
        try:
            ioctl(
                self._socket.raw,
                _SIOCETHTOOL,
                _IFREQ_POINTER.pack(ifname.encode("utf-8", "surrogateescape"), info.buffer_info()[0]),
            )
        except OSError:
            return ""  # EOPNOTSUPP: lo and other virtual ones; ENODEV: gone meanwhile
        return rtnl.text_of(info.tobytes()[100:132])  # char bus_info[32]

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

    # -- changing links -----------------------------------------------------------------------------------------------

    def set_up(self, ifindex: int) -> None:
        self._set(f"set link {ifindex} up", rtnl.link(ifindex, up=True))

    def set_down(self, ifindex: int) -> None:
        self._set(f"set link {ifindex} down", rtnl.link(ifindex, up=False))

    def set_mac(self, ifindex: int, mac: str) -> None:
        """EADDRNOTAVAIL on a VF whose PF set an admin MAC and does not trust it; EBUSY on some drivers while UP."""
        self._set(
            f"set link {ifindex} address {mac}",
            rtnl.link(ifindex, rtnl.attr(rtnl.IFLA_ADDRESS, rtnl.pack_mac(mac))),
        )

    def set_mtu(self, ifindex: int, mtu: int) -> None:
        self._set(f"set link {ifindex} mtu {mtu}", rtnl.link(ifindex, rtnl.attr_u32(rtnl.IFLA_MTU, mtu)))

    def set_txqueuelen(self, ifindex: int, length: int) -> None:
        self._set(
            f"set link {ifindex} txqueuelen {length}",
            rtnl.link(ifindex, rtnl.attr_u32(rtnl.IFLA_TXQLEN, length)),
        )

    def set_master(self, ifindex: int, master: int) -> None:
        """Make it a port of a bond, bridge or VRF; 0 = of none, which a bond answers by setting it DOWN."""
        self._set(
            f"set link {ifindex} master {master}", rtnl.link(ifindex, rtnl.attr_u32(rtnl.IFLA_MASTER, master))
        )

    def set_modes(self, ifindex: int, modes: int) -> None:
        """Link.modes."""
        self._set(f"set link {ifindex} modes {modes:#x}", rtnl.link_modes(ifindex, modes))

    def set_name(self, ifindex: int, name: str) -> None:
        """EEXIST where a name or altname of the netns is equal; EBUSY before 6.2 while the link is UP."""
        self._set(
            f"set link {ifindex} name {name}", rtnl.link(ifindex, rtnl.attr_text(rtnl.IFLA_IFNAME, name))
        )

    def move(self, ifindex: int, netns_fd: int, name: str, mac: str = "", mtu: int = 0) -> None:
        """Into another netns under that name, in one request. It goes DOWN and loses its addresses.

        Not atomic: where name, MAC or MTU is refused, the link may already be there, under the name it had here.
        """
        attrs = rtnl.attr_u32(rtnl.IFLA_NET_NS_FD, netns_fd) + rtnl.attr_text(rtnl.IFLA_IFNAME, name)
        attrs += rtnl.attr(rtnl.IFLA_ADDRESS, rtnl.pack_mac(mac)) if mac else b""
        attrs += rtnl.attr_u32(rtnl.IFLA_MTU, mtu) if mtu else b""
        self._set(f"move link {ifindex} to another netns as {name}", rtnl.link(ifindex, attrs))

    def delete(self, ifindex: int) -> None:
        """Of a virtual link, and of all that is stacked on it; EOPNOTSUPP for a device of its own."""
        self._socket.ask(f"delete link {ifindex}", rtnl.RTM_DELLINK, rtnl.link(ifindex))

    def add_altname(self, ifindex: int, name: str) -> None:
        self._socket.ask(
            f"add altname {name} to link {ifindex}", rtnl.RTM_NEWLINKPROP, rtnl.altname(ifindex, name), _NEW
        )

    def del_altname(self, ifindex: int, name: str) -> None:
        self._socket.ask(
            f"remove altname {name} of link {ifindex}", rtnl.RTM_DELLINKPROP, rtnl.altname(ifindex, name)
        )

    # -- a VF, by way of its PF ---------------------------------------------------------------------------------------

    def vf_state(self, pf_ifindex: int, index: int) -> VfState:
        """The admin half; ENODEV if the PF is gone, ENOENT if it tells nothing of that VF."""
        states = self.vf_states(pf_ifindex, index)
        if index not in states:
            raise KernelRefused(
                f"look up vf {index} of link {pf_ifindex}", ENOENT, "the PF does not list this VF"
            )
        return states[index]

    def vf_states(self, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        """The kernel tells of all or none; with `only` the others are not decoded."""
        # without SKIP_STATS the driver is asked for each VF's counters, and 250 VFs overflow the list's 16-bit length
        mask = rtnl.attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_VF | rtnl.RTEXT_FILTER_SKIP_STATS)
        verb = f"look up the VFs of link {pf_ifindex}"
        body = self._socket.ask(verb, rtnl.RTM_GETLINK, rtnl.link(pf_ifindex, mask))
        return _decoded(verb, lambda answer: rtnl.decode_vfs(answer, only), body)

    def set_vf_mac(self, pf_ifindex: int, index: int, mac: str) -> None:
        """ZERO_MAC clears it. Most drivers reset the VF; it takes the new address when its own driver re-reads it."""
        self._set_vf(pf_ifindex, index, f"mac {mac}", rtnl.vf_mac(index, mac))

    def set_vf_vlan(
        self, pf_ifindex: int, index: int, vlan: int, qos: int = 0, proto: str = "802.1q"
    ) -> None:
        """EPROTONOSUPPORT where the driver cannot do 802.1ad. Acts at once on a running VF."""
        self._set_vf(
            pf_ifindex, index, f"vlan {vlan} qos {qos} proto {proto}", rtnl.vf_vlan(index, vlan, qos, proto)
        )

    def set_vf_rate(self, pf_ifindex: int, index: int, min_tx_rate: int, max_tx_rate: int) -> None:
        """Mbit/s, 0 = no limit. EINVAL while the PF has no link speed, or where the driver has no minimum."""
        what = f"min_tx_rate {min_tx_rate} max_tx_rate {max_tx_rate}"
        self._set_vf(pf_ifindex, index, what, rtnl.vf_rate(index, min_tx_rate, max_tx_rate))

    def set_vf_spoofchk(self, pf_ifindex: int, index: int, on: bool) -> None:
        knob = rtnl.vf_setting(rtnl.IFLA_VF_SPOOFCHK, index, on)
        self._set_vf(pf_ifindex, index, f"spoofchk {'on' if on else 'off'}", knob)

    def set_vf_trust(self, pf_ifindex: int, index: int, on: bool) -> None:
        knob = rtnl.vf_setting(rtnl.IFLA_VF_TRUST, index, on)
        self._set_vf(pf_ifindex, index, f"trust {'on' if on else 'off'}", knob)

    def set_vf_link_state(self, pf_ifindex: int, index: int, state: str) -> None:
        """One of rtnl.LINK_STATES. EOPNOTSUPP on igb and others."""
        knob = rtnl.vf_setting(rtnl.IFLA_VF_LINK_STATE, index, rtnl.LINK_STATES.index(state))
        self._set_vf(pf_ifindex, index, f"link_state {state}", knob)

    # -- addresses and routes -----------------------------------------------------------------------------------------

    def add_address(self, ifindex: int, address: str, flags: int = 0) -> None:
        """`flags`: rtnl.IFA_F_NODAD, or IFA_F_OPTIMISTIC where the sysctl allows it (EINVAL else). EEXIST if held."""
        verb = f"add address {address} to link {ifindex}"
        self._socket.ask(verb, rtnl.RTM_NEWADDR, rtnl.address(ifindex, address, flags), _NEW)

    def del_address(self, ifindex: int, address: str) -> None:
        """EADDRNOTAVAIL if the link does not have it."""
        self._socket.ask(
            f"remove address {address} of link {ifindex}", rtnl.RTM_DELADDR, rtnl.address(ifindex, address)
        )

    def addresses(self, ifindex: int = 0) -> list[rtnl.Address]:
        """Of one link, or of all. [] if the link is gone."""
        verb = "list addresses"
        found = []
        for family in (rtnl.AF_INET, rtnl.AF_INET6):
            query = rtnl.address_query(family, ifindex)
            found += [
                _decoded(verb, rtnl.decode_address, b) for b in self._dump(verb, rtnl.RTM_GETADDR, query)
            ]
        return [address for address in found if ifindex in (0, address.ifindex)]

    def announce(self, ifindex: int, address: str) -> None:
        """Have the kernel ask the link for an IPv4 address of its own: that is a gratuitous ARP request, and the kernel
        repeats it twice, a second apart (mcast_solicit), so one of them goes out also where the carrier comes late.

        Its sender is the first address of that subnet (inet_select_addr), so only such a one can be announced.
        """
        verb = f"announce {address} on link {ifindex}"
        self._socket.ask(verb, rtnl.RTM_NEWNEIGH, rtnl.neighbour(ifindex, address), rtnl.NLM_F_CREATE)

    def add_route(self, ifindex: int, route: Route, onlink: bool = False) -> None:
        """`onlink` for a gateway that no connected route reaches. EEXIST if it stands."""
        verb = f"add route {route.dst}{' via ' + route.gw if route.gw else ''} on link {ifindex}"
        self._socket.ask(verb, rtnl.RTM_NEWROUTE, rtnl.route(ifindex, route, onlink), _NEW)

    def del_route(self, ifindex: int, route: Route) -> None:
        """ESRCH if there is none."""
        self._socket.ask(
            f"remove route {route.dst} on link {ifindex}", rtnl.RTM_DELROUTE, rtnl.route(ifindex, route)
        )

    def routes(self, ifindex: int = 0, table: int = rtnl.RT_TABLE_MAIN) -> list[rtnl.KernelRoute]:
        """Unicast routes of a table (0 = of all), of one link or of all. [] if link or table is not there."""
        verb = "list routes"
        found = []
        for family in (rtnl.AF_INET, rtnl.AF_INET6):
            query = rtnl.route_query(family, table, ifindex)
            found += [
                _decoded(verb, rtnl.decode_route, b) for b in self._dump(verb, rtnl.RTM_GETROUTE, query)
            ]
        return [r for r in found if r and table in (0, r.table) and ifindex in (0, r.ifindex)]

    def host_use(self, addresses: list[rtnl.Address]) -> list[tuple[Prefix, int, str]]:
        """(prefix, ifindex, words) of what this netns uses itself: global ones of its addresses, connected main-table
        routes.
        """
        held = [(a.address, a.ifindex, f"address {a.address}") for a in addresses if a.is_global]
        held += [
            (r.route.dst, r.ifindex, f"route {r.route.dst}")
            for r in self.routes()
            if r.ifindex and not r.route.gw and not _is_link_local(r.route.dst)
        ]
        return [
            (parse_interface(text)[0], ifindex, f"{words} dev {self.ifname(ifindex)}")
            for text, ifindex, words in held
        ]

    # -- requests -----------------------------------------------------------------------------------------------------

    def _one_link(self, verb: str, ifindex: int, attrs: bytes) -> Link | None:
        body = rtnl.link(ifindex, attrs + rtnl.attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_SKIP_STATS))
        try:
            return _decoded(verb, rtnl.decode_link, self._socket.ask(verb, rtnl.RTM_GETLINK, body))
        except KernelRefused as refused:
            if refused.errno == ENODEV:
                return None
            raise

    def _dump(self, verb: str, kind: int, query: bytes) -> list[bytes]:
        """The query's first byte is the family: a kernel without IPv6 answers for all families instead."""
        try:
            bodies = self._socket.dump(verb, kind, query)
        except KernelRefused as refused:
            if refused.errno in {ENODEV, ENOENT}:  # the link is gone; the table is not there yet
                return []
            raise
        return [body for body in bodies if body[:1] == query[:1]]

    def _set(self, verb: str, body: bytes) -> None:
        self._socket.ask(verb, rtnl.RTM_NEWLINK, body)

    def _set_vf(self, pf_ifindex: int, index: int, what: str, knob: bytes) -> None:
        self._set(f"set vf {index} of link {pf_ifindex} {what}", rtnl.vf(pf_ifindex, knob))


def _decoded(verb: str, decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except rtnl.Malformed as error:
        raise KernelRefused(verb, EBADMSG, str(error)) from error


def _new_link(kind: int, _flags: int, _sequence: int, body: bytes) -> list[Link]:
    return (
        [_decoded("listen for link changes", rtnl.decode_link, body)]
        if kind == rtnl.RTM_NEWLINK and body[:1] == _AF_UNSPEC
        else []
    )


def _is_link_local(text: str) -> bool:
    return text.lower().startswith(("fe80:", "ff"))
