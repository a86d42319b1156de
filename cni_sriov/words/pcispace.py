"""A PCI device's configuration space, as far as its VFs depend on it. Parsed from bytes; nothing is asked for.

Offsets and bits are those of linux/pci_regs.h, whose names stand beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

HEADER, WHOLE = 64, 256  # bytes: what all may read; from here on PCI Express has its extended capabilities

_STATUS, _CAP_LIST = 0x06, 0x10  # PCI_STATUS, PCI_STATUS_CAP_LIST
_HEADER_TYPE, _BRIDGE = 0x0E, 0x01  # PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE
_FIRST = 0x34  # PCI_CAPABILITY_LIST
_EXPRESS, _ARI, _SRIOV = 0x10, 0x000E, 0x0010  # PCI_CAP_ID_EXP, PCI_EXT_CAP_ID_ARI, PCI_EXT_CAP_ID_SRIOV
_DEV_CAP2, _DEV_CTL2 = 0x24, 0x28  # PCI_EXP_DEVCAP2, PCI_EXP_DEVCTL2
_ARI_FORWARDING = 0x20  # PCI_EXP_DEVCAP2_ARI, PCI_EXP_DEVCTL2_ARI
_BARS = 6  # PCI_SRIOV_NUM_BARS


@dataclass(slots=True)
class VfBar:
    """A memory region that each VF has; `address` is that of VF 0's. Its size is not in there: see `resource`."""

    index: int
    address: int
    is_64bit: bool
    is_prefetchable: bool


@dataclass(slots=True)
class Sriov:
    """The SR-IOV capability. `ari_hierarchy`: the kernel told the card that the port above forwards ARI; only the lowest
    PF of a card has that bit. `offset` and `stride` depend on it. `page_sizes` has bit n for 2^(n+12) bytes.
    """

    initial_vfs: int
    total_vfs: int
    numvfs: int
    offset: int
    stride: int
    has_migration: bool
    is_enabled: bool
    ari_hierarchy: bool
    link: int
    vf_device: int
    page_sizes: int
    bars: list[VfBar] = field(default_factory=list)


