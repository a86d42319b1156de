"""Which block of a shared pool a node claims, and what it makes of what its cluster's engine says. Pure: facts in, a choice
out. `draw(n)` is a random number below n.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from ..words.cluster import KEPT_NONCES, Definition, Holder, NodeRecord
from ..words.errors import BadConfig, PoolExhausted
from ..words.inet import BITS, Prefix, prefix_around
from .shared import enough_of

Draw = Callable[[int], int]
BLIND = (
    16  # draws before the engine is asked for a list: 12 ms of etcd for 1000 names, and a draw in vain 1 ms
)
_QUICK = 64  # draws that are given up where another has the block, before the free ones are counted
_LATER = 1 << 64
_WORST = 3  # nodes that are named where a pool is used up


# which block ----------------------------------------------------------------------------------------------------------


class Draws:
    """The blocks to try, each drawn evenly from those that nobody has as far as is known: where all nodes went the same way
    through a pool, each would meet all the others.
    """

    def __init__(
        self, pools: Collection[Prefix], length: int, own: Iterable[Prefix], draw: Draw, blind: int = BLIND
    ) -> None:
        self.pools = list(dict.fromkeys(pools))
        self.length = length
        self.number = sum(1 << length - pool.length for pool in self.pools)
        self._draw = draw
        self._blind = blind
        self._tried = 0
        self._known = set(own)  # and those that the engine refused
        self._taken: Collection[Prefix] = ()
        self._odd = [block for block in self._known if block.length != length]

    @property
    def wants_list(self) -> bool:
        """Whether to `hear` the engine's list before the `next`."""
        return self._tried == self._blind

    def hear(self, taken: Collection[Prefix]) -> None:
        """All that somebody has, of whatever length."""
        self._tried += 1
        self._taken = taken
        self._odd += [block for block in taken if block.length != self.length]

    def refused(self, block: Prefix) -> None:
        """Another node was quicker."""
        self._known.add(block)

    def next(self) -> Prefix | None:
        """None: none is free."""
        if not self.wants_list:
            self._tried += 1
        for _ in range(_QUICK):
            block = self._block(self._draw(self.number))
            if not self._is_known(block):
                return block
        return self._counted()

    def _is_known(self, block: Prefix) -> bool:
        if block in self._known or block in self._taken:
            return True
        return any(block.overlaps(other) for other in self._odd)

    def _block(self, number: int) -> Prefix:
        for pool in self.pools:
            count = 1 << self.length - pool.length
            if number < count:
                return Prefix(
                    pool.version, pool.value + (number << BITS[pool.version] - self.length), self.length
                )
            number -= count
        raise IndexError(number)

    def _counted(self) -> Prefix | None:
        """By all gaps between what is taken, so that the last free one is found as well."""
        gaps = list(self._gaps())
        free = sum(last - first for first, last in gaps)
        if not free:
            return None
        number = self._draw(free)
        for first, last in gaps:
            if number < last - first:
                return self._block(first + number)
            number -= last - first
        raise IndexError(number)

    def _gaps(self) -> Iterator[tuple[int, int]]:
        """(first, one behind the last) by number, in order."""
        begin = 0
        for first, last in sorted(self._spans()):
            if first > begin:
                yield begin, first
            begin = max(begin, last)
        if begin < self.number:
            yield begin, self.number

    def _spans(self) -> Iterator[tuple[int, int]]:
        """The numbers of what is taken."""
        before = 0
        for pool in self.pools:
            shift = BITS[pool.version] - self.length
            for block in (*self._known, *self._taken):
                if pool.overlaps(block):
                    first, last = max(block.value, pool.value), min(block.last, pool.last)
                    yield (
                        before + (first - pool.value >> shift),
                        before + (last - pool.value >> shift) + 1,
                    )
            before += 1 << self.length - pool.length


