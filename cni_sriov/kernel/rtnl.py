"""rtnetlink's wire format: requests to bytes, replies to nouns. Pure; kernel/netlink.py owns the socket.

Imported on every CNI call, so it is our own and small: pyroute2 is 170 ms (docs/speed.md). tests/unit/test_rtnl.py
holds every message byte for byte against pyroute2's encoder. Layouts and numbers: linux/rtnetlink.h, linux/if_link.h,
linux/if_addr.h, linux/netlink.h. Whatever the bytes are, decoding raises nothing but Malformed.
"""

from __future__ import annotations

import _struct
from _struct import Struct
from collections.abc import Iterator
from typing import Any

from ..words.domain import Link, Noun, Route, VfState
from ..words.inet import BITS, pack_address, parse_address, parse_interface, render_address, unpack_address
from ..words.jsontext import words

Attrs = dict[int, bytes]

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18  # linux/rtnetlink.h
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH = 28
RTM_NEWLINKPROP, RTM_DELLINKPROP = 108, 109
RTM_GETNSID = 90
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300  # linux/netlink.h
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF

IFF_UP = 0x1  # linux/if.h
IFF_LOWER_UP = 0x10000
IFA_F_NODAD, IFA_F_OPTIMISTIC, IFA_F_DADFAILED = 0x02, 0x04, 0x08  # linux/if_addr.h
IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x40, 0x80
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST = 0, 253, 254  # linux/rtnetlink.h
RT_TABLE_MAIN, RTPROT_KERNEL, RTPROT_BOOT, RTN_UNICAST, RTNH_F_ONLINK = 254, 2, 3, 1, 4
RTEXT_FILTER_VF, RTEXT_FILTER_SKIP_STATS = 1, 8
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10  # linux/socket.h
FAMILY = {4: AF_INET, 6: AF_INET6}

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 10, 18  # linux/if_link.h
IFLA_LINK, IFLA_TXQLEN, IFLA_PROMISCUITY, IFLA_LINK_NETNSID = 5, 13, 30, 37
IFLA_NUM_VF, IFLA_VFINFO_LIST, IFLA_NET_NS_FD, IFLA_EXT_MASK = 21, 22, 28, 29
IFLA_MIN_MTU, IFLA_MAX_MTU, IFLA_PROP_LIST, IFLA_ALT_IFNAME, IFLA_PARENT_DEV_NAME = 50, 51, 52, 53, 56
IFLA_INFO_KIND, IFLA_VF_INFO, IFLA_VF_VLAN_INFO = 1, 1, 1
IFLA_VF_MAC, IFLA_VF_VLAN, IFLA_VF_TX_RATE, IFLA_VF_SPOOFCHK, IFLA_VF_LINK_STATE = 1, 2, 3, 4, 5
IFLA_VF_RATE, IFLA_VF_TRUST, IFLA_VF_VLAN_LIST = 6, 9, 12
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8  # linux/if_addr.h
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 1, 4, 5, 6, 7, 15  # linux/rtnetlink.h
RTA_METRICS, RTA_MULTIPATH, RTA_VIA = 8, 9, 18
RTAX_MTU, RTAX_ADVMSS = 2, 8
NDA_DST, NTF_USE = 1, 0x01  # linux/neighbour.h
NETNSA_NSID, NETNSA_FD = 1, 3  # linux/net_namespace.h

LINK_STATES = ("auto", "enable", "disable")  # IFLA_VF_LINK_STATE_*
VLAN_PROTOS = {"802.1q": 0x8100, "802.1ad": 0x88A8}  # ETH_P_8021Q, ETH_P_8021AD: linux/if_ether.h
_UNREPORTED = 0xFFFFFFFF  # rtnl_fill_vfinfo presets -1: the driver did not fill it in
_ZERO_MAC = bytes(6)

