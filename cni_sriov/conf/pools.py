"""A pool of host-subnet: what may be cut from it, what never, and what was asked of it. Pure: no file, no clock.

Every reason why a subnet or an address is never leased is here, so that the search (decide/subnets.py), a request and an
import (ctl/importer.py) cannot judge it differently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..words.errors import BadConfig
from ..words.inet import BITS, RESERVED, Prefix, prefix_around, render_address

Barred = tuple[int, int, str]
Address = tuple[int, int, int | None]  # version, value, and the length that came with it
Gateway = Literal["first", "last", "none", "address"]
GATEWAYS: dict[str, Gateway] = {
    "first": "first",
    "last": "last",
    "none": "none",
}  # what a configuration may say


@dataclass(slots=True, frozen=True)
class Blocks:
    """The pool is shared with other nodes: this one cuts only from blocks of `length` that it has of `cluster`."""

    cluster: str
    length: int


@dataclass(slots=True)
class Pool:
    """One entry of `pools`: it yields one lease of `/length`, cut from the first of `prefixes` that has room.

    `bounds` are this node's blocks of a shared pool, as ipam/shared.py sees them under the lock; None = it is not shared.

    `gateway` "address": `next_hop` is the gateway, on link and outside every lease.
    `exclude` holds (first, last) pairs; `never` has (first, last, what they are) of what no configuration can allow.
    """

    prefixes: list[Prefix]
    length: int
    gateway: Gateway = "first"
    next_hop: int | None = None
    exclude: list[tuple[int, int]] = field(default_factory=list)
    blocks: Blocks | None = None
    bounds: list[Prefix] | None = None
    never: list[Barred] = field(init=False)

    def __post_init__(self) -> None:
        self.never = self._never()

    def _never(self) -> list[Barred]:
        never = [
            (low, high, f"{what} ({Prefix(self.version, low, length)})")
            for low, high, length, what in RESERVED[self.version]
            if any(low <= prefix.last and prefix.value <= high for prefix in self.prefixes)
        ]
        for prefix in self.prefixes if self.length == BITS[self.version] else []:
            never += _ends_of_lan(prefix)
        if self.next_hop is not None:
            name = render_address(self.version, self.next_hop)
            never.append((self.next_hop, self.next_hop, f"the gateway {name}, which is never leased"))
        return never

    @property
    def version(self) -> int:
        return self.prefixes[0].version

    @property
    def key(self) -> str:
        """Names the next-fit cursor; a file name."""
        return f"{self.prefixes[0]}_{self.length}".replace("/", "_")

    @property
    def barred(self) -> list[tuple[int, int]]:
        return self.exclude + [(low, high) for low, high, _ in self.never]

    def usable(self, subnet: Prefix) -> tuple[int, int]:
        """First and last host address. RFC 3021 (/31) and RFC 6164 (/127): both ends are; v6 has no broadcast."""
        spare = BITS[subnet.version] - subnet.length
        if spare <= 1:
            return subnet.value, subnet.last
        return subnet.value + 1, subnet.last - (subnet.version == 4)

    def gateway_of(self, subnet: Prefix) -> int | None:
        first, last = self.usable(subnet)
        return {"first": first, "last": last, "none": None, "address": self.next_hop}[self.gateway]

    def address_of(self, subnet: Prefix) -> int:
        """The interface's address: the first usable one that is not the gateway's."""
        first, _ = self.usable(subnet)
        return first + 1 if first == self.gateway_of(subnet) else first

    def holds(self, subnet: Prefix) -> Prefix | None:
        """The prefix of this pool that the subnet can be cut from."""
        for prefix in self.prefixes:
            if prefix.contains(subnet):
                return prefix
        return None

    def around(self, version: int, value: int) -> Prefix | None:
        """The subnet of this pool that the address is in."""
        subnet = prefix_around(version, value, self.length) if version == self.version else None
        return subnet if subnet is not None and self.holds(subnet) else None

    def refusal(self, subnet: Prefix, value: int | None = None) -> str:
        """Why this subnet, or this address in it, is never leased, as the end of a sentence; "" = it may be."""
        first, last = self.usable(subnet)
        if value is not None and not first <= value <= last:
            return f"is the network or broadcast address of {subnet}"
        if value is not None and value == self.gateway_of(subnet):
            return f"is the gateway of {subnet}"
        inside = "" if value is None else f"is in {subnet}, which "
        for low, high, what in self.never:
            if low <= subnet.last and subnet.value <= high:
                return f"is {what}" if subnet.length == BITS[subnet.version] else f"{inside}holds {what}"
        if any(low <= subnet.last and subnet.value <= high for low, high in self.exclude):
            return f"{inside}is excluded by the pool's configuration"
        return ""

    def has_room(self) -> bool:
        """Whether anything can be leased at all, were nothing leased yet."""
        spare, barred = BITS[self.version] - self.length, sorted(self.barred)
        for prefix in self.prefixes:
            start = prefix.value
            for low, high in barred:
                if low >= start + (1 << spare):
                    break
                if high >= start:
                    start = ((high >> spare) + 1) << spare
            if start <= prefix.last:
                return True
        return False

    def takes_length(self, length: int | None, subnet: Prefix) -> bool:
        """The address decides. Its length may be left out, be the lease's, the pool's (its LAN's), or one address's;
        where the lease is one address, any: host-local takes every length and looks at none.
        """
        whole, within = BITS[self.version], self.holds(subnet)
        return self.length == whole or length in (None, self.length, whole, within and within.length)


def _ends_of_lan(prefix: Prefix) -> list[Barred]:
    """Leases of one address are hosts of a LAN, whose other hosts have the pool's length as their netmask.

    To them its lowest address is the network (IPv6: every router, RFC 4291 2.6.1), its highest IPv4 one the
    broadcast: no connection gets there. Not in a /31 or /127 (RFC 3021, RFC 6164).
    """
    if BITS[prefix.version] - prefix.length < 2:
        return []
    if prefix.version == 6:
        return [(prefix.value, prefix.value, f"the subnet-router anycast address of {prefix}")]
    what = f"the network or broadcast address of {prefix}"
    return [(prefix.value, prefix.value, what), (prefix.last, prefix.last, what)]


# requests ----------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Wanted:
    """What is requested of a pool; `address` None = of the subnet any. `asked`: by whom, "<source> <text>"."""

    subnet: Prefix
    address: int | None
    asked: str


def wanted(
    pools: list[Pool], subnets: list[tuple[str, Prefix]], addresses: list[tuple[str, Address]]
) -> list[Wanted | None]:
    """Of each pool. All of it together, as host-local has it: each is granted or the ADD fails, and the same one twice is
    once. BadConfig says who asked for what no pool can grant.

    containernetworking/plugins v1.9, plugins/ipam/host-local: LoadIPAMConfig in backend/allocator/config.go puts them
    into one list, cmdAdd in main.go makes a set of it and fails if one is left.
    """
    found: list[Wanted | None] = [None] * len(pools)
    for asked, subnet in subnets:
        answers = [_for_subnet(*both, asked, subnet) for both in zip(pools, found, strict=True)]
        number, granted = _first(pools, asked, answers)
        found[number] = granted
    for asked, address in addresses:
        answers = [_for_address(*both, asked, address) for both in zip(pools, found, strict=True)]
        number, granted = _first(pools, asked, answers)
        found[number] = granted
    return found


def _first(pools: list[Pool], asked: str, answers: list[Wanted | str]) -> tuple[int, Wanted]:
    """The first pool that grants it. The others say why they do not; "" = it is none of theirs."""
    for number, answer in enumerate(answers):
        if isinstance(answer, Wanted):
            return number, answer
    problem = next((answer for answer in answers if answer), "")
    names = "the pools are " + ", ".join(str(prefix) for pool in pools for prefix in pool.prefixes)
    raise BadConfig(f"{asked}: {problem or 'is outside every pool'}", "" if problem else names)


def _for_subnet(pool: Pool, before: Wanted | None, asked: str, subnet: Prefix) -> Wanted | str:
    if not pool.holds(subnet):
        return ""
    if before is not None and before.subnet == subnet:
        return before
    if before is not None or pool.length != subnet.length:
        other = "" if before is None else f", and {before.asked} wants another"
        return f"its pool gives one subnet of /{pool.length} per interface{other}"
    return pool.refusal(subnet) or Wanted(subnet, None, asked)


def _for_address(pool: Pool, before: Wanted | None, asked: str, address: Address) -> Wanted | str:
    version, value, length = address
    subnet = pool.around(version, value)
    if subnet is None:
        return ""
    again = before is not None and before.address == value
    if before is not None and not again and (before.address is not None or before.subnet != subnet):
        return f"its pool {pool.holds(subnet)} is asked twice, for another one by {before.asked}"
    if not pool.takes_length(length, subnet):
        return f"the pool {pool.holds(subnet)} gives subnets of /{pool.length}, none of /{length}"
    if before is not None and again:
        return before
    return pool.refusal(subnet, value) or Wanted(subnet, value, asked)
