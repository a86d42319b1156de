"""Which subnets an interface gets, and the routes that follow. Pure: a View goes in, a Choice comes out.

Next-fit: the search begins behind the pool's last automatic lease, so a released subnet is not reused until the pool
wraps. The View answers in a time that does not grow with the number of leases (leases/index.py).
"""

from __future__ import annotations

from ..conf import routeconf
from ..conf.hostsubnet import IpamConf
from ..conf.pools import Pool, Wanted
from ..words.domain import HostUse, Route
from ..words.errors import BadConfig, OutsideBlocks, PoolExhausted, SubnetConflict
from ..words.inet import BITS, Prefix, parse_interface, parse_prefix, prefix_around, render_address
from ..words.lease import Choice, Lease, View

LINK = 253  # RT_SCOPE_LINK, linux/rtnetlink.h
Range = tuple[int, int]


def choose(conf: IpamConf, view: View, host_use: list[HostUse]) -> Choice:
    """One lease per pool: the requested one, else the pod's sticky one, else the next free one."""
    choice = Choice([], {})
    taken: list[Prefix] = []
    for number, (pool, wanted) in enumerate(zip(conf.pools, conf.wanted, strict=True)):
        used = host_use_that_counts(conf, pool, host_use)
        subnet, address = (
            _granted(wanted, view, used, taken) or _kept(pool, view, used, taken) or (None, None)
        )
        if subnet is None:
            subnet = _next_fit(pool, view, [use.prefix for use in used] + taken)
            if subnet is None:
                raise _exhausted(pool, number)
            choice.cursors[pool.key] = subnet.last
        elif wanted is not None and not is_ours(pool, subnet):
            raise _outside(pool, number, wanted)
        taken.append(subnet)
        choice.leases.append(_lease(conf.lease_dir.scope, pool, subnet, address))
    return choice


def host_use_that_counts(conf: IpamConf, pool: Pool, host_use: list[HostUse]) -> list[HostUse]:
    """What contains the whole pool (a summary route, the LAN the pool was cut from) does not speak against it, unless it is
    firm: then no lease of the pool can ever be had.
    """
    firm = [use for use in host_use if use.is_firm]
    for use in firm:
        if all(use.prefix.contains(prefix) for prefix in pool.prefixes):
            raise SubnetConflict(
                f"lease a /{pool.length} of {pool.prefixes[0]}: overlaps {use.what}", "use another pool"
            )
    if conf.allow_host_overlap:
        return firm
    return firm + [
        use
        for use in host_use
        if not use.is_firm
        and any(prefix.overlaps(use.prefix) and not use.prefix.contains(prefix) for prefix in pool.prefixes)
    ]


def _granted(
    wanted: Wanted | None, view: View, used: list[HostUse], taken: list[Prefix]
) -> tuple[Prefix, int | None] | None:
    if wanted is None:
        return None
    subnet = wanted.subnet
    for use in used:
        if use.prefix.overlaps(subnet):
            raise SubnetConflict(
                f"{wanted.asked}: {subnet} overlaps {use.what}", "ask for another, or set allowHostOverlap"
            )
    mine = any(lease.subnet == str(subnet) for lease in view.kept)
    twice = any(subnet.overlaps(other) for other in taken)
    if twice or (not mine and view.conflict(subnet)):
        raise SubnetConflict(
            f"{wanted.asked}: {subnet} is taken, or overlaps a subnet that is",
            "see `sriovctl leases`",
            "" if twice else str(subnet),
            wanted.asked,
        )
    return subnet, wanted.address


def _kept(
    pool: Pool, view: View, used: list[HostUse], taken: list[Prefix]
) -> tuple[Prefix, int | None] | None:
    """The sticky lease, if the configuration would still give it."""
    for lease in view.kept:
        subnet, address = parse_prefix(lease.subnet), parse_interface(lease.address)[1]
        if subnet.length != pool.length or not pool.holds(subnet) or not is_ours(pool, subnet):
            continue
        others = [use.prefix for use in used] + taken
        if (
            any(subnet.overlaps(other) for other in others)
            or _blocking(subnet.value, subnet.last, barred(pool, [])) >= 0
        ):
            continue
        first, last = pool.usable(subnet)
        return subnet, address if first <= address <= last and address != pool.gateway_of(subnet) else None
    return None


def _next_fit(pool: Pool, view: View, avoid: list[Prefix]) -> Prefix | None:
    never = barred(pool, avoid)
    for within, start in _search_order(of_this_node(pool), view.cursor(pool.key)):
        subnet = _first_fit(view, within, pool.length, start, never)
        if subnet:
            return subnet
    return None


