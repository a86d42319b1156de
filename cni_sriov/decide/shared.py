"""How much is left of a shared pool on this node, and when to look. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..conf.pools import Pool
from ..words.domain import HostUse
from ..words.inet import BITS, Prefix
from ..words.lease import View
from . import subnets
from .subnets import Range


def is_low(pool: Pool, view: View, used: list[HostUse]) -> bool:
    """Whether less than a quarter of a block is left of a shared pool on this node; what is never leased is not left."""
    enough = enough_of(capacity_of(pool))
    never, left = subnets.barred(pool, [use.prefix for use in used]), 0
    for block in subnets.of_this_node(pool):
        for part in _without(block, never, pool.length):
            left += view.count_free(part, pool.length, enough - left)
            if left >= enough:
                return False
    return True


def enough_of(capacity: int) -> int:
    """How many leases have to be left, or another block is claimed: a quarter of one."""
    return -(-capacity // 4)


def barren(pool: Pool, used: list[HostUse]) -> list[Prefix]:
    """The parts of a shared pool, each a block or several, from which nothing can be cut even where nothing is leased."""
    never = _in_leases(subnets.barred(pool, [use.prefix for use in used]), BITS[pool.version] - pool.length)
    length = pool.blocks.length if pool.blocks is not None else pool.length
    return [part for prefix in pool.prefixes for part in _within(prefix, never, length)]


def _in_leases(never: list[Range], spare: int) -> list[Range]:
    """Each with all of the leases that it touches, and those that meet as one."""
    found: list[Range] = []
    for low, high in sorted((low >> spare << spare, (high >> spare) + 1 << spare) for low, high in never):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], high)
        else:
            found.append((low, high))
    return [(low, behind - 1) for low, behind in found]


def _within(part: Prefix, never: list[Range], length: int) -> Iterator[Prefix]:
    """The parts of it that lie in one of the ranges, no longer than `length`."""
    touching = [(low, high) for low, high in never if low <= part.last and part.value <= high]
    if any(low <= part.value and part.last <= high for low, high in touching):
        yield part
    elif touching and part.length < length:
        for half in _halves(part):
            yield from _within(half, touching, length)


def is_milestone(pool: Pool, subnet: Prefix) -> bool:
    """Whether to look at what is left, now that this one is gone: 16 times while a block fills up."""
    capacity = capacity_of(pool)
    return capacity < 16 or (subnet.value >> BITS[subnet.version] - subnet.length) % (capacity // 16) == 0


def capacity_of(pool: Pool) -> int:
    """How many leases are in a block of a shared pool."""
    return 1 << pool.length - pool.blocks.length if pool.blocks is not None else 0


def _without(within: Prefix, never: list[Range], length: int) -> Iterator[Prefix]:
    """The parts of it that none of the ranges touches, no longer than `length`."""
    touching = [(low, high) for low, high in never if low <= within.last and within.value <= high]
    if not touching:
        yield within
    elif within.length < length and not any(
        low <= within.value and within.last <= high for low, high in touching
    ):
        for half in _halves(within):
            yield from _without(half, touching, length)


def _halves(part: Prefix) -> list[Prefix]:
    size = 1 << BITS[part.version] - part.length - 1
    return [Prefix(part.version, value, part.length + 1) for value in (part.value, part.value + size)]
