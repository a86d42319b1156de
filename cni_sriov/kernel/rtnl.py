"""rtnetlink's requests as bytes, and its numbers. Pure; kernel/replies.py reads the answers, kernel/netlink.py asks.

tests/unit/kernel/test_rtnl.py holds every message byte for byte against pyroute2's encoder. Layouts and numbers:
linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/netlink.h.
"""

from __future__ import annotations

from struct import Struct

from ..words.domain import Route
from ..words.inet import pack_address, parse_address, parse_interface
from ..words.jsontext import words
from .attributes import NLA_F_NESTED, attr, attr_text, attr_u32

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18  # linux/rtnetlink.h
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH = 28
RTM_NEWLINKPROP, RTM_DELLINKPROP = 108, 109
RTM_GETNSID = 90
NLM_F_EXCL, NLM_F_CREATE = 0x200, 0x400  # linux/netlink.h

IFF_UP = 0x1  # linux/if.h
IFF_LOWER_UP = 0x10000
IFA_F_NODAD, IFA_F_OPTIMISTIC, IFA_F_DADFAILED = 0x02, 0x04, 0x08  # linux/if_addr.h
IFA_F_TENTATIVE, IFA_F_PERMANENT = 0x40, 0x80
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253  # linux/rtnetlink.h
RT_TABLE_MAIN, RTPROT_BOOT, RTN_UNICAST = 254, 3, 1
RTEXT_FILTER_VF, RTEXT_FILTER_SKIP_STATS = 1, 8
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10  # linux/socket.h
FAMILY = {4: AF_INET, 6: AF_INET6}

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 10, 18  # linux/if_link.h
IFLA_LINK, IFLA_TXQLEN, IFLA_PROMISCUITY, IFLA_LINK_NETNSID = 5, 13, 30, 37
IFLA_BROADCAST, IFLA_LINKMODE, IFLA_IFALIAS, IFLA_GROUP = 2, 17, 20, 27
IFLA_PROTO_DOWN, IFLA_XDP = 39, 43
IFLA_GSO_MAX_SEGS, IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE = 40, 41, 58
IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE = 63, 64
IFLA_INFO_DATA, IFLA_XDP_FD, IFLA_XDP_FLAGS = 2, 1, 3
IFLA_NUM_VF, IFLA_VFINFO_LIST, IFLA_NET_NS_FD, IFLA_EXT_MASK = 21, 22, 28, 29
IFLA_MIN_MTU, IFLA_MAX_MTU, IFLA_PROP_LIST, IFLA_ALT_IFNAME, IFLA_PARENT_DEV_NAME = 50, 51, 52, 53, 56
IFLA_INFO_KIND, IFLA_VF_INFO, IFLA_VF_VLAN_INFO = 1, 1, 1
IFLA_VF_MAC, IFLA_VF_VLAN, IFLA_VF_SPOOFCHK, IFLA_VF_LINK_STATE = 1, 2, 4, 5
IFLA_VF_RATE, IFLA_VF_TRUST, IFLA_VF_VLAN_LIST = 6, 9, 12
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8  # linux/if_addr.h
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 1, 4, 5, 6, 7, 15  # linux/rtnetlink.h
RTA_METRICS, RTA_VIA = 8, 18
RTAX_MTU, RTAX_ADVMSS = 2, 8
NDA_DST, NTF_USE = 1, 0x01  # linux/neighbour.h
NETNSA_NSID, NETNSA_FD = 1, 3  # linux/net_namespace.h

LINK_STATES = ("auto", "enable", "disable")  # IFLA_VF_LINK_STATE_*
VLAN_PROTOS = {"802.1q": 0x8100, "802.1ad": 0x88A8}  # ETH_P_8021Q, ETH_P_8021AD: linux/if_ether.h

