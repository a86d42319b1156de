"""Networks as the stdlib's ipaddress has them: the model's side of what we count in integers."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


def overlaps(a: Network, b: Network) -> bool:
    return a.version == b.version and a.overlaps(b)