HEADER = Struct("=IHHII")  # struct nlmsghdr
_ATTR = Struct("=HH")  # struct nlattr
_IFINFO = Struct("=BxHiII")  # struct ifinfomsg
_IFADDR = Struct("=BBBBI")  # struct ifaddrmsg
_RTMSG = Struct("=BBBBBBBBI")  # struct rtmsg
_NDMSG = Struct("=BxxxiHBB")  # struct ndmsg
_U32 = Struct("=I")
_S32 = Struct("=i")
_VF_MAC = Struct("=I32s")  # struct ifla_vf_mac
_VF_VLAN = Struct("=III")  # struct ifla_vf_vlan
_VF_VLAN_INFO = Struct(
    "=III2s2x"
)  # struct ifla_vf_vlan_info; kernels since 6.9 refuse it without its padding
_VF_RATE = Struct("=III")  # struct ifla_vf_rate
_VF_SETTING = Struct("=II")  # struct ifla_vf_spoofchk, _trust, _link_state, _tx_rate


class Malformed(Exception):
    """The bytes are not the reply they should be."""


class Address(Noun):
    """An address of a netdev: `address` is "10.10.1.2/24", `flags` are IFA_F_*, `scope` is RT_SCOPE_*."""

    __slots__ = ("address", "flags", "ifindex", "scope")

    def __init__(self, address: str, ifindex: int, flags: int = 0, scope: int = 0) -> None:
        self.address = address
        self.ifindex = ifindex
        self.flags = flags
        self.scope = scope

    @property
    def is_global(self) -> bool:
        return self.scope < RT_SCOPE_LINK

    @property
    def is_tentative(self) -> bool:
        """DAD has not ended; optimistic addresses are both."""
        return bool(self.flags & IFA_F_TENTATIVE)

    @property
    def is_dadfailed(self) -> bool:
        return bool(self.flags & IFA_F_DADFAILED)


class KernelRoute(Noun):
    """A unicast route as it stands in a table. `ifindex` 0 = multipath, `protocol` is RTPROT_*."""

    __slots__ = ("ifindex", "onlink", "protocol", "route", "table")

    def __init__(
        self, route: Route, ifindex: int, protocol: int = 0, table: int = 0, onlink: bool = False
    ) -> None:
        self.route = route
        self.ifindex = ifindex
        self.protocol = protocol
        self.table = table
        self.onlink = onlink


# -- requests ---------------------------------------------------------------------------------------------------------


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def attr(kind: int, payload: bytes) -> bytes:
    size = _ATTR.size + len(payload)
    return _ATTR.pack(size, kind) + payload + bytes(-size % 4)


def attr_u32(kind: int, value: int) -> bytes:
    return attr(kind, _U32.pack(value))


def attr_text(kind: int, text: str) -> bytes:
    return attr(kind, text.encode("utf-8", "surrogateescape") + b"\0")


def link(ifindex: int, attrs: bytes = b"", up: bool | None = None) -> bytes:
    """`up` None leaves the flags alone: the kernel changes only what ifi_change names."""
    return _IFINFO.pack(AF_UNSPEC, 0, ifindex, IFF_UP if up else 0, 0 if up is None else IFF_UP) + attrs


def link_modes(ifindex: int, modes: int) -> bytes:
    """IFF_PROMISC and IFF_ALLMULTI as in `modes`; the other flags stay."""
    return _IFINFO.pack(AF_UNSPEC, 0, ifindex, modes, 0x300)


def netns_id_query(netns_fd: int) -> bytes:
    """struct rtgenmsg, padded."""
    return bytes(4) + attr_u32(NETNSA_FD, netns_fd)


def altname(ifindex: int, name: str) -> bytes:
    return link(ifindex, attr(IFLA_PROP_LIST | NLA_F_NESTED, attr_text(IFLA_ALT_IFNAME, name)))


def vf(ifindex: int, knob: bytes) -> bytes:
    return link(ifindex, attr(IFLA_VFINFO_LIST, attr(IFLA_VF_INFO, knob)))


def vf_mac(index: int, mac: str) -> bytes:
    return attr(IFLA_VF_MAC, _VF_MAC.pack(index, pack_mac(mac)))


def vf_vlan(index: int, vlan: int, qos: int, proto: str) -> bytes:
    """Plain 802.1q goes the way old kernels and drivers know."""
    if proto == "802.1q":
        return attr(IFLA_VF_VLAN, _VF_VLAN.pack(index, vlan, qos))
    wire_proto = VLAN_PROTOS[proto].to_bytes(2, "big")
    return attr(IFLA_VF_VLAN_LIST, attr(IFLA_VF_VLAN_INFO, _VF_VLAN_INFO.pack(index, vlan, qos, wire_proto)))


