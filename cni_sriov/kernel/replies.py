"""What rtnetlink answers, as nouns. Pure; whatever the bytes are, decoding raises nothing but Malformed.

The numbers are kernel/rtnl.py's. A decoder is given the body of one message, without its header.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..words.domain import Link, Route
from ..words.inet import BITS, render_address, unpack_address
from ..words.record import VfState
from . import rtnl
from .attributes import Attrs, Malformed, attrs_of, find, head, s32, text_of, u32, walk

_ATTR_HEADER = 4  # struct nlattr
_UNREPORTED = 0xFFFFFFFF  # rtnl_fill_vfinfo presets -1: the driver did not fill it in
_ZERO_MAC = bytes(6)


@dataclass(slots=True)
class Address:
    """An address of a netdev: `address` is "10.10.1.2/24", `flags` are IFA_F_*, `scope` is RT_SCOPE_*."""

    address: str
    ifindex: int
    flags: int = 0
    scope: int = 0

    @property
    def is_global(self) -> bool:
        return self.scope < rtnl.RT_SCOPE_LINK

    @property
    def is_lasting(self) -> bool:
        """Somebody of the host gave it. An IPv6 address with a lifetime any router's advertisement can give (RFC 4862); an
        IPv4 address with one is of a DHCP client, which the host runs.
        """
        return "." in self.address or bool(self.flags & rtnl.IFA_F_PERMANENT)

    @property
    def is_tentative(self) -> bool:
        """DAD has not ended; optimistic addresses are both."""
        return bool(self.flags & rtnl.IFA_F_TENTATIVE)

    @property
    def is_dadfailed(self) -> bool:
        return bool(self.flags & rtnl.IFA_F_DADFAILED)


@dataclass(slots=True)
class KernelRoute:
    """A unicast route as it stands in a table. `ifindex` 0 = multipath."""

    route: Route
    ifindex: int
    table: int = 0


def decode_link(body: bytes) -> Link:
    _, _, ifindex, flags, _ = head(rtnl.IFINFO, body)
    attrs = attrs_of(body, rtnl.IFINFO.size)
    info = attrs_of(attrs.get(rtnl.IFLA_LINKINFO, b""))
    names = [
        text_of(attrs[rtnl.IFLA_PROP_LIST][a:b]) for _, a, b in walk(attrs.get(rtnl.IFLA_PROP_LIST, b""))
    ]
    return Link(
        ifindex,
        text_of(attrs.get(rtnl.IFLA_IFNAME, b"")),
        flags=flags,
        mac=render_mac(attrs.get(rtnl.IFLA_ADDRESS, b"")),
        mtu=u32(attrs.get(rtnl.IFLA_MTU)),
        min_mtu=u32(attrs.get(rtnl.IFLA_MIN_MTU)),
        max_mtu=u32(attrs.get(rtnl.IFLA_MAX_MTU)),
        altnames=names,
        parent_dev=text_of(attrs.get(rtnl.IFLA_PARENT_DEV_NAME, b"")),
        master=u32(attrs.get(rtnl.IFLA_MASTER)),
        kind=text_of(info.get(rtnl.IFLA_INFO_KIND, b"")),
        carrier=bool(flags & rtnl.IFF_LOWER_UP),
        txqueuelen=u32(attrs.get(rtnl.IFLA_TXQLEN)),
        promiscuity=u32(attrs.get(rtnl.IFLA_PROMISCUITY)),
        lower=u32(attrs.get(rtnl.IFLA_LINK)),
        lower_netns=s32(attrs.get(rtnl.IFLA_LINK_NETNSID)),
        attrs=attrs,
    )


def decode_vfs(body: bytes, only: int | None = None) -> dict[int, VfState]:
    """The admin view of every VF, or of `only` one, in a reply to RTM_GETLINK of the PF.

    The list's 16-bit length wraps on PFs with very many VFs, so it is not believed: as many entries are read as
    IFLA_NUM_VF promises (it comes before the list), up to the first that makes no sense.
    """
    head(rtnl.IFINFO, body)
    states: dict[int, VfState] = {}
    number = find(body, rtnl.IFINFO.size, rtnl.IFLA_NUM_VF)
    start = find(body, number + 4, rtnl.IFLA_VFINFO_LIST) if number >= 0 else -1
    if start >= 0:
        try:
            _read_vf_list(body, start, u32(body[number : number + 4]), states, only)
        except Malformed:
            pass  # the rest of a truncated list; what was read so far is good
    return states


def _read_vf_list(
    body: bytes, start: int, promised: int, states: dict[int, VfState], only: int | None
) -> None:
    for number, (kind, a, b) in enumerate(walk(body, start)):
        if kind != rtnl.IFLA_VF_INFO or number == promised:
            return
        if only is not None and u32(body[a + _ATTR_HEADER : b]) != only:
            continue  # the MAC comes first, and begins with the index; to decode 256 costs more than to get them
        attrs = attrs_of(body[a:b])
        if rtnl.IFLA_VF_MAC not in attrs:
            return
        index, mac = head(rtnl.VF_MAC, attrs[rtnl.IFLA_VF_MAC])
        states[index] = _decode_vf(mac[:6], attrs)


def _decode_vf(mac: bytes, attrs: Attrs) -> VfState:
    state = VfState(mac="" if mac == _ZERO_MAC else render_mac(mac))
    if rtnl.IFLA_VF_VLAN in attrs:
        _, state.vlan, state.vlan_qos = head(rtnl.VF_VLAN, attrs[rtnl.IFLA_VF_VLAN])
    for _, a, b in walk(attrs.get(rtnl.IFLA_VF_VLAN_LIST, b"")):
        _, state.vlan, state.vlan_qos, proto = head(rtnl.VF_VLAN_INFO, attrs[rtnl.IFLA_VF_VLAN_LIST][a:b])
        state.vlan_proto = "802.1ad" if proto == b"\x88\xa8" else "802.1q"
        break  # the kernel knows one entry only (MAX_VLAN_LIST_LEN)
    if rtnl.IFLA_VF_RATE in attrs:
        _, state.min_tx_rate, state.max_tx_rate = head(rtnl.VF_RATE, attrs[rtnl.IFLA_VF_RATE])
    spoofchk, trust = _setting(attrs, rtnl.IFLA_VF_SPOOFCHK), _setting(attrs, rtnl.IFLA_VF_TRUST)
    state.spoofchk = None if spoofchk is None else bool(spoofchk)
    state.trust = None if trust is None else bool(trust)
    link_state = _setting(attrs, rtnl.IFLA_VF_LINK_STATE)
    if link_state is not None and link_state < len(rtnl.LINK_STATES):
        state.link_state = rtnl.LINK_STATES[link_state]
    return state


def _setting(attrs: Attrs, kind: int) -> int | None:
    if kind not in attrs:
        return None
    value: int = head(rtnl.VF_SETTING, attrs[kind])[1]
    return None if value == _UNREPORTED else value


def decode_netns_id(body: bytes) -> int:
    return s32(attrs_of(body, 4).get(rtnl.NETNSA_NSID))


def decode_address(body: bytes) -> Address:
    family, length, flags, scope, ifindex = head(rtnl.IFADDR, body)
    attrs = attrs_of(body, rtnl.IFADDR.size)
    packed = attrs.get(rtnl.IFA_LOCAL, attrs.get(rtnl.IFA_ADDRESS, b""))
    if rtnl.IFA_FLAGS in attrs:
        flags = u32(attrs[rtnl.IFA_FLAGS])
    return Address(f"{_ip(family, packed)}/{length}", ifindex, flags, scope)


def decode_route(body: bytes) -> KernelRoute | None:
    """None for what is no unicast route: blackholes, broadcast, multicast, local. The table is KernelRoute's alone."""
    family, length, _, _, table, _, scope, kind, _ = head(rtnl.RTMSG, body)
    if kind != rtnl.RTN_UNICAST:
        return None
    attrs = attrs_of(body, rtnl.RTMSG.size)
    any_address = bytes(4 if family == rtnl.AF_INET else 16)
    gw, src = attrs.get(rtnl.RTA_GATEWAY), attrs.get(rtnl.RTA_PREFSRC)
    metrics = attrs_of(attrs[rtnl.RTA_METRICS]) if rtnl.RTA_METRICS in attrs else {}
    what = Route(
        f"{_ip(family, attrs.get(rtnl.RTA_DST, any_address))}/{length}",
        gw=_ip(family, gw) if gw else _via(attrs),
        src=_ip(family, src) if src else "",
        scope=scope,
        priority=u32(attrs.get(rtnl.RTA_PRIORITY)),
        mtu=u32(metrics.get(rtnl.RTAX_MTU)),
        advmss=u32(metrics.get(rtnl.RTAX_ADVMSS)),
    )
    table = u32(attrs.get(rtnl.RTA_TABLE)) or table
    return KernelRoute(what, u32(attrs.get(rtnl.RTA_OIF)), table)


def _via(attrs: Attrs) -> str:
    """The gateway of another family (rtnl.RTA_VIA: family, address), "" if there is none."""
    via = attrs.get(rtnl.RTA_VIA, b"")
    return _ip(int.from_bytes(via[:2], "little"), via[2:]) if via else ""


def _ip(family: int, packed: bytes) -> str:
    version = 6 if family == rtnl.AF_INET6 else 4
    if len(packed) * 8 != BITS[version]:
        raise Malformed(f"address of {len(packed)} bytes in family {family}")
    return render_address(*unpack_address(packed))


def render_mac(packed: bytes) -> str:
    return packed.hex(":")
