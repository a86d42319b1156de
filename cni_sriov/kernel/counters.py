"""What went through a link and through each VF of a PF, for sriovctl. Pure: kernel/netlink.py asks (whole_link).

Numbers and layouts: linux/if_link.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from . import rtnl
from .attributes import Attrs, Malformed, attrs_of, find, head, u32, walk

_IFLA_STATS64, _IFLA_VF_STATS = 23, 8
# struct rtnl_link_stats64: packets in and out, bytes in and out, and what nobody asked for yet
_STATS64 = Struct("=QQQQ")
_RX_PACKETS, _TX_PACKETS, _RX_BYTES, _TX_BYTES = 0, 1, 2, 3  # IFLA_VF_STATS_*
_U64 = Struct("=Q")


@dataclass(slots=True, frozen=True)
class Counters:
    """As `ip -s link` has them: since the netdev, or the VF, was made."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int

    def to_json(self) -> dict[str, int]:
        return {
            "rxPackets": self.rx_packets,
            "txPackets": self.tx_packets,
            "rxBytes": self.rx_bytes,
            "txBytes": self.tx_bytes,
        }


def of_link(body: bytes) -> Counters | None:
    """The link's own; None if it tells none."""
    head(rtnl.IFINFO, body)
    told = attrs_of(body, rtnl.IFINFO.size).get(_IFLA_STATS64)
    return None if told is None else Counters(*head(_STATS64, told))


def of_vfs(body: bytes) -> dict[int, Counters]:
    """By index, as the PF's driver counts them. All zero is what the kernel says for a driver that does not count
    (rtnl_fill_vfinfo, net/core/rtnetlink.c: igb is one), so such a VF is left out.

    The list's 16-bit length wraps with many VFs: IFLA_NUM_VF, which comes before it, says how many there are.
    """
    found: dict[int, Counters] = {}
    number = find(body, rtnl.IFINFO.size, rtnl.IFLA_NUM_VF)
    start = find(body, number + 4, rtnl.IFLA_VFINFO_LIST) if number >= 0 else -1
    if start < 0:
        return found
    promised = u32(body[number : number + 4])
    try:
        for position, (kind, a, b) in enumerate(walk(body, start)):
            if kind != rtnl.IFLA_VF_INFO or position == promised:
                break
            attrs = attrs_of(body[a:b])
            counted = _of_vf(attrs)
            if counted is not None and rtnl.IFLA_VF_MAC in attrs:
                found[u32(attrs[rtnl.IFLA_VF_MAC])] = counted
    except Malformed:
        pass  # the rest of a truncated list; what was read so far is good
    return found


def _of_vf(attrs: Attrs) -> Counters | None:
    told = attrs_of(attrs.get(_IFLA_VF_STATS, b""))
    kinds = (_RX_PACKETS, _TX_PACKETS, _RX_BYTES, _TX_BYTES)
    numbers = [int(head(_U64, told[kind])[0]) if kind in told else 0 for kind in kinds]
    return Counters(*numbers) if any(numbers) else None