def exhausted(
    pools: Collection[Prefix],
    length: int,
    number: int,
    holders: dict[Prefix, Holder],
    exclude: Collection[Prefix] = (),
) -> PoolExhausted:
    """`holders`: as far as they are known. `exclude`: blocks, or several as one, from which this node cannot cut."""
    names = ", ".join(map(str, pools))
    blocks = f"all {number} blocks of /{length} are" if number > 1 else f"its one block of /{length} is"
    excluded = sum(1 << length - part.length for part in exclude)
    if excluded:
        blocks = f"of {number} blocks of /{length} {excluded} are excluded or used by this host, and the others are"
    inside = [one for block, one in holders.items() if any(pool.overlaps(block) for pool in pools)]
    most = Counter(one.node for one in inside if one.node).most_common(_WORST)
    told = ", ".join(f"node {node} has {count}" for node, count in most)
    return PoolExhausted(
        f"claim a block of {names}: {blocks} taken",
        "; ".join(
            filter(
                None,
                [
                    told,
                    "`sriovctl pool` has all; `sriovctl pool drain NODE`, or a larger pool",
                ],
            )
        ),
    )


# what a pool is -------------------------------------------------------------------------------------------------------


def agreed(cluster: str, known: list[Definition], ours: list[Definition]) -> list[Definition] | None:
    """All that are to stand in the engine, None if they do. BadConfig (7) where another node has a pool of ours in another
    way, or one that overlaps it.
    """
    new: list[Definition] = []
    for one in ours:
        for other in (*known, *new):
            if one.subnet != other.subnet and one.subnet.overlaps(other.subnet):
                raise BadConfig(
                    f"share pool {one.subnet} of node {one.node}: it overlaps pool {other.subnet} of node"
                    f" {other.node} in cluster {cluster}",
                    "pools of one cluster are the same or apart: give both nodes the same ipam.pools[].subnet;"
                    f" {_if_wrong(cluster, other, known)}",
                )
            if one.subnet == other.subnet and one.length != other.length:
                raise BadConfig(
                    f"share pool {one.subnet} of node {one.node} in blocks of /{one.length}: node {other.node} has"
                    f" blocks of /{other.length} in cluster {cluster}",
                    f"give both nodes the same blocks.length: {other.length} is what the cluster has;"
                    f" {_if_wrong(cluster, other, known)}",
                )
        if all(one.subnet != other.subnet for other in (*known, *new)):
            new.append(one)
    return [*known, *new] if new else None


def _if_wrong(cluster: str, other: Definition, known: list[Definition]) -> str:
    """Of two that are this node's own, none is in the engine."""
    if other not in known:
        return "both are this node's"
    return f"if that one is wrong, and no node has a block of it: `sriovctl pool undefine --cluster {cluster} {other.subnet}`"


def check_cut(cluster: str, new: list[Definition], holders: dict[Prefix, Holder]) -> None:
    """BadConfig (7) where a pool that nobody has defined yet, or of which that was lost, is cut into other blocks already."""
    for one in new:
        for block, holder in holders.items():
            if one.subnet.overlaps(block) and block.length != one.length:
                whose = f"node {holder.node}" if holder.node else "somebody whose name cannot be read"
                raise BadConfig(
                    f"share pool {one.subnet} of node {one.node} in blocks of /{one.length}: {whose} has block {block} of"
                    f" it in cluster {cluster}",
                    f"give both nodes the same blocks.length: {block.length} is what the cluster has",
                )


# who we are to the cluster --------------------------------------------------------------------------------------------

# new: never seen; gone: seen, and not there any more; same; older: one that we have overwritten; the last three are another's
Standing = Literal["new", "gone", "same", "older", "renamed", "moved", "copied"]


def standing(record: NodeRecord | None, node: str, machine: str, nonces: list[str], pending: str) -> Standing:
    """What our own record says, which whoever has our token may have written. `nonces`: what we wrote or meant to, the
    latest last; `pending`: the one of which nobody knows whether it was.

    An engine that was restored has an older one of ours: it is in `nonces`, or its number is lower than those that are kept.
    A copy of this machine goes on from where it was copied, with nonces of its own: whoever of the two comes second finds
    one that it has never seen.
    """
    if record is None:
        return "gone" if nonces else "new"
    if record.machine and machine and record.machine != machine:
        return "moved"
    if record.node != node:
        return "renamed"
    if record.nonce and record.nonce in {pending, *nonces[-1:]}:
        return "same"
    is_old = len(nonces) >= KEPT_NONCES and _number_of(record.nonce) < _number_of(nonces[0])
    return "older" if is_old or record.nonce in nonces else "copied"


