"""Slots for the oracle's tests, from configuration spaces by the specification."""

from __future__ import annotations

from typing import Any

from cni_sriov.decide.slot import Port, Region, Slot
from cni_sriov.words.pcispace import parse
from tests.unit import pcibytes

KIB, MIB = 1 << 10, 1 << 20
PORT = "0000:00:01.0"  # the x16 slot at the processor's own root port


def i350(
    offset: int = 0x180, last_bus: int = 1, can_ari: bool = False, does_ari: bool = False, **changes: Any
) -> Slot:
    """One port of the notes' card: 01:00.0 on bus 01, two ports, seven of eight VFs allowed by igb."""
    bridge = pcibytes.port(1, last_bus, can_ari=can_ari, does_ari=does_ari)
    slot = Slot(
        "0000:01:00.0",
        name="enp1s0f0",
        driver="igb",
        total=7,
        offset=offset,
        stride=2,
        space=parse(pcibytes.function(offset=offset, hierarchy=does_ari)),
        regions=[Region(0, 0xFE800000, 128 * KIB, True, True), Region(3, 0xFE820000, 128 * KIB, True, True)],
        ports=[Port(PORT, last_bus, parse(bridge))],
        functions=2,
    )
    for name, value in changes.items():
        setattr(slot, name, value)
    return slot


def many(
    total: int = 256, last_bus: int = 0x3B, offset: int = 2, size: int = 16 * MIB, **changes: Any
) -> Slot:
    """A PF of 256 VFs at 3b:00.0, whose VFs follow it one by one; 64 KiB each, high in memory."""
    first = 0x4000000000
    window = (first, first + 64 * MIB - 1)
    bars = {0: (first, pcibytes.MEM64_PREFETCHABLE)}
    bridge = pcibytes.port(0x3B, last_bus, True, True, prefetchable=window)
    slot = Slot(
        "0000:3b:00.0",
        name="ens1",
        driver="mlx5_core",
        total=total,
        offset=offset,
        stride=1,
        space=parse(pcibytes.function(total=total, offset=offset, stride=1, hierarchy=True, bars=bars)),
        regions=[Region(0, first, size, True, True)],
        ports=[Port("0000:3a:00.0", last_bus, parse(bridge))],
    )
    for name, value in changes.items():
        setattr(slot, name, value)
    return slot
