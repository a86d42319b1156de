"""Verbs on links, VFs, addresses and routes, named after iproute2. One socket in one netns, for life.

A Netlink belongs to the netns it was opened in, wherever the process goes later: "in which namespace?" is answered by
the receiver. Every refusal is a KernelRefused.
"""

from __future__ import annotations

from ..words.inet import Prefix, parse_interface
from .addresses import Addresses
from .links import Links
from .replies import Address
from .vfs import Vfs

ZERO_MAC = "00:00:00:00:00:00"


class Netlink(Links, Vfs, Addresses):
    """All that rtnetlink is asked in one netns."""

    __slots__ = ()

    def host_use(self, addresses: list[Address]) -> list[tuple[Prefix, int, str]]:
        """(prefix, ifindex, words) of what this netns uses itself: global ones of its addresses, connected main-table
        routes.
        """
        held = [(a.address, a.ifindex, f"address {a.address}") for a in addresses if a.is_global]
        held += [
            (r.route.dst, r.ifindex, f"route {r.route.dst}")
            for r in self.routes()
            if r.ifindex and not r.route.gw and not _is_link_local(r.route.dst)
        ]
        return [
            (parse_interface(text)[0], ifindex, f"{words} dev {self.ifname(ifindex)}")
            for text, ifindex, words in held
        ]


def _is_link_local(text: str) -> bool:
    return text.lower().startswith(("fe80:", "ff"))
