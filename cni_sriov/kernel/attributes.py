"""netlink's own wire format: a message's header, and attributes (type, length, payload), whatever they are about.

Pure. Our own, because pyroute2 costs 170 ms (docs/speed.md); tests/unit/kernel/test_rtnl.py holds it byte for byte against
pyroute2's. Whatever the bytes are, reading raises nothing but Malformed. Layouts: linux/netlink.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from struct import Struct
from typing import Any

Attrs = dict[int, bytes]

HEADER = Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF
_ATTR = Struct("=HH")  # struct nlattr: length with this header, type
_U32 = Struct("=I")
_S32 = Struct("=i")


class Malformed(Exception):
    """The bytes are not the reply they should be."""


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def attr(kind: int, payload: bytes) -> bytes:
    size = _ATTR.size + len(payload)
    return _ATTR.pack(size, kind) + payload + bytes(-size % 4)


def attr_u32(kind: int, value: int) -> bytes:
    return attr(kind, _U32.pack(value))


def attr_text(kind: int, text: str) -> bytes:
    return attr(kind, text.encode("utf-8", "surrogateescape") + b"\0")


def walk(body: bytes, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """(type, start, end) of each attribute's payload; Malformed where a length does not fit."""
    while start + _ATTR.size <= len(body):
        size, kind = _ATTR.unpack_from(body, start)
        if size < _ATTR.size or start + size > len(body):
            raise _misfit(body, start)
        yield kind & NLA_TYPE_MASK, start + _ATTR.size, start + size
        start += (size + 3) & ~3


def attrs_of(body: bytes, start: int = 0) -> Attrs:
    """Payloads by type, the last of each; a link has fifty, and a call reads hundreds: hence a loop without `walk`."""
    found = {}
    unpack, last, end = _ATTR.unpack_from, len(body) - _ATTR.size, start
    while start <= last:
        size, kind = unpack(body, start)
        if size < 4:
            raise _misfit(body, start)
        end = start + size
        found[kind & NLA_TYPE_MASK] = body[start + 4 : end]
        start = end + 3 & ~3
    if end > len(body):
        raise Malformed(f"attributes that end at {end} of {len(body)}")
    return found


def find(body: bytes, start: int, wanted: int) -> int:
    """Where the payload of the first attribute of that type begins, -1 if there is none. What follows it is not read."""
    unpack, last = _ATTR.unpack_from, len(body) - _ATTR.size
    while start <= last:
        size, kind = unpack(body, start)
        if kind & NLA_TYPE_MASK == wanted:
            return start + 4
        if size < 4:
            break
        start = start + size + 3 & ~3
    return -1


def _misfit(body: bytes, start: int) -> Malformed:
    size, kind = _ATTR.unpack_from(body, start)
    return Malformed(f"attribute {kind} of length {size} at {start} of {len(body)}")


def head(layout: Struct, body: bytes) -> tuple[Any, ...]:
    """The fixed part that a body, or a payload, begins with."""
    try:
        return layout.unpack_from(body)
    except struct.error as error:
        raise Malformed(str(error)) from error


def u32(payload: bytes | None) -> int:
    """0 if there is none."""
    return 0 if payload is None else int(head(_U32, payload)[0])


def s32(payload: bytes | None) -> int:
    """-1 if there is none."""
    return -1 if payload is None else int(head(_S32, payload)[0])


def text_of(payload: bytes) -> str:
    return payload.partition(b"\0")[0].decode("utf-8", "surrogateescape")
