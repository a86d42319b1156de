"""Configuration spaces made by the PCI Express Base Specification 6.0: 7.5.1 (headers), 7.5.3 (Express), 7.8.8 (ARI),
9.3.3 (SR-IOV). Nothing of the product is in here; the lab has them read by lspci (tests/lab/test_oracle.py).
"""

from __future__ import annotations

import struct

MEM64_PREFETCHABLE, MEM64, MEM32 = 0x0C, 0x04, 0x00  # 7.5.1.2.1: low bits of a BAR
Bars = dict[int, tuple[int, int]]  # index -> (address, low bits)
I350_BARS: Bars = {0: (0xFE800000, MEM64_PREFETCHABLE), 3: (0xFE820000, MEM64_PREFETCHABLE)}
GONE = b"\xff" * 4096


def _put(space: bytearray, at: int, form: str, *values: int) -> None:
    struct.pack_into("<" + form, space, at, *values)


def _header(kind: int, vendor: int, device: int, code: int) -> bytearray:
    space = bytearray(4096)
    _put(space, 0x00, "HHHH", vendor, device, 0x0407, 0x0010)  # status bit 4: has a capabilities list
    _put(space, 0x08, "I", code << 16 | 1)
    space[0x0E] = kind
    space[0x34] = 0x40
    _put(space, 0x40, "BBHHH", 0x01, 0x70, 3, 0, 0)  # power management, then MSI-X
    _put(space, 0x70, "BBHII", 0x11, 0xA0, 0x8009, 3, 0x2003)
    return space


def function(
    total: int = 8,
    offset: int = 0x180,
    stride: int = 2,
    initial: int | None = None,
    hierarchy: bool = False,
    has_ari: bool = True,
    has_sriov: bool = True,
    numvfs: int = 0,
    bars: Bars | None = None,
    migration: bool = False,
    link: int = 0,
    page_sizes: int = 0x553,
) -> bytes:
    """A PF, by default one port of an I350 behind a port that does not forward ARI."""
    space = _header(0x80, 0x8086, 0x1521, 0x0200)
    _put(space, 0xA0, "BBH", 0x10, 0x00, 0x0002)  # Express, endpoint, version 2
    _put(space, 0x100, "I", 0x0001 | 1 << 16 | 0x150 << 20)  # advanced error reporting
    _put(space, 0x150, "I", (0x000E if has_ari else 0x0003) | 1 << 16 | (0x160 if has_sriov else 0) << 20)
    if not has_sriov:
        return bytes(space)
    at = 0x160
    _put(space, at, "I", 0x0010 | 1 << 16)
    _put(space, at + 0x04, "IHH", int(migration), int(bool(numvfs)) | hierarchy << 4, 0)
    _put(
        space,
        at + 0x0C,
        "HHHBxHH",
        total if initial is None else initial,
        total,
        numvfs,
        link,
        offset,
        stride,
    )
    _put(space, at + 0x1A, "HII", 0x1520, page_sizes, 1)
    for index, (address, low) in (I350_BARS if bars is None else bars).items():
        if low & 0x04:
            _put(space, at + 0x24 + 4 * index, "Q", address | low)
        else:
            _put(space, at + 0x24 + 4 * index, "I", address | low)
    return bytes(space)


def port(
    secondary: int = 1,
    subordinate: int = 1,
    can_ari: bool = False,
    does_ari: bool = False,
    memory: tuple[int, int] | None = (0xFE400000, 0xFE5FFFFF),
    prefetchable: tuple[int, int] | None = (0xFE800000, 0xFE9FFFFF),
) -> bytes:
    """A root port. A window is (first, last) address, in whole mebibytes; None = closed (base above limit)."""
    space = _header(0x01, 0x8086, 0x1901, 0x0604)
    _put(space, 0x18, "BBB", 0, secondary, subordinate)
    first, last = memory or (0xFFF00000, 0x000FFFFF)
    _put(space, 0x20, "HH", first >> 16 & 0xFFF0, last >> 16 & 0xFFF0)
    first, last = prefetchable or (0xFFF00000, 0x000FFFFF)
    _put(space, 0x24, "HHII", first >> 16 & 0xFFF0 | 1, last >> 16 & 0xFFF0 | 1, first >> 32, last >> 32)
    _put(space, 0xA0, "BBH", 0x10, 0x00, 0x0042)  # Express, root port, version 2
    _put(space, 0xA0 + 0x24, "I", can_ari << 5)  # Device Capabilities 2
    _put(space, 0xA0 + 0x28, "H", does_ari << 5)  # Device Control 2
    return bytes(space)
