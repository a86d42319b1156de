"""What of a netdev its user can change and a move to another netns keeps, as text: the link's own half of it. Pure.

kernel/ethtool.py and kernel/tunables.py have the other halves, Netlink.traits puts them together. The list is of what
is NOT a trait: an attribute that nobody has named yet counts as one, in hex. Numbers: linux/if_link.h, linux/if.h.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack
from sys import byteorder

from ..words.domain import Link
from . import rtnl
from .attributes import (
    NLA_F_NESTED,
    Attrs,
    attr,
    attr_u32,
    attrs_of,
    text_of,
    u32,
)

Traits = dict[str, str]

# what dev_change_flags takes from whoever rules the netns, but for UP and Link.modes
FLAGS = {
    "debug": 0x4,
    "notrailers": 0x20,
    "noarp": 0x80,
    "multicast": 0x1000,
    "portsel": 0x2000,
    "automedia": 0x4000,
    "dynamic": 0x8000,
}
_SIZES = {
    "gso_max_size": rtnl.IFLA_GSO_MAX_SIZE,
    "gso_max_segs": rtnl.IFLA_GSO_MAX_SEGS,
    "gro_max_size": rtnl.IFLA_GRO_MAX_SIZE,
    "gso_ipv4_max_size": rtnl.IFLA_GSO_IPV4_MAX_SIZE,
    "gro_ipv4_max_size": rtnl.IFLA_GRO_IPV4_MAX_SIZE,
}
# netif_set_gso_max_size and netif_set_gro_max_size set these along, and do_setlink takes them after those
_ALONG = {"gso_max_size": "gso_ipv4_max_size", "gro_max_size": "gro_ipv4_max_size"}
_BYTES = {rtnl.IFLA_LINKMODE, rtnl.IFLA_PROTO_DOWN}  # else numbers of 32 bits
_NUMBERS = {rtnl.IFLA_GROUP: "group", rtnl.IFLA_LINKMODE: "linkmode", rtnl.IFLA_PROTO_DOWN: "proto_down"}
_NUMBERS |= {kind: name for name, kind in _SIZES.items()}
_XDP_MODES = {"drv": (5, 4), "skb": (6, 2), "hw": (7, 8)}  # IFLA_XDP_*_PROG_ID, XDP_FLAGS_*_MODE
SETTABLE = frozenset({"flags", "ifalias", "broadcast", "xdp", "features", *_NUMBERS.values()})

# Link has them: ADDRESS, IFNAME, MTU, LINK, MASTER, TXQLEN, PROMISCUITY, PROP_LIST, ALT_IFNAME; ALLMULTI with its modes
_OF_LINK = {1, 3, 4, 5, 10, 13, 30, 52, 53, 61}
# STATS, OPERSTATE, STATS64, CARRIER, CARRIER_CHANGES, CARRIER_UP_COUNT, CARRIER_DOWN_COUNT
_OF_THE_MOMENT = {7, 16, 23, 33, 35, 47, 48}
# a move resets QDISC, PROTINFO, AF_SPEC; the rest tells of netns: NET_NS_PID, _FD, LINK_NETNSID, the new ones, NEW_IFINDEX
_OF_NETNS = {6, 12, 19, 26, 28, 37, 45, 46, 49}
# MAP, NUM_TX_QUEUES, NUM_RX_QUEUES, PHYS_*, MIN_MTU, MAX_MTU, PERM_ADDRESS, PARENT_DEV_*, TSO_MAX_*, DEVLINK_PORT, DPLL_PIN,
# MAX_PACING_OFFLOAD_HORIZON, NETNS_IMMUTABLE, HEADROOM, TAILROOM: the driver alone says them
_OF_DRIVER = {14, 31, 32, 34, 36, 38, 50, 51, 54, 56, 57, 59, 60, 62, 65, 66, 67, 68, 69}
# in messages about a PF or a change: NUM_VF, VFINFO_LIST, VF_PORTS, PORT_SELF, EXT_MASK, PAD, EVENT
_OF_OTHERS = {21, 22, 24, 25, 29, 42, 44}
_NO_TRAITS = frozenset({*_OF_LINK, *_OF_THE_MOMENT, *_OF_NETNS, *_OF_DRIVER, *_OF_OTHERS, *_NUMBERS})


def of_link(link: Link) -> Traits:
    """What its message tells; Malformed where that is no message about a link."""
    attrs = link.attrs
    found = {"flags": _words(link.flags), "ifalias": "", "xdp": ""}
    for kind, name in _NUMBERS.items():
        if kind in attrs:
            found[name] = str(int.from_bytes(attrs[kind], byteorder))
    for kind in attrs.keys() - _NO_TRAITS:
        found.update(_trait(kind, attrs[kind]))
    return found


def _words(flags: int) -> str:
    return " ".join([name for name, flag in FLAGS.items() if flags & flag])


def _trait(kind: int, payload: bytes) -> Traits:
    if kind == rtnl.IFLA_BROADCAST:
        return {"broadcast": payload.hex(":")}
    if kind == rtnl.IFLA_IFALIAS:  # any bytes, which a Record and a log line must survive
        return {"ifalias": payload.partition(b"\0")[0].decode("utf-8", "backslashreplace")}
    if kind == rtnl.IFLA_XDP:
        programs = _programs(payload).items()
        return {"xdp": " ".join(f"{mode} {program}" for mode, program in programs)}
    if kind == rtnl.IFLA_LINKINFO:  # without what is told of a port to its bond
        info = attrs_of(payload)
        data = info.get(rtnl.IFLA_INFO_DATA)
        return {f"{text_of(info.get(rtnl.IFLA_INFO_KIND, b''))} data": data.hex()} if data else {}
    return {f"attr {kind}": payload.hex()}


def _programs(payload: bytes) -> dict[str, int]:
    """The ID of the XDP program in each mode that has one."""
    told: Attrs = attrs_of(payload)
    ids = {mode: u32(told.get(kind)) for mode, (kind, _) in _XDP_MODES.items()}
    return {mode: program for mode, program in ids.items() if program}


def differing(was: Traits, now: Traits) -> list[str]:
    """Names of what differs. What only one side has was not asked for, or not to be seen, on the other: that is no
    difference, but for attributes of the link itself, which the kernel tells only where they are set.
    """
    both = {*was} & {*now}
    told = {name for name in {*was} ^ {*now} if name.startswith("attr ") or name.endswith(" data")}
    return sorted(name for name in both | told if was.get(name) != now.get(name))


def settable(link: Link, wanted: Traits, names: Iterable[str]) -> list[str]:
    """Those of `names` that a message can set, and that the link has otherwise than `wanted`; the features not."""
    now = of_link(link)
    return sorted(name for name in {*names} & {*now} & {*wanted} & SETTABLE if now[name] != wanted[name])


def changes(link: Link, wanted: Traits, names: Iterable[str]) -> list[bytes]:
    """The messages that make those `settable` names as `wanted`: one, and one more for each XDP program beyond the first.
    A program cannot be put back, only taken off. ValueError where a wanted text is none of ours.
    """
    names = [*names]
    names += [_ALONG[name] for name in names if _ALONG.get(name) in {*wanted} - {*names}]
    attrs = [_attribute(name, wanted[name]) for name in names if name not in {"flags", "xdp"}]
    change, flags = 0, 0
    if "flags" in names:
        change, flags = sum(FLAGS.values()), sum(FLAGS[word] for word in wanted["flags"].split())
    off = _xdp_off(link) if "xdp" in names and not wanted["xdp"] else []
    if not (attrs or change or off):
        return []
    first = rtnl.link_flags(link.ifindex, flags, change, b"".join(attrs + off[:1]))
    return [first, *(rtnl.link(link.ifindex, one) for one in off[1:])]


def _attribute(name: str, text: str) -> bytes:
    if name == "ifalias":
        return attr(
            rtnl.IFLA_IFALIAS, text.encode("utf-8", "replace")
        )  # without NUL: of no bytes it takes the alias off
    if name == "broadcast":
        return attr(rtnl.IFLA_BROADCAST, bytes.fromhex(text.replace(":", "")))
    kind = {named: number for number, named in _NUMBERS.items()}[name]
    return attr(kind, pack("=B", int(text))) if kind in _BYTES else attr_u32(kind, int(text))


def _xdp_off(link: Link) -> list[bytes]:
    """Each program by its mode: without, the kernel takes the driver's for meant (dev_xdp_mode)."""
    told = link.attrs.get(rtnl.IFLA_XDP, b"")
    return [
        attr(
            rtnl.IFLA_XDP | NLA_F_NESTED,
            attr(rtnl.IFLA_XDP_FD, pack("=i", -1)) + attr_u32(rtnl.IFLA_XDP_FLAGS, _XDP_MODES[mode][1]),
        )
        for mode in _programs(told)
    ]