def _exhausted(pool: Pool, number: int) -> PoolExhausted:
    names, where = ", ".join(str(prefix) for prefix in pool.prefixes), ""
    if pool.blocks is not None:
        count = len(pool.bounds or [])
        where = f" in this node's {count} block{'s' * (count != 1)} of cluster {pool.blocks.cluster}"
    return PoolExhausted(
        f"lease a /{pool.length} of {names}: no free subnet{where}",
        "see `sriovctl leases`, `sriovctl gc`",
        number,
    )


# shared pools --------------------------------------------------------------------------------------------------------


def of_this_node(pool: Pool) -> list[Prefix]:
    return pool.prefixes if pool.bounds is None else pool.bounds


def is_ours(pool: Pool, subnet: Prefix) -> bool:
    return pool.bounds is None or any(block.contains(subnet) for block in pool.bounds)


def _outside(pool: Pool, number: int, wanted: Wanted) -> OutsideBlocks:
    length = pool.blocks.length if pool.blocks is not None else pool.length
    block = prefix_around(pool.version, wanted.subnet.value, length)
    return OutsideBlocks(
        f"{wanted.asked}: {wanted.subnet} is in {block}, which is no block of this node",
        "ask for another",
        str(block),
        number,
    )


# search --------------------------------------------------------------------------------------------------------------


def _search_order(prefixes: list[Prefix], cursor: int | None) -> list[tuple[Prefix, int]]:
    """(prefix, where to begin in it): from the cursor to the end of the list, then round to where it began."""
    whole = [(prefix, prefix.value) for prefix in prefixes]
    for n, prefix in enumerate(prefixes):
        if cursor is not None and prefix.has(prefix.version, cursor):
            return [(prefix, cursor + 1), *whole[n + 1 :], *whole[: n + 1]]
    return whole


def _first_fit(view: View, within: Prefix, length: int, start: int, barred: list[Range]) -> Prefix | None:
    """One look-up per barred range at most: behind each, the search goes on."""
    size = 1 << (BITS[within.version] - length)
    while start <= within.last:
        value = view.first_free(within, length, start)
        if value is None:
            return None
        blocked_to = _blocking(value, value + size - 1, barred)
        if blocked_to < 0:
            return Prefix(within.version, value, length)
        start = blocked_to + 1
    return None


def barred(pool: Pool, avoid: list[Prefix]) -> list[Range]:
    """What the pool never leases, and what the host uses."""
    return pool.barred + [(prefix.value, prefix.last) for prefix in avoid if prefix.version == pool.version]


def _blocking(first: int, last: int, barred: list[Range]) -> int:
    """The highest address of the ranges that touch first-last, -1 if none does."""
    return max((high for low, high in barred if low <= last and first <= high), default=-1)


def _lease(scope: str, pool: Pool, subnet: Prefix, address: int | None) -> Lease:
    version, gateway = subnet.version, pool.gateway_of(subnet)
    if address is None:
        address = pool.address_of(subnet)
    return Lease(
        scope,
        str(subnet),
        f"{render_address(version, address)}/{subnet.length}",
        "" if gateway is None else render_address(version, gateway),
        str(pool.holds(subnet)),
    )


def check_main_plugin(conf: IpamConf, foreign: bool) -> None:
    """What a main plugin that is not ours cannot do is refused before anything is reserved."""
    if not foreign:
        return
    remedy = 'set "gateway": "none" in each pool, or use type sriov'
    if conf.onlink and any(pool.gateway != "none" for pool in conf.pools):
        raise BadConfig(
            "ipam.onlink true: under this main plugin the pool's route would go to the gateway, not to the link",
            remedy,
        )
    for n, route in enumerate(conf.routes):
        version = 6 if ":" in route.dst else 4
        has_gateway = any(pool.gateway != "none" and pool.version == version for pool in conf.pools)
        if has_gateway and route.scope is not None and route.scope >= LINK:
            raise BadConfig(
                f"ipam.routes[{n}].scope {route.scope}: under this main plugin the route would go to the gateway",
                remedy,
            )


def routes(conf: IpamConf, leases: list[Lease], foreign: bool = False) -> list[Route]:
    """The routes of a Result. A foreign main plugin knows no link scope and routes to the gateway by itself."""
    found = []
    for pool, lease in zip(conf.pools, leases, strict=True):
        onlink = pool.prefixes if conf.onlink else []
        found += [_link_route(str(prefix), lease) for prefix in onlink]
        hop = pool.next_hop
        if hop is not None and not foreign and not any(prefix.has(pool.version, hop) for prefix in onlink):
            found.append(_link_route(f"{lease.gateway}/{BITS[pool.version]}", lease))
    gateways = [lease.gateway for lease in leases if lease.gateway]
    for route in conf.routes:
        found.append(routeconf.complete(route, gateways))
    return found


def _link_route(dst: str, lease: Lease) -> Route:
    return Route(dst, src=lease.address.partition("/")[0], scope=LINK)