def vf_rate(index: int, min_tx_rate: int, max_tx_rate: int) -> bytes:
    return attr(IFLA_VF_RATE, _VF_RATE.pack(index, min_tx_rate, max_tx_rate))


def vf_setting(kind: int, index: int, value: int) -> bytes:
    """For IFLA_VF_SPOOFCHK, IFLA_VF_TRUST and IFLA_VF_LINK_STATE."""
    return attr(kind, _VF_SETTING.pack(index, value))


def address(ifindex: int, text: str, flags: int = 0) -> bytes:
    """No broadcast address, as `ip address add` without `brd`."""
    prefix, value = parse_interface(text)
    packed = pack_address(prefix.version, value)
    head = _IFADDR.pack(FAMILY[prefix.version], prefix.length, flags, RT_SCOPE_UNIVERSE, ifindex)
    return head + attr(IFA_LOCAL, packed) + attr(IFA_ADDRESS, packed)


def address_query(family: int, ifindex: int) -> bytes:
    return _IFADDR.pack(family, 0, 0, 0, ifindex)


def route(ifindex: int, what: Route, onlink: bool = False) -> bytes:
    """v4 without gateway and scope is link scope, as `ip route add` does; v6 routes have no scope."""
    prefix, value = parse_interface(what.dst)
    scope = what.scope
    if scope is None:
        scope = RT_SCOPE_UNIVERSE if what.gw or prefix.version == 6 else RT_SCOPE_LINK
    attrs = attr(RTA_DST, pack_address(prefix.version, value)) if prefix.length else b""
    if what.gw:
        attrs += attr(RTA_GATEWAY, pack_address(*parse_address(what.gw)))
    if what.src:
        attrs += attr(RTA_PREFSRC, pack_address(*parse_address(what.src)))
    if what.priority:
        attrs += attr_u32(RTA_PRIORITY, what.priority)
    metrics = attr_u32(RTAX_MTU, what.mtu) if what.mtu else b""
    metrics += attr_u32(RTAX_ADVMSS, what.advmss) if what.advmss else b""
    attrs += attr(RTA_METRICS, metrics) if metrics else b""
    table, more = _table(what.table or RT_TABLE_MAIN)
    family, flags = FAMILY[prefix.version], RTNH_F_ONLINK if onlink else 0
    head = _RTMSG.pack(family, prefix.length, 0, 0, table, RTPROT_BOOT, scope, RTN_UNICAST, flags)
    return head + attrs + attr_u32(RTA_OIF, ifindex) + more


def route_query(family: int, table: int, ifindex: int = 0) -> bytes:
    attrs = attr_u32(RTA_OIF, ifindex) if ifindex else b""
    table, more = _table(table)
    return _RTMSG.pack(family, 0, 0, 0, table, 0, 0, 0, 0) + attrs + more


def _table(number: int) -> tuple[int, bytes]:
    """rtm_table has 8 bits; RTA_TABLE is for what does not fit."""
    return (number, b"") if number < 256 else (0, attr_u32(RTA_TABLE, number))


def neighbour(ifindex: int, text: str) -> bytes:
    """`ip neigh replace ADDRESS dev LINK use`: the kernel asks the link for it."""
    version, value = parse_address(text)
    return _NDMSG.pack(FAMILY[version], ifindex, 0, NTF_USE, 0) + attr(NDA_DST, pack_address(version, value))


def pack_mac(text: str) -> bytes:
    packed = bytes.fromhex(text.replace(":", ""))
    if len(packed) != 6:
        raise ValueError(f"{words(text)} is not a MAC address")
    return packed


def render_mac(packed: bytes) -> str:
    return packed.hex(":")


# -- replies ----------------------------------------------------------------------------------------------------------