@dataclass(slots=True)
class Window:
    """Memory addresses that a bridge hands down, both ends in it."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass(slots=True)
class Bridge:
    """None = that window is closed."""

    secondary: int
    subordinate: int
    memory: Window | None
    prefetchable: Window | None


@dataclass(slots=True)
class Space:
    """`is_whole` False: capabilities beyond the header could not be read, so what is None or False there is not known.
    `is_gone`: every byte is ff, which a card answers that is not there any more. `can_ari`, `does_ari`: of a port, whether
    it can forward ARI and does. `has_ari`: of a function, whether it has the ARI capability.
    """

    length: int
    is_whole: bool
    is_gone: bool
    is_express: bool = False
    can_ari: bool = False
    does_ari: bool = False
    has_ari: bool = False
    bridge: Bridge | None = None
    sriov: Sriov | None = None


def parse(data: bytes) -> Space:
    """Of any bytes: what is cut off counts as not there."""
    is_gone = len(data) >= 4 and not data.strip(b"\xff")
    # the kernel hands 64 bytes to who lacks CAP_SYS_ADMIN (pci_read_config, drivers/pci/pci-sysfs.c)
    space = Space(len(data), is_whole=len(data) > HEADER, is_gone=is_gone)
    if is_gone or len(data) < HEADER:
        return space
    if data[_HEADER_TYPE] & 0x7F == _BRIDGE:
        space.bridge = _bridge(data)
    for at in _capabilities(data):
        if data[at] == _EXPRESS:
            space.is_express = True
            space.can_ari = bool(_long(data, at + _DEV_CAP2) & _ARI_FORWARDING)
            space.does_ari = bool(_word(data, at + _DEV_CTL2) & _ARI_FORWARDING)
    if space.is_express:
        space.is_whole = len(data) > WHOLE
    for at in _extended(data):
        kind = _word(data, at)
        space.has_ari = space.has_ari or kind == _ARI
        if kind == _SRIOV:
            space.sriov = _sriov(data, at)
    return space


# capabilities --------------------------------------------------------------------------------------------------------


def _capabilities(data: bytes) -> Iterator[int]:
    """Where each begins; a list that bites its tail ends."""
    seen: set[int] = set()
    at = data[_FIRST] & 0xFC if _word(data, _STATUS) & _CAP_LIST else 0
    while HEADER <= at < len(data) - 1 and at not in seen:
        seen.add(at)
        yield at
        at = data[at + 1] & 0xFC


def _extended(data: bytes) -> Iterator[int]:
    seen: set[int] = set()
    at = WHOLE
    while WHOLE <= at <= len(data) - 4 and at not in seen:
        header = _long(data, at)
        if header in {0, 0xFFFFFFFF}:
            return
        seen.add(at)
        yield at
        at = header >> 20 & 0xFFC


def _sriov(data: bytes, at: int) -> Sriov:
    control = _word(data, at + 0x08)  # PCI_SRIOV_CTRL
    return Sriov(
        initial_vfs=_word(data, at + 0x0C),
        total_vfs=_word(data, at + 0x0E),
        numvfs=_word(data, at + 0x10),
        link=_byte(data, at + 0x12),
        offset=_word(data, at + 0x14),
        stride=_word(data, at + 0x16),
        vf_device=_word(data, at + 0x1A),
        page_sizes=_long(data, at + 0x1C),
        has_migration=bool(_long(data, at + 0x04) & 0x01),  # PCI_SRIOV_CAP_VFM
        is_enabled=bool(control & 0x01),  # PCI_SRIOV_CTRL_VFE
        ari_hierarchy=bool(control & 0x10),  # PCI_SRIOV_CTRL_ARI
        bars=list(_vf_bars(data, at + 0x24)),
    )


def _vf_bars(data: bytes, at: int) -> Iterator[VfBar]:
    """Those that are there, as far as one can tell: a 32-bit one without an address is all zeros, like none."""
    index = 0
    while index < _BARS:
        low = _long(data, at + 4 * index)
        is_64bit = low & 0x06 == 0x04  # PCI_BASE_ADDRESS_MEM_TYPE_64
        high = _long(data, at + 4 * index + 4) if is_64bit and index + 1 < _BARS else 0
        if low:
            yield VfBar(index, high << 32 | low & 0xFFFFFFF0, is_64bit, bool(low & 0x08))
        index += 1 + is_64bit


# bridge --------------------------------------------------------------------------------------------------------------


def _bridge(data: bytes) -> Bridge:
    low_base, low_limit = _word(data, 0x24), _word(data, 0x26)  # PCI_PREF_MEMORY_BASE, PCI_PREF_MEMORY_LIMIT
    is_64bit = low_base & 0x0F == 0x01  # PCI_PREF_RANGE_TYPE_64
    high_base, high_limit = (_long(data, 0x28), _long(data, 0x2C)) if is_64bit else (0, 0)
    return Bridge(
        secondary=data[0x19],
        subordinate=data[0x1A],
        memory=_window(_word(data, 0x20), _word(data, 0x22)),
        prefetchable=_window(low_base, low_limit, high_base, high_limit),
    )


def _window(base: int, limit: int, high_base: int = 0, high_limit: int = 0) -> Window | None:
    """In steps of a mebibyte; closed where its end is below its beginning, or where it was never set (both 0)."""
    first = high_base << 32 | (base & 0xFFF0) << 16
    last = high_limit << 32 | (limit & 0xFFF0) << 16 | 0xFFFFF
    is_set = base & 0xFFF0 or limit & 0xFFF0 or high_base or high_limit
    return Window(first, last) if is_set and first <= last else None


def _byte(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 1], "little")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _long(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")
