"""Which addresses of a scope are leased, as a radix tree in a file: overlap both ways and next-fit in O(depth).

A node covers one byte of the address: for each of its 256 slots `best` holds the length of the largest wholly free
subnet in the slot (FULL = none), then a child's number, or 0 where the slot is all free or all leased. So the search
for a free subnet never enters a slot in vain, however full or fragmented the pool is. Nodes are 1 KiB and aligned,
so a write never crosses a page: SIGKILL cannot tear it.

Derived data: the truth is the lease files. `mark` is idempotent and repairs its own path, so after a crash it is
enough to mark again what was in the making; any other damage is DamagedIndex and the caller builds anew.
"""

from __future__ import annotations

import os
from _struct import Struct
from collections.abc import Iterable

from ..words.inet import BITS, Prefix, pack_address

NODE = 1024
FULL = 255
ROOT = 1  # the header is where node 0 would be
_START = 16 * NODE  # read at once: a request of its own costs as much, and most indexes are no longer
_MAGIC = b"cni-sriov index 1"
_HEADER = Struct("<24s40sII")  # magic and family, boot id, number of nodes, first of the unused ones
_COUNTERS = Struct("<II")
_COUNTERS_AT = 64
# slot 0 is the highest of 256 bits; every 2^k-th is set: where aligned runs of 2^k slots begin
_ALIGNED = [int(("1" + "0" * ((1 << k) - 1)) * (256 >> k), 2) for k in range(9)]


class DamagedIndex(Exception):
    """The file is missing, short, of another boot or format, or contradicts itself."""


class NoIndex(DamagedIndex):
    """Nobody has made one in this boot, or whoever changed the leases dropped it."""


class Index:
    """An open index file; nodes are cached, so it lives no longer than the lock it is used under."""

    __slots__ = ("_count", "_fd", "_nodes", "_start", "_unused", "version")

    def __init__(self, fd: int, version: int, count: int = 1, unused: int = 0, start: bytes = b"") -> None:
        self._fd = fd
        self.version = version
        self._count = count
        self._unused = unused
        self._start = start
        self._nodes: dict[int, bytearray] = {}

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def conflict(self, prefix: Prefix) -> bool:
        """Whether a lease contains, equals or lies in the prefix."""
        path, target = pack_address(prefix.version, prefix.value), _depth(prefix.length)
        node = self._node(ROOT)
        for depth in range(target):
            slot = path[depth]
            child = _child(node, slot)
            if not child or node[slot] == FULL:
                return node[slot] == FULL
            node = self._node(child)
        first, last = _slots(path, target, prefix.length)
        return node[first:last] != bytes((8 * (target + 1),)) * (last - first)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        """The lowest free aligned subnet of that length in `within` at or above `start`.

        Each round goes down to where `low` is. Only there can a node be entered in vain, since what it has free may lie
        below: then the search goes on behind it.
        """
        bits, target = BITS[self.version], _depth(length)
        fits = b"\1" * (length + 1) + bytes(255 - length)
        low = -(-max(start, within.value) >> bits - length) << bits - length
        while low <= within.last:
            number, base = ROOT, 0
            for depth in range(target + 1):
                node, spare = self._node(number), bits - 8 * (depth + 1)
                slot, last = low - base >> spare, min(within.last - base >> spare, 255)
                if depth == target:
                    found = _first_run(node, 8 * (depth + 1), 8 * (depth + 1) - length, slot)
                else:
                    found = node[:256].translate(fits).find(1, slot)
                if not 0 <= found <= last:
                    break
                low = max(low, base + (found << spare))
                number = _child(node, found) if depth < target else 0
                if not number:
                    return low
                base += found << spare
            low = base + (256 << spare)
        return None

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        """How many aligned subnets of that length are free in `within`; counting ends where they are `enough`."""
        path, top, target = pack_address(within.version, within.value), _depth(within.length), _depth(length)
        number = ROOT
        for depth in range(top):
            node, slot = self._node(number), path[depth]
            number = _child(node, slot)
            if not number:
                return 0 if node[slot] == FULL else 1 << length - within.length
        count, todo = 0, [(number, top, *_slots(path, top, within.length))]
        while todo and count < enough:
            number, depth, first, last = todo.pop()
            node, empty = self._node(number), 8 * (depth + 1)
            if depth == target:
                count += _count_runs(node, empty, empty - length, first, last)
                continue
            count += node.count(empty, first, last) << length - empty
            below = (slot for slot in range(first, last) if empty < node[slot] <= length)
            todo += [(_child(node, slot), depth + 1, 0, 256) for slot in below]
        return count

    def mark(self, prefix: Prefix, leased: bool) -> None:
        """Say that the prefix is leased, or free. Leaf first, so that a reader's path never leads to a lie."""
        trail, number = self._descend(prefix, leased)
        for n in range(len(trail) - 1, -1, -1):
            parent, slot = trail[n]
            node, empty = self._nodes[parent], 8 * (n + 1)
            best = _widest(self._nodes[number], empty + 8) if number else node[slot]
            gone = number if best == empty else 0
            child = 0 if gone else number
            if node[slot] != best or _child(node, slot) != child:
                node[slot] = best
                _set_child(node, slot, child)
                self._write(parent)
            if gone:
                self._give_back(gone)
            number = parent

    def _descend(self, prefix: Prefix, leased: bool) -> tuple[list[tuple[int, int]], int]:
        """Change the node that decides on the prefix; ([(node, slot) above it], its number or 0 if there is none)."""
        path, target = pack_address(prefix.version, prefix.value), _depth(prefix.length)
        trail: list[tuple[int, int]] = []
        number = ROOT
        for depth in range(target):
            node, slot = self._node(number), path[depth]
            trail.append((number, slot))
            number = _child(node, slot)
            if not number:
                if not leased or node[slot] == FULL:  # free already, or part of a larger lease
                    return trail, 0
                number = self._take_node(8 * (depth + 2))
        node = self._node(number)
        first, last = _slots(path, target, prefix.length)
        node[first:last] = bytes((FULL if leased else 8 * (target + 1),)) * (last - first)
        node[256 + 3 * first : 256 + 3 * last] = bytes(3 * (last - first))
        self._write(number)
        return trail, number

    # nodes ---------------------------------------------------------------------------------------

    def _node(self, number: int) -> bytearray:
        node = self._nodes.get(number)
        if node is None:
            at = number * NODE
            node = bytearray(self._start[at : at + NODE])
            if not node and self._fd >= 0:
                node = bytearray(os.pread(self._fd, NODE, at))
            if len(node) != NODE or not 0 < number <= self._count:
                raise DamagedIndex(f"node {number} is missing")
            self._nodes[number] = node
        return node

    def _write(self, number: int) -> None:
        if self._fd >= 0:
            os.pwrite(self._fd, self._nodes[number], number * NODE)

    def _take_node(self, empty: int) -> int:
        """A fresh node; the counters go first, so a crash may lose one node, but never uses one twice."""
        number = self._unused
        if number:
            self._unused = _child(self._node(number), 0)
        else:
            self._count = number = self._count + 1
        self._write_counters()
        self._nodes[number] = _empty_node(empty)
        return number

    def _give_back(self, number: int) -> None:
        _set_child(self._nodes[number], 0, self._unused)
        self._write(number)
        self._unused = number
        self._write_counters()

    def _write_counters(self) -> None:
        if self._fd >= 0:
            os.pwrite(self._fd, _COUNTERS.pack(self._count, self._unused), _COUNTERS_AT)

    def to_bytes(self, boot_id: str) -> bytes:
        """The file's content; of an index that was built in memory."""
        header = _HEADER.pack(_magic(self.version), boot_id.encode(), self._count, self._unused)
        return header.ljust(NODE, b"\0") + b"".join(self._nodes[n] for n in range(ROOT, self._count + 1))


