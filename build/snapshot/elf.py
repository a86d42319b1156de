"""Puts what a process had in memory into the executable that it was started from. Of ELF64 only what that takes
(elf(5)); pure: bytes in, bytes out.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = struct.Struct("=16sHHIQQQIHHHHHH")
SECTION = struct.Struct("=IIQQQQIIQQ")
SEGMENT = struct.Struct("=IIQQQQQQ")
LOAD, WRITABLE = 1, 2  # PT_LOAD, PF_W


class Segment(NamedTuple):
    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


def segments(image: bytes) -> list[Segment]:
    header = HEADER.unpack_from(image)
    first, size, count = header[5], header[9], header[10]
    return [Segment(*SEGMENT.unpack_from(image, first + size * n)) for n in range(count)]


def section(image: bytes, name: str) -> tuple[int, int]:
    """Where it is in memory, and where it ends."""
    header = HEADER.unpack_from(image)
    first, size, count, names = header[6], *header[11:14]
    found = [SECTION.unpack_from(image, first + size * n) for n in range(count)]
    for one in found:
        start = found[names][4] + one[0]
        if image[start : image.index(0, start)] == name.encode():
            return one[3], one[3] + one[5]
    raise ValueError(f"there is no section {name}")


def read_parts(raw: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """(address, bytes) each, and where the heap may end: snapshot.c's write_part; the one of size 0 is the end."""
    parts, at = [], 0
    while True:
        address, size = struct.unpack_from("=QQ", raw, at)
        at += 16
        if not size:
            return parts, address
        parts.append((address, raw[at : at + size]))
        at += size


def with_parts(image: bytes, raw: bytes) -> bytes:
    """The executable `image` with these parts in its last segment, which ends in the file with the last of them.

    Everything else of that segment is as the linker made it: libc's variables, and zeros. Section headers, of which a
    running program needs none, are dropped: the file ends where the segment does.
    """
    parts, end = read_parts(raw)
    found = segments(image)
    number, last = max(enumerate(found), key=lambda pair: pair[1].vaddr if pair[1].type == LOAD else -1)
    stop = max(address + len(data) for address, data in parts)
    if not last.flags & WRITABLE or min(parts)[0] < last.vaddr or not stop <= end <= last.vaddr + last.memsz:
        raise ValueError("the picture is not in the last segment")
    body = bytearray(image[last.offset : last.offset + last.filesz].ljust(stop - last.vaddr, b"\0"))
    for address, data in parts:
        body[address - last.vaddr : address - last.vaddr + len(data)] = data
    whole = bytearray(image[: last.offset]) + body
    header = list(HEADER.unpack_from(image))
    header[6] = header[11] = header[12] = header[13] = 0  # e_shoff, e_shentsize, e_shnum, e_shstrndx
    HEADER.pack_into(whole, 0, *header)
    fitted = last._replace(filesz=len(body), memsz=end - last.vaddr)
    SEGMENT.pack_into(whole, header[5] + header[9] * number, *fitted)
    return bytes(whole)


def without(image: bytes, start: int, end: int) -> bytes:
    """The executable without that end of a segment: no file, no memory, to reach for it is a crash. What is behind it in
    the file moves up, by whole pages.
    """
    found = segments(image)
    number, cut = next(
        (n, one) for n, one in enumerate(found) if one.type == LOAD and 0 <= start - one.vaddr < one.filesz
    )
    begin = cut.offset + start - cut.vaddr
    gone = -(-(cut.offset + cut.filesz) // cut.align) * cut.align - begin
    is_end = end == cut.vaddr + cut.filesz and not start % cut.align
    if not is_end or gone != min(one.offset for one in found if one.offset > begin) - begin:
        raise ValueError("it is not a number of pages at the end of its segment")
    whole = bytearray(image[:begin] + image[begin + gone :])
    header = HEADER.unpack_from(image)
    for n, one in enumerate(found):
        size = start - cut.vaddr
        moved = one._replace(filesz=size, memsz=size) if n == number else one
        moved = moved._replace(offset=one.offset - gone) if one.offset > begin else moved
        SEGMENT.pack_into(whole, header[5] + header[9] * n, *moved)
    return bytes(whole)
