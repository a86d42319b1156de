"""What a container's VPP is to do for one attachment: addresses, routes, the tap's side of ordinary programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..words.domain import Route
from ..words.errors import BadConfig, IfnameExists
from ..words.inet import (
    BITS,
    Prefix,
    parse_address,
    parse_interface,
    parse_prefix,
    prefix_around,
    render_address,
)
from ..words.lease import Lease
from ..words.vpp import Tap, VppPart

MTU = 1500  # VPP's own is 9000, which no VF carries


def beside(lease: Lease) -> tuple[str, str] | None:
    """(an address of the lease for ordinary programs, VPP's own), the first with the shortest subnet that has both: in it the
    container sees nobody but VPP, which answers for it on the wire. None: the lease has no room.
    """
    subnet, (_, own) = parse_prefix(lease.subnet), parse_interface(lease.address)
    version, bits = subnet.version, BITS[subnet.version]
    taken = {own, subnet.value, subnet.last if version == 4 else subnet.value}
    if lease.gateway:
        taken.add(parse_address(lease.gateway)[1])
    for length in range(bits - 1, subnet.length - 1, -1):
        block = prefix_around(version, own, length)
        found = _within(block, own, taken, is_pair=length == bits - 1)
        if found is not None and subnet.length < bits - 1:
            return f"{render_address(version, found)}/{length}", render_address(version, own)
    return None


def _within(block: Prefix, own: int, taken: set[int], is_pair: bool) -> int | None:
    """Beyond a pair, the first and the last address of a subnet are nobody's for the kernel."""
    ends = set() if is_pair else {block.value, block.last}
    if own in ends:
        return None
    return next((one for one in range(block.value, block.last + 1) if one not in taken | ends), None)


def tap(wanted: dict[str, Any], ifname: str, leases: list[Lease], routes: list[Route], ids: set[int]) -> Tap:
    """`wanted`: `vpp.tap` of the conf. `ids`: of the container's other taps. BadConfig where the leases have no address for
    it.
    """
    found = {lease.subnet: beside(lease) for lease in leases}
    families = [parse_prefix(subnet).version for subnet in found]
    small = [subnet for subnet, pair in found.items() if pair is None]
    if small or not leases or len(set(families)) < len(families):
        raise no_room(", ".join(small) or "the leases")
    pairs = [pair for pair in found.values() if pair is not None]
    own = {4 if "." in gateway else 6: gateway for _, gateway in pairs}
    dsts = [*found, *(route.dst for route in routes if not _is_default(route.dst))]
    asked = wanted.get("defaultRoute")
    defaults = {_version(route.dst) for route in routes if _is_default(route.dst)} if asked is None else own
    return Tap(
        next(n for n in range(len(ids) + 1) if n not in ids),
        wanted.get("name", ifname),
        [address for address, _ in pairs],
        [gateway for _, gateway in pairs],
        [own[version] for version in own if version in defaults and asked is not False],
        [[dst, own[_version(dst)]] for dst in dict.fromkeys(dsts) if _version(dst) in own],
    )


def no_room(where: str) -> BadConfig:
    return BadConfig(
        f"use vpp.tap: there is no address for it in {where}",
        'ordinary programs get one of the lease: it needs "ipam": {"type": "host-subnet"} with one pool of a family'
        " and a prefixLength of at most 29, or 125 for IPv6",
    )


def routes_of(routes: list[Route], leases: list[Lease]) -> list[list[str]]:
    """For VPP, which has one table and no metrics here. What a lease's own address says already is left out."""
    for route in routes:
        if route.table:
            raise BadConfig(
                f"add route {route.dst} to VPP: it has no table {route.table}",
                "leave ipam.routes[].table out",
            )
    own = {lease.subnet for lease in leases}
    return [[route.dst, route.gw] for route in routes if route.dst not in own]


def refuse_clash(part: VppPart, others: Iterable[VppPart], where: str) -> None:
    """What two networks of a container cannot both say of its one VPP."""
    for other in others:
        if other.mounted != part.mounted:
            raise BadConfig(
                f"read vpp.mountedAt {part.mounted}: {where} has {other.mounted} for {part.directory}"
            )
        for key in part.options.keys() & other.options.keys():
            if part.options[key] != other.options[key]:
                raise BadConfig(
                    f"read vpp.{key} {part.options[key]}: {where} says {other.options[key]} of the same VPP"
                )
        if part.name == other.name:
            raise IfnameExists(
                f"add interface {part.name} to the VPP of {part.directory}: it has one of that name"
            )
        if part.tap is not None and other.tap is not None and part.tap.ifname == other.tap.ifname:
            raise IfnameExists(
                f"add tap {part.tap.ifname}: {where} has one of that name",
                "VPP would take it for a second queue of that one: give it another vpp.tap.name",
            )


def _version(dst: str) -> int:
    return 6 if ":" in dst else 4


def _is_default(dst: str) -> bool:
    return dst.endswith("/0")
