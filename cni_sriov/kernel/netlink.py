"""Verbs on links, VFs, addresses and routes, named after iproute2. One socket in one netns, for life.

A Netlink belongs to the netns it was opened in, wherever the process goes later: "in which namespace?" is answered by
the receiver. Every refusal is a KernelRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from errno import ENODEV, ENOENT
from typing import Any

from ..words.domain import Knob, Link, Route
from ..words.errors import KernelRefused
from ..words.inet import Prefix, parse_interface
from ..words.record import VfState
from . import replies, rtnl, tcx, traits, tunables
from .attributes import attr_u32
from .ethtool import Ethtool
from .links import NEW, Links, decoded
from .replies import Address, KernelRoute

_ROOM = 1 << 20  # bytes, for the answer of a PF: 256 VFs take more than 64 KiB
ZERO_MAC = "00:00:00:00:00:00"


class Netlink(Links):
    """All that rtnetlink is asked in one netns: its links (links.py), VFs by way of their PF, addresses and routes."""

    __slots__ = ()

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
        mask = attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_VF | rtnl.RTEXT_FILTER_SKIP_STATS)
        verb = f"look up the VFs of link {pf_ifindex}"
        body = self._socket.ask(verb, rtnl.RTM_GETLINK, rtnl.link(pf_ifindex, mask), _ROOM)
        return decoded(verb, lambda answer: replies.decode_vfs(answer, only), body)

    def whole_link(self, ifindex: int) -> bytes:
        """All that the kernel tells of a link, counters and VFs with theirs: the reply's body, for kernel/counters.py. No
        call of a runtime asks for it.
        """
        mask = attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_VF)
        return self._socket.ask(
            f"look up all of link {ifindex}", rtnl.RTM_GETLINK, rtnl.link(ifindex, mask), _ROOM
        )

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

    def set_vf(self, pf_ifindex: int, index: int, knob: Knob, *values: Any) -> None:
        """That knob by its verb below; `values` are what the verb takes."""
        verbs: dict[Knob, Callable[..., None]] = {
            "vlan": self.set_vf_vlan,
            "rate": self.set_vf_rate,
            "spoofchk": self.set_vf_spoofchk,
            "trust": self.set_vf_trust,
            "link_state": self.set_vf_link_state,
        }
        verbs[knob](pf_ifindex, index, *values)

    def _set_vf(self, pf_ifindex: int, index: int, what: str, knob: bytes) -> None:
        self._set(f"set vf {index} of link {pf_ifindex} {what}", rtnl.vf(pf_ifindex, knob))

    # -- what a user of a link can change -------------------------------------------------------------------------------

    def traits(self, link: Link, known: Collection[str] | None = None) -> dict[str, str]:
        """All that a user of that link can change and a move keeps, but for what Link has fields for; sorted. No request
        more: from the link as it was told, by ioctl, and from sysfs. What this kernel or driver has not, or sysfs does
        not show of another netns, is not among them (traits.differing compares). `known`: a baseline's; what the driver
        had no answer for then is not asked.

        KernelRefused: a look failed. ENODEV: it is gone, or its driver is resetting it.
        """
        found = decoded(f"read link {link.ifname}", traits.of_link, link)
        name = self._name_of(link)
        found |= Ethtool(self.raw, name).traits(known)
        here = tunables.read(link.parent_dev, name) if link.parent_dev else {}
        if here:  # in the netns of this process and its sysfs
            programs = tcx.programs(link.ifindex)
            here |= {} if programs is None else {"tcx": programs}
        found |= here
        return dict(sorted(found.items()))

    def set_traits(self, link: Link, wanted: dict[str, str], names: Iterable[str]) -> None:
        """Those of `names` that are in traits.SETTABLE, by one message, and the features. Where that is refused, each by
        itself; what was refused is raised at the end. Read it back: what still differs, no message can put right (an XDP
        program that is gone; one that a process holds by a link).
        """
        asked = {*names}
        refused = self._change_traits(link, wanted, traits.settable(link, wanted, asked))
        if "features" in asked & {*wanted}:
            try:
                Ethtool(self.raw, self._name_of(link)).set_features(wanted["features"])
            except KernelRefused as error:
                refused.append(error)
        if refused:
            raise refused[0]

    def _name_of(self, link: Link) -> str:
        """Whose name it was may have been renamed since, by udev or its user."""
        return self.ifname(link.ifindex) or link.ifname

    def _change_traits(self, link: Link, wanted: dict[str, str], names: list[str]) -> list[KernelRefused]:
        refused = []
        for body in traits.changes(link, wanted, names):
            try:
                self._set(f"set {', '.join(names)} of link {link.ifname}", body)
            except KernelRefused as error:
                if error.errno == ENODEV:
                    raise
                if len(names) > 1:
                    return [more for name in names for more in self._change_traits(link, wanted, [name])]
                refused.append(error)
        return refused

    # -- addresses and routes ---------------------------------------------------------------------------------------------

    def add_address(self, ifindex: int, address: str, flags: int = 0) -> None:
        """`flags`: rtnl.IFA_F_NODAD, or IFA_F_OPTIMISTIC where the sysctl allows it (EINVAL else). EEXIST if held."""
        verb = f"add address {address} to link {ifindex}"
        self._socket.tell(verb, rtnl.RTM_NEWADDR, rtnl.address(ifindex, address, flags), NEW)

    def del_address(self, ifindex: int, address: str) -> None:
        """EADDRNOTAVAIL if the link does not have it."""
        self._socket.tell(
            f"remove address {address} of link {ifindex}", rtnl.RTM_DELADDR, rtnl.address(ifindex, address)
        )

    def addresses(self, ifindex: int = 0) -> list[Address]:
        """Of one link, or of all. [] if the link is gone."""
        verb = "list addresses"
        found = []
        for family in (rtnl.AF_INET, rtnl.AF_INET6):
            query = rtnl.address_query(family, ifindex)
            found += [
                decoded(verb, replies.decode_address, b) for b in self._dump(verb, rtnl.RTM_GETADDR, query)
            ]
        return [address for address in found if ifindex in (0, address.ifindex)]

    def announce(self, ifindex: int, address: str) -> None:
        """Have the kernel ask the link for an IPv4 address of its own: that is a gratuitous ARP request, and the kernel
        repeats it twice, a second apart (mcast_solicit), so one of them goes out also where the carrier comes late.

        Its sender is the first address of that subnet (inet_select_addr), so only such a one can be announced.
        """
        verb = f"announce {address} on link {ifindex}"
        self._socket.tell(verb, rtnl.RTM_NEWNEIGH, rtnl.neighbour(ifindex, address), rtnl.NLM_F_CREATE)

    def add_route(self, ifindex: int, route: Route) -> None:
        """EEXIST if it stands."""
        verb = f"add route {route.dst}{' via ' + route.gw if route.gw else ''} on link {ifindex}"
        self._socket.tell(verb, rtnl.RTM_NEWROUTE, rtnl.route(ifindex, route), NEW)

    def routes(self, ifindex: int = 0, table: int = rtnl.RT_TABLE_MAIN) -> list[KernelRoute]:
        """Unicast routes of a table (0 = of all), of one link or of all. [] if link or table is not there."""
        verb = "list routes"
        found = []
        for family in (rtnl.AF_INET, rtnl.AF_INET6):
            query = rtnl.route_query(family, table, ifindex)
            found += [
                decoded(verb, replies.decode_route, b) for b in self._dump(verb, rtnl.RTM_GETROUTE, query)
            ]
        return [r for r in found if r and table in (0, r.table) and ifindex in (0, r.ifindex)]

    def host_use(self, addresses: list[Address]) -> list[tuple[Prefix, int, str]]:
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


def _is_link_local(text: str) -> bool:
    return text.lower().startswith(("fe80:", "ff"))
