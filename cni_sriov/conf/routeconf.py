"""Routes as the spec writes them (`ipam.routes[]`, an IPAM's answer) -> Route: every field, and what it may say. Pure."""

from __future__ import annotations

from typing import Any

from ..words.domain import Route
from ..words.errors import BadConfig
from ..words.inet import render_address
from ..words.jsontext import words
from . import values
from .values import Parser, Table

LINK = 253  # RT_SCOPE_LINK, linux/rtnetlink.h; from there on a next hop cannot be
NO_HOP = ("0.0.0.0", "::")  # noqa: S104 # nothing is bound to it


def _most(limit: int) -> Parser:
    return values.integer(0, limit, "must be an integer, {}-{}")


ROUTE = Table(  # SPEC 1.1.0, "ADD Success"
    {
        "dst": values.interface,
        # net/ipv4/metrics.c takes more and makes it this, in silence
        "mtu": _most(65520),
        "advmss": _most(65495),
        "priority": _most(0xFFFFFFFF),
        "table": _most(0xFFFFFFFF),
        "scope": _most(254),  # RT_SCOPE_HOST; 255 is "nowhere", which the kernel refuses
        "gw": lambda value: None if value == "" else values.address(value),
    }
)


def parse(raw: dict[str, Any], where: str) -> Route:
    """null counts as absent. Host bits of `dst` are masked: net.ParseCIDR, by which the field's plugins read it.

    `gw` and `scope` stay as they were told: `complete` fills in what depends on the addresses. BadConfig names the field.
    """
    told = {key: value for key, value in raw.items() if value is not None}
    fields = ROUTE.read({"dst": None} | told, f"{where}.")
    prefix, hop = fields.pop("dst")[0], fields.pop("gw", None)
    if hop and hop[0] != prefix.version:
        raise BadConfig(f"{where}.gw {words(told['gw'])}: must be of the family of dst, IPv{prefix.version}")
    if hop and fields.get("scope", 0) >= LINK:
        raise BadConfig(f"{where}.scope {told['scope']}: has no next hop, and gw says {told['gw']}")
    return Route(str(prefix), render_address(*hop) if hop else "", **fields)


def complete(route: Route, gateways: list[str]) -> Route:
    """Without `gw`: by the first gateway of its family, else on the link (ipam.ConfigureIface, containernetworking/
    plugins 1.9); on the link too where the `scope` admits no next hop. 0.0.0.0 and :: are none (to the kernel as well).
    """
    gateway = route.gw
    if not gateway and (route.scope is None or route.scope < LINK):
        gateway = next((one for one in gateways if (":" in one) == (":" in route.dst)), "")
    gateway = "" if gateway in NO_HOP else gateway
    scope = LINK if route.scope is None and not gateway else route.scope
    return Route(route.dst, gateway, route.src, scope, route.priority, route.table, route.mtu, route.advmss)