IFINFO = Struct("=BxHiII")  # struct ifinfomsg
IFADDR = Struct("=BBBBI")  # struct ifaddrmsg
RTMSG = Struct("=BBBBBBBBI")  # struct rtmsg
_NDMSG = Struct("=BxxxiHBB")  # struct ndmsg
VF_MAC = Struct("=I32s")  # struct ifla_vf_mac
VF_VLAN = Struct("=III")  # struct ifla_vf_vlan
# struct ifla_vf_vlan_info; kernels since 6.9 refuse it without its padding
VF_VLAN_INFO = Struct("=III2s2x")
VF_RATE = Struct("=III")  # struct ifla_vf_rate
VF_SETTING = Struct("=II")  # struct ifla_vf_spoofchk, _trust, _link_state


def link(ifindex: int, attrs: bytes = b"", up: bool | None = None) -> bytes:
    """`up` None leaves the flags alone: the kernel changes only what ifi_change names."""
    return IFINFO.pack(AF_UNSPEC, 0, ifindex, IFF_UP if up else 0, 0 if up is None else IFF_UP) + attrs


def link_flags(ifindex: int, flags: int, change: int, attrs: bytes = b"") -> bytes:
    """Those of `change` as in `flags`; with 0 there the kernel would change all."""
    return IFINFO.pack(AF_UNSPEC, 0, ifindex, flags & change, change) + attrs


def netns_id_query(netns_fd: int) -> bytes:
    """struct rtgenmsg, padded."""
    return bytes(4) + attr_u32(NETNSA_FD, netns_fd)


def altname(ifindex: int, name: str) -> bytes:
    return link(ifindex, attr(IFLA_PROP_LIST | NLA_F_NESTED, attr_text(IFLA_ALT_IFNAME, name)))


def vf(ifindex: int, knob: bytes) -> bytes:
    return link(ifindex, attr(IFLA_VFINFO_LIST, attr(IFLA_VF_INFO, knob)))


def vf_mac(index: int, mac: str) -> bytes:
    return attr(IFLA_VF_MAC, VF_MAC.pack(index, pack_mac(mac)))


def vf_vlan(index: int, vlan: int, qos: int, proto: str) -> bytes:
    """Plain 802.1q goes the way old kernels and drivers know."""
    if proto == "802.1q":
        return attr(IFLA_VF_VLAN, VF_VLAN.pack(index, vlan, qos))
    wire_proto = VLAN_PROTOS[proto].to_bytes(2, "big")
    return attr(IFLA_VF_VLAN_LIST, attr(IFLA_VF_VLAN_INFO, VF_VLAN_INFO.pack(index, vlan, qos, wire_proto)))


def vf_rate(index: int, min_tx_rate: int, max_tx_rate: int) -> bytes:
    return attr(IFLA_VF_RATE, VF_RATE.pack(index, min_tx_rate, max_tx_rate))


def vf_setting(kind: int, index: int, value: int) -> bytes:
    """For IFLA_VF_SPOOFCHK, IFLA_VF_TRUST and IFLA_VF_LINK_STATE."""
    return attr(kind, VF_SETTING.pack(index, value))


def address(ifindex: int, text: str, flags: int = 0) -> bytes:
    """No broadcast address, as `ip address add` without `brd`."""
    prefix, value = parse_interface(text)
    packed = pack_address(prefix.version, value)
    head = IFADDR.pack(FAMILY[prefix.version], prefix.length, flags, RT_SCOPE_UNIVERSE, ifindex)
    return head + attr(IFA_LOCAL, packed) + attr(IFA_ADDRESS, packed)


def address_query(family: int, ifindex: int) -> bytes:
    return IFADDR.pack(family, 0, 0, 0, ifindex)


def route(ifindex: int, what: Route) -> bytes:
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
    family = FAMILY[prefix.version]
    head = RTMSG.pack(family, prefix.length, 0, 0, table, RTPROT_BOOT, scope, RTN_UNICAST, 0)
    return head + attrs + attr_u32(RTA_OIF, ifindex) + more


def route_query(family: int, table: int, ifindex: int) -> bytes:
    attrs = attr_u32(RTA_OIF, ifindex) if ifindex else b""
    table, more = _table(table)
    return RTMSG.pack(family, 0, 0, 0, table, 0, 0, 0, 0) + attrs + more


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