def next_nonce(nonces: list[str], pending: str, draw: Draw) -> str:
    """A number that rises, and a random one, in hex."""
    number = max((_number_of(nonce) for nonce in (*nonces, pending) if nonce), default=0) + 1
    return f"{number:016x}{draw(1 << 64):016x}"


def remembered(nonces: list[str], nonce: str) -> list[str]:
    """With it as the latest."""
    return [*(one for one in nonces if one not in {"", nonce}), nonce][-KEPT_NONCES:] if nonce else nonces


def _number_of(nonce: str) -> int:
    """What is none of ours counts as later than all: its writer is unknown."""
    try:
        return int(nonce[:16], 16) if len(nonce) == 32 else _LATER
    except ValueError:
        return _LATER


# our blocks -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Compared:
    """Where this node and the engine differ. `missing`: ours, and nobody's there; `lost`: another's there; `found`: lost once,
    and ours there; `free`: lost once, and nobody's there.
    """

    missing: list[Prefix] = field(default_factory=list)
    lost: dict[Prefix, Holder] = field(default_factory=dict)
    found: list[Prefix] = field(default_factory=list)
    free: list[Prefix] = field(default_factory=list)


def compare(
    ours: Iterable[Prefix], lost: Iterable[Prefix], holders: dict[Prefix, Holder], fingerprint: str
) -> Compared:
    differ = Compared()
    for block in ours:
        holder = holders.get(block)
        if holder is None:
            differ.missing.append(block)
        elif holder.fingerprint != fingerprint:
            differ.lost[block] = holder
    for block in lost:
        holder = holders.get(block)
        if holder is None:
            differ.free.append(block)
        elif holder.fingerprint == fingerprint:
            differ.found.append(block)
    return differ


def overlapped(
    ours: Iterable[Prefix], holders: dict[Prefix, Holder], fingerprint: str
) -> dict[Prefix, Holder]:
    """Those of ours that another's block of another length overlaps, and whose that is."""
    others = {block: holder for block, holder in holders.items() if holder.fingerprint != fingerprint}
    found: dict[Prefix, Holder] = {}
    for block in ours:
        rival = next((other for other in others if other != block and other.overlaps(block)), None)
        if rival is not None:
            found[block] = others[rival]
    return found


def empty(blocks: Iterable[Prefix], leased: Iterable[Prefix]) -> list[Prefix]:
    """Those in which nothing is leased, and which lie in no lease."""
    left = set(blocks)
    lengths = {(block.version, block.length) for block in left}
    for lease in leased:
        for version, length in lengths:
            if version != lease.version:
                continue
            if length <= lease.length:
                left.discard(prefix_around(version, lease.value, length))
            else:
                left = {block for block in left if not lease.contains(block)}
    return sorted(left, key=by_address)


def covered(blocks: Iterable[Prefix], length: int, leased: Iterable[Prefix]) -> int:
    """How many subnets of that length in these blocks cannot be leased. All are of one IP version."""
    spans, there = [], list(blocks)
    for lease in leased:
        for block in there:
            if block.overlaps(lease):
                shift = BITS[block.version] - length
                first, last = max(block.value, lease.value), min(block.last, lease.last)
                spans.append((first >> shift, (last >> shift) + 1))
    count = begin = 0
    for first, last in sorted(spans):
        count += max(last - max(first, begin), 0)
        begin = max(begin, last)
    return count


def capacity(blocks: Iterable[Prefix], length: int) -> int:
    return sum(1 << max(length - block.length, 0) for block in blocks)


def is_low(blocks: Collection[Prefix], block_length: int, length: int, used: int) -> bool:
    """Whether so little is left that another one is claimed."""
    return capacity(blocks, length) - used < enough_of(1 << length - block_length)


def by_address(block: Prefix) -> tuple[int, int, int]:
    return block.version, block.value, block.length


# whom an operator means -----------------------------------------------------------------------------------------------


def meant(records: list[NodeRecord], word: str) -> list[NodeRecord]:
    """By name, or by the beginning of the fingerprint, eight digits at least."""
    named = [one for one in records if one.node == word]
    return named or [one for one in records if len(word) >= 8 and one.fingerprint.startswith(word)]
