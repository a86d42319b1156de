"""What a slot has room for: bus numbers, and memory behind the bridges above. Pure; each limit with its numbers."""

from __future__ import annotations

from collections.abc import Iterator

from .slot import Limit, Port, Region, Slot, vfs

_FUNCTIONS = 256  # of a bus, with ARI all of one card


# bus numbers ---------------------------------------------------------------------------------------------------------


def bus(slot: Slot) -> Iterator[Limit]:
    """PCIe SR-IOV 2.1.2: routing ID of VF n = the PF's + offset + stride * n; its upper byte is the bus."""
    end = slot.ports[0].subordinate if slot.ports else None
    if end is None or not slot.offset:
        return
    count = _fitting(slot, end)
    if count >= (slot.total or 0):
        why = (
            f"{_named(slot.ports[0])} ends at bus {end:02x}, which has room for {vfs(count)} ({_step(slot)})"
        )
        yield Limit(count, why, "bus")
        return
    yield Limit(count, f"{_need(slot, count, end)}: {_ari(slot)}", "bus", _bus_remedy(slot, end))


def _fitting(slot: Slot, end: int) -> int:
    room = (end << 8 | 0xFF) - slot.routing_id - (slot.offset or 0)
    if room < 0:
        return 0
    return room // slot.stride + 1 if slot.stride else _FUNCTIONS


def routing_id(slot: Slot, index: int) -> int:
    return slot.routing_id + (slot.offset or 0) + (slot.stride or 0) * index


def _need(slot: Slot, count: int, end: int) -> str:
    first = routing_id(slot, count)
    who = f"VF {count} needs" if count else "the VFs need"
    where = f"{first >> 8:02x}:{first >> 3 & 0x1F:02x}.{first & 7}"
    return f"{who} bus {first >> 8:02x} ({where}), but {_named(slot.ports[0])} ends at bus {end:02x} ({_step(slot)})"


def _step(slot: Slot) -> str:
    return f"VF offset {slot.offset}, stride {slot.stride}"


def _named(port: Port) -> str:
    return f"the port above ({port.pci})"


def _ari(slot: Slot) -> str:
    """Whether it is for want of ARI: only with it may one card have more than 8 functions on its own bus."""
    space, card = slot.ports[0].space, slot.space
    if space is None or not space.is_whole or card is None or not card.is_whole:
        return "whether ARI would help, only root can see"
    if not card.has_ari:
        return "the card has no ARI capability, without which its own bus holds 8 functions"
    if space.does_ari:
        return "ARI forwarding is on there, and does not change it"
    state = "can forward ARI, but does not" if space.can_ari else "cannot forward ARI"
    return f"the port {state}; {_with_ari(slot)}"


def _with_ari(slot: Slot) -> str:
    """At most: the card says its offset and stride under ARI only when ARI is on."""
    bus, end = slot.routing_id >> 8, slot.ports[0].subordinate or 0
    room = (_FUNCTIONS * (end - bus + 1) - slot.functions) // slot.functions
    total = slot.total or 0
    fit = f"all {vfs(total)} fit" if room >= total else f"at most {vfs(room)} fit"
    return f"with ARI, bus {bus:02x} has {_FUNCTIONS} functions for the card, and {fit}"


def _bus_remedy(slot: Slot, end: int) -> str:
    space = slot.ports[0].space
    lines = []
    if space is not None and space.can_ari and not space.does_ari:
        lines.append("boot without pci=noari, and look for ARI in the BIOS")
    renumber = "it renumbers other cards' buses, and so renames their interfaces"
    lines += [
        "put the card into another slot, one whose port forwards ARI; these ports can:",
        "sudo lspci -vv | grep -e '^[0-9a-f].*bridge' -e 'ARIFwd+'",
        "look for SR-IOV and ARI in the BIOS, and for a newer BIOS",
        f"or boot with pci=assign-busses, so that the port gets more buses than {end:02x} ({renumber})",
    ]
    return "\n".join(lines)


# memory --------------------------------------------------------------------------------------------------------------


def memory(slot: Slot) -> Iterator[Limit]:
    """The kernel finds memory for TotalVFs at boot, or for none (sriov_init); it asks for all of them at every number."""
    if slot.regions is None:
        return
    card = slot.space.sriov if slot.space else None
    had = {region.bar for region in slot.regions if region.is_assigned}
    wanted = {region.bar for region in slot.regions} | ({one.index for one in card.bars} if card else set())
    missing = sorted(wanted - had)
    if not missing and had:
        return
    bars = f"BAR {', '.join(map(str, missing))} of the VFs has" if missing else "the VFs' BARs have"
    total = card.total_vfs if card else slot.total
    yield Limit(
        0,
        f"{bars} no memory{_size(slot.regions, missing)}: the kernel found no room for all {vfs(total or 0)} at boot, and"
        f" asks for no less when fewer are wanted{_below(slot)}",
        "memory",
        "switch on SR-IOV and Above 4G Decoding in the BIOS\n"
        "or boot with pci=realloc, so that the kernel makes the windows of the bridges larger\n"
        f"dmesg | grep {slot.pci} says which BAR found no room",
        is_certain=False,
    )


def _size(regions: list[Region], missing: list[int]) -> str:
    sizes = [region.size for region in regions if region.bar in missing and region.size]
    return f" ({' + '.join(map(binary, sizes))})" if sizes else ""


def _below(slot: Slot) -> str:
    bridge = slot.ports[0].space.bridge if slot.ports and slot.ports[0].space else None
    if bridge is None:
        return ""
    pairs = (("", bridge.memory), ("prefetchable ", bridge.prefetchable))
    held = [f"{binary(window.size)} of {kind}memory" for kind, window in pairs if window]
    return f"; {_named(slot.ports[0])} hands down {' and '.join(held) or 'no memory'}"


def windows(slot: Slot) -> Iterator[Limit]:
    """Memory that a bridge does not hand down is not reached, whatever address the VFs' BARs have."""
    card = slot.space.sriov if slot.space else None
    total = card.total_vfs if card else slot.total
    for region in slot.regions or []:
        for port in slot.ports:
            count = _inside(region, port, total or 0) if region.is_assigned else None
            if count is None or count >= (slot.total or 0):
                continue
            last = region.first + region.size - 1
            yield Limit(
                count,
                f"BAR {region.bar} of the VFs ({region.first:#x}-{last:#x}, {binary(region.size)} for {vfs(total or 0)}) is not"
                f" within the memory that {port.pci} above hands down",
                "window",
                "boot with pci=realloc\nswitch on Above 4G Decoding in the BIOS",
                is_certain=False,
            )


def _inside(region: Region, port: Port, total: int) -> int | None:
    """How many VFs' parts of the region lie in a window of the port; None = not known."""
    bridge = port.space.bridge if port.space else None
    if bridge is None or not total or region.size < total:
        return None
    each = region.size // total
    return max(
        (
            min(total, (window.last + 1 - region.first) // each)
            for window in (bridge.memory, bridge.prefetchable)
            if window is not None and window.first <= region.first <= window.last
        ),
        default=0,
    )


def binary(size: int) -> str:
    """A power of two as people read it: 128 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or size % 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} PiB"
