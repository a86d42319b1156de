"""The fake's netlink, its addresses and routes."""

from __future__ import annotations

from errno import EACCES, EADDRNOTAVAIL, EEXIST, EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH

from cni_sriov.kernel.replies import Address, KernelRoute
from cni_sriov.kernel.rtnl import RT_SCOPE_LINK, RT_TABLE_MAIN
from cni_sriov.words.domain import Route
from cni_sriov.words.inet import Prefix, parse_address, parse_interface

from .card import FakeLink
from .effects import Refused, hooked
from .vfs import FakeVfs

IFA_F_PERMANENT = 0x80  # linux/if_addr.h


@hooked
class FakeAddresses(FakeVfs):
    __slots__ = ()

    def addresses(self, ifindex: int = 0) -> list[Address]:
        return [
            Address(a.address, i, a.flags, a.scope)
            for i, link in self.namespace.links.items()
            for a in link.addresses
            if ifindex in (0, i)
        ]

    def routes(self, ifindex: int = 0, table: int = RT_TABLE_MAIN) -> list[KernelRoute]:
        found = []
        for i, link in self.namespace.links.items():
            if ifindex in (0, i):
                found += _connected(i, link) + [_at(i, route) for route in link.routes]
        return [held for held in found if table in (0, held.table or RT_TABLE_MAIN)]

    def add_address(self, ifindex: int, address: str, flags: int = 0) -> None:
        def act(link: FakeLink) -> None:
            disabled = ("net", "ipv6", "conf", link.name, "disable_ipv6")
            if ":" in address and self.namespace.sysctls.get(disabled) == "1":
                raise Refused(EACCES, "ipv6: IPv6 is disabled on this device")
            if any(_same_address(a.address, address) for a in link.addresses):
                raise Refused(EEXIST)
            link.addresses.append(Address(address, 0, flags | IFA_F_PERMANENT))

        self._change(f"add address {address} to link {ifindex}", ifindex, act)

    def del_address(self, ifindex: int, address: str) -> None:
        def act(link: FakeLink) -> None:
            kept = [a for a in link.addresses if not _same_address(a.address, address)]
            if len(kept) == len(link.addresses):
                raise Refused(EADDRNOTAVAIL)
            link.addresses = kept
            link.routes = [r for r in link.routes if r.route.src != address.partition("/")[0]]

        self._change(f"remove address {address} of link {ifindex}", ifindex, act)

    def announce(self, ifindex: int, address: str) -> None:
        """The sender is the first address whose subnet has it; what that is not is no announcement."""

        def act(link: FakeLink) -> None:
            value = parse_address(address)
            subnets = [a.address for a in link.addresses if ":" not in a.address]
            sender = next((held for held in subnets if parse_interface(held)[0].has(*value)), "")
            if link.is_up and sender.partition("/")[0] == address:
                link.announced.append(address)

        self._change(f"announce {address} on link {ifindex}", ifindex, act)

    def add_route(self, ifindex: int, route: Route) -> None:
        def act(link: FakeLink) -> None:
            self._judge_route(link, route)
            table = route.table or RT_TABLE_MAIN
            link.routes.append(KernelRoute(_as_stored(route), 0, table))

        via = f" via {route.gw}" if route.gw else ""
        self._change(f"add route {route.dst}{via} on link {ifindex}", ifindex, act)

    def _judge_route(self, link: FakeLink, route: Route) -> None:
        if not link.is_up:
            raise Refused(ENETDOWN)
        held = {str(parse_interface(a.address)[0]) for a in link.addresses}
        if route.gw and not any(_covers(prefix, route.gw) for prefix in held):
            raise Refused(EHOSTUNREACH if ":" in route.gw else ENETUNREACH)
        if route.src and not any(a.address.partition("/")[0] == route.src for a in link.addresses):
            raise Refused(EINVAL)
        if route.gw and ":" not in route.gw and (route.scope or 0) >= RT_SCOPE_LINK:
            raise Refused(EINVAL, "Nexthop has invalid gateway")
        wanted = _as_stored(route)
        table = self.routes(table=route.table or RT_TABLE_MAIN)
        if any(r.route.dst == wanted.dst and r.route.priority == wanted.priority for r in table):
            raise Refused(EEXIST)


def _connected(ifindex: int, link: FakeLink) -> list[KernelRoute]:
    """The kernel's own: one per address with a prefix, while the link is UP."""
    found = []
    for held in link.addresses if link.is_up else []:
        prefix, _ = parse_interface(held.address)
        if prefix.length == (32 if prefix.version == 4 else 128):
            continue
        v4 = prefix.version == 4
        src = held.address.partition("/")[0] if v4 else ""
        route = Route(str(prefix), src=src, scope=RT_SCOPE_LINK if v4 else 0, priority=0 if v4 else 256)
        found.append(KernelRoute(route, ifindex, RT_TABLE_MAIN))
    return found


def _at(ifindex: int, held: KernelRoute) -> KernelRoute:
    return KernelRoute(held.route, ifindex, held.table)


def _as_stored(route: Route) -> Route:
    v6 = ":" in route.dst
    scope = route.scope if route.scope is not None else 0 if route.gw else RT_SCOPE_LINK
    priority = route.priority or (1024 if v6 else 0)
    mtu, advmss = min(route.mtu, 65520), min(route.advmss, 65495)
    return Route(route.dst, route.gw, route.src, 0 if v6 else scope, priority, mtu=mtu, advmss=advmss)


def _covers(prefix: str, address: str) -> bool:
    network: Prefix = parse_interface(prefix)[0]
    return network.has(*parse_address(address))


def _same_address(left: str, right: str) -> bool:
    return parse_interface(left) == parse_interface(right)
