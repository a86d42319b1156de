"""Addresses, routes and neighbours of links."""

from __future__ import annotations

from ..words.domain import Route
from . import replies, rtnl
from .replies import Address, KernelRoute
from .speaker import NEW, Speaker, decoded


class Addresses(Speaker):
    """What the links of one netns carry of IPv4 and IPv6."""

    __slots__ = ()

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