def open_index(path: str, version: int, boot_id: str) -> Index:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NoIndex("it is missing") from error
    start = os.pread(fd, _START, 0)
    if len(start) >= NODE:
        magic, boot, count, unused = _HEADER.unpack_from(start)
        if (magic, boot.rstrip(b"\0")) == (_magic(version), boot_id.encode()):
            return Index(fd, version, count, unused, start)
    os.close(fd)
    raise DamagedIndex("it is short, or of another boot or format")


def build(version: int, prefixes: Iterable[Prefix]) -> Index:
    """An index in memory, of all prefixes of that family."""
    index = Index(-1, version)
    index._nodes[ROOT] = _empty_node(8)  # noqa: SLF001 # its own class
    for prefix in prefixes:
        if prefix.version == version:
            index.mark(prefix, leased=True)
    return index


def _magic(version: int) -> bytes:
    return (_MAGIC + b" v%d" % version).ljust(24, b"\0")


def _depth(length: int) -> int:
    """The level whose slots decide on a subnet of that length; it takes 1 to 256 of them."""
    return (length - 1) // 8 if length else 0


def _slots(path: bytes, depth: int, length: int) -> tuple[int, int]:
    return path[depth], path[depth] + (1 << 8 * (depth + 1) - length)


def _empty_node(empty: int) -> bytearray:
    return bytearray(bytes((empty,)) * 256 + bytes(768))


def _child(node: bytearray, slot: int) -> int:
    return int.from_bytes(node[256 + 3 * slot : 259 + 3 * slot], "little")


def _set_child(node: bytearray, slot: int, number: int) -> None:
    node[256 + 3 * slot : 259 + 3 * slot] = number.to_bytes(3, "little")


def _bits(node: bytearray, empty: int) -> int:
    """The slots that are empty, as bits, slot 0 the highest."""
    return int(node[:256].translate(b"0" * empty + b"1" + b"0" * (255 - empty)), 2)


def _first_run(node: bytearray, empty: int, k: int, slot: int) -> int:
    """Where the first aligned run of 2^k empty slots begins, at or behind `slot`; -1 if there is none."""
    if k == 0:
        return node.find(empty, slot, 256)
    bits = _runs(node, empty, k) & (1 << 256 - slot) - 1
    return 256 - bits.bit_length() if bits else -1


def _count_runs(node: bytearray, empty: int, k: int, first: int, last: int) -> int:
    """How many aligned runs of 2^k empty slots there are from slot `first` to before `last`, which are aligned so, too."""
    if k == 0:
        return node.count(empty, first, last)
    return (_runs(node, empty, k) >> 256 - last & (1 << last - first) - 1).bit_count()


def _runs(node: bytearray, empty: int, k: int) -> int:
    """Where aligned runs of 2^k empty slots begin, as bits, slot 0 the highest."""
    bits = _bits(node, empty)
    for j in range(k):
        bits &= bits << (1 << j)
    return bits & _ALIGNED[k]


def _widest(node: bytearray, empty: int) -> int:
    """The length of the largest free subnet in a node whose slots are of length `empty`."""
    if node.find(empty, 0, 256) < 0:
        return min(node[:256])
    half = bytes((empty,)) * 128
    if node.startswith(half) or node.startswith(half, 128):  # as most are; else it takes longer to tell
        return empty - 7 - (node[:128] == node[128:256])
    bits = _bits(node, empty)
    for k in range(8):
        bits &= bits << (1 << k) & _ALIGNED[k + 1]
        if not bits:
            return empty - k
    return empty - 8