def walk(body: bytes, start: int = 0, *, cut_off: bool = False) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of each attribute's payload; Malformed where a length does not fit.

    `cut_off`: the last one may be longer than what is there.
    """
    while start + _ATTR.size <= len(body):
        size, kind = _ATTR.unpack_from(body, start)
        if size < _ATTR.size or (start + size > len(body) and not cut_off):
            raise Malformed(f"attribute {kind} of length {size} at {start} of {len(body)}")
        yield kind & NLA_TYPE_MASK, start + _ATTR.size, start + size
        start += (size + 3) & ~3


def attrs_of(body: bytes, start: int = 0) -> Attrs:
    return {kind: body[a:b] for kind, a, b in walk(body, start)}


def decode_link(body: bytes) -> Link:
    _, _, ifindex, flags, _ = _head(_IFINFO, body)
    attrs = attrs_of(body, _IFINFO.size)
    info = attrs_of(attrs.get(IFLA_LINKINFO, b""))
    names = [text_of(attrs[IFLA_PROP_LIST][a:b]) for _, a, b in walk(attrs.get(IFLA_PROP_LIST, b""))]
    return Link(
        ifindex,
        text_of(attrs.get(IFLA_IFNAME, b"")),
        flags=flags,
        mac=render_mac(attrs.get(IFLA_ADDRESS, b"")),
        mtu=_u32(attrs.get(IFLA_MTU)),
        min_mtu=_u32(attrs.get(IFLA_MIN_MTU)),
        max_mtu=_u32(attrs.get(IFLA_MAX_MTU)),
        altnames=names,
        parent_dev=text_of(attrs.get(IFLA_PARENT_DEV_NAME, b"")),
        master=_u32(attrs.get(IFLA_MASTER)),
        kind=text_of(info.get(IFLA_INFO_KIND, b"")),
        carrier=bool(flags & IFF_LOWER_UP),
        txqueuelen=_u32(attrs.get(IFLA_TXQLEN)),
        promiscuity=_u32(attrs.get(IFLA_PROMISCUITY)),
        lower=_u32(attrs.get(IFLA_LINK)),
        lower_netns=_s32(attrs.get(IFLA_LINK_NETNSID)),
    )


def decode_vfs(body: bytes, only: int | None = None) -> dict[int, VfState]:
    """The admin view of every VF, or of `only` one, in a reply to RTM_GETLINK of the PF.

    The list's 16-bit length wraps on PFs with very many VFs, so it is not believed: as many entries are read as
    IFLA_NUM_VF promises (it comes before the list), up to the first that makes no sense.
    """
    _head(_IFINFO, body)
    states: dict[int, VfState] = {}
    promised = 0
    try:
        for kind, start, _ in walk(body, _IFINFO.size, cut_off=True):
            if kind == IFLA_NUM_VF:
                promised = _u32(body[start : start + 4])
            if kind == IFLA_VFINFO_LIST:
                _read_vf_list(body, start, promised, states, only)
                break
    except Malformed:
        pass  # the rest of a truncated list; what was read so far is good
    return states


def _read_vf_list(
    body: bytes, start: int, promised: int, states: dict[int, VfState], only: int | None
) -> None:
    for number, (kind, a, b) in enumerate(walk(body, start)):
        if kind != IFLA_VF_INFO or number == promised:
            return
        if only is not None and _u32(body[a + _ATTR.size : b]) != only:
            continue  # the MAC comes first, and begins with the index; to decode 256 costs more than to get them
        attrs = attrs_of(body[a:b])
        if IFLA_VF_MAC not in attrs:
            return
        index, mac = _head(_VF_MAC, attrs[IFLA_VF_MAC])
        states[index] = _decode_vf(mac[:6], attrs)


def _decode_vf(mac: bytes, attrs: Attrs) -> VfState:
    state = VfState(mac="" if mac == _ZERO_MAC else render_mac(mac))
    if IFLA_VF_VLAN in attrs:
        _, state.vlan, state.vlan_qos = _head(_VF_VLAN, attrs[IFLA_VF_VLAN])
    for _, a, b in walk(attrs.get(IFLA_VF_VLAN_LIST, b"")):
        _, state.vlan, state.vlan_qos, proto = _head(_VF_VLAN_INFO, attrs[IFLA_VF_VLAN_LIST][a:b])
        state.vlan_proto = "802.1ad" if proto == b"\x88\xa8" else "802.1q"
        break  # the kernel knows one entry only (MAX_VLAN_LIST_LEN)
    if IFLA_VF_RATE in attrs:
        _, state.min_tx_rate, state.max_tx_rate = _head(_VF_RATE, attrs[IFLA_VF_RATE])
    spoofchk, trust = _setting(attrs, IFLA_VF_SPOOFCHK), _setting(attrs, IFLA_VF_TRUST)
    state.spoofchk = None if spoofchk is None else bool(spoofchk)
    state.trust = None if trust is None else bool(trust)
    link_state = _setting(attrs, IFLA_VF_LINK_STATE)
    if link_state is not None and link_state < len(LINK_STATES):
        state.link_state = LINK_STATES[link_state]
    return state


def _setting(attrs: Attrs, kind: int) -> int | None:
    if kind not in attrs:
        return None
    value: int = _head(_VF_SETTING, attrs[kind])[1]
    return None if value == _UNREPORTED else value


def decode_netns_id(body: bytes) -> int:
    return _s32(attrs_of(body, 4).get(NETNSA_NSID))


def decode_address(body: bytes) -> Address:
    family, length, flags, scope, ifindex = _head(_IFADDR, body)
    attrs = attrs_of(body, _IFADDR.size)
    packed = attrs.get(IFA_LOCAL, attrs.get(IFA_ADDRESS, b""))
    if IFA_FLAGS in attrs:
        flags = _u32(attrs[IFA_FLAGS])
    return Address(f"{_ip(family, packed)}/{length}", ifindex, flags, scope)


def decode_route(body: bytes) -> KernelRoute | None:
    """None for what is no unicast route: blackholes, broadcast, multicast, local. The table is KernelRoute's alone."""
    family, length, _, _, table, protocol, scope, kind, flags = _head(_RTMSG, body)
    if kind != RTN_UNICAST:
        return None
    attrs = attrs_of(body, _RTMSG.size)
    any_address = bytes(4 if family == AF_INET else 16)
    gw, src = attrs.get(RTA_GATEWAY), attrs.get(RTA_PREFSRC)
    metrics = attrs_of(attrs[RTA_METRICS]) if RTA_METRICS in attrs else {}
    what = Route(
        f"{_ip(family, attrs.get(RTA_DST, any_address))}/{length}",
        gw=_ip(family, gw) if gw else _via(attrs),
        src=_ip(family, src) if src else "",
        scope=scope,
        priority=_u32(attrs.get(RTA_PRIORITY)),
        mtu=_u32(metrics.get(RTAX_MTU)),
        advmss=_u32(metrics.get(RTAX_ADVMSS)),
    )
    table = _u32(attrs.get(RTA_TABLE)) or table
    return KernelRoute(what, _u32(attrs.get(RTA_OIF)), protocol, table, bool(flags & RTNH_F_ONLINK))


def _via(attrs: Attrs) -> str:
    """The gateway of another family (RTA_VIA: family, address), "" if there is none."""
    via = attrs.get(RTA_VIA, b"")
    return _ip(int.from_bytes(via[:2], "little"), via[2:]) if via else ""


def _ip(family: int, packed: bytes) -> str:
    version = 6 if family == AF_INET6 else 4
    if len(packed) * 8 != BITS[version]:
        raise Malformed(f"address of {len(packed)} bytes in family {family}")
    return render_address(*unpack_address(packed))


def _head(layout: Struct, body: bytes) -> tuple[Any, ...]:
    try:
        return layout.unpack_from(body)
    except _struct.error as error:  # type: ignore[attr-defined] # typeshed lacks it
        raise Malformed(str(error)) from error


def _u32(payload: bytes | None) -> int:
    return 0 if payload is None else int(_head(_U32, payload)[0])


def _s32(payload: bytes | None) -> int:
    """-1 if there is none."""
    return -1 if payload is None else int(_head(_S32, payload)[0])


def text_of(payload: bytes) -> str:
    return payload.partition(b"\0")[0].decode("utf-8", "surrogateescape")
