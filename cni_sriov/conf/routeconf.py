"""Routes as the spec writes them (`ipam.routes[]`, an IPAM's answer) -> Route: every field, and what it may say. Pure.

ValueError names the field and its value. Imported only where there are routes.
"""

from __future__ import annotations

from typing import Any

from ..words.domain import Route
from ..words.inet import parse_address, parse_interface, render_address
from ..words.jsontext import words

KEYS = ("dst", "gw", "mtu", "advmss", "priority", "table", "scope")  # SPEC 1.1.0, "ADD Success"
LINK = 253  # RT_SCOPE_LINK, linux/rtnetlink.h; from there on a next hop cannot be
_LIMITS = {  # inclusive
    # net/ipv4/metrics.c takes more and makes it this, in silence
    "mtu": 65520,
    "advmss": 65495,
    "priority": 0xFFFFFFFF,
    "table": 0xFFFFFFFF,
    "scope": 254,  # RT_SCOPE_HOST; 255 is "nowhere", which the kernel refuses
}


def parse(raw: dict[str, Any], where: str) -> Route:
    """null counts as absent. Host bits of `dst` are masked: net.ParseCIDR, by which the field's plugins read it.

    `gw` and `scope` stay as they were told: `complete` fills in what depends on the addresses.
    """
    told = {key: value for key, value in raw.items() if value is not None}
    prefix = _text(parse_interface, told.get("dst"), f"{where}.dst")[0]
    route = Route(str(prefix))
    for key, limit in _LIMITS.items():
        if key in told:
            setattr(route, key, _number(told[key], limit, f"{where}.{key}"))
    if told.get("gw", "") != "":
        version, value = _text(parse_address, told["gw"], f"{where}.gw")
        if version != prefix.version:
            raise ValueError(
                f"{where}.gw {words(told['gw'])}: must be of the family of dst, IPv{prefix.version}"
            )
        if route.scope is not None and route.scope >= LINK:
            raise ValueError(f"{where}.scope {route.scope}: has no next hop, and gw says {told['gw']}")
        route.gw = render_address(version, value)
    return route


def complete(route: Route, gateways: list[str]) -> Route:
    """Without `gw`: by the first gateway of its family, else on the link (ipam.ConfigureIface, containernetworking/
    plugins 1.9); on the link too where the `scope` admits no next hop. 0.0.0.0 and :: are none (to the kernel as well).
    """
    gateway = route.gw
    if not gateway and (route.scope is None or route.scope < LINK):
        gateway = next((one for one in gateways if (":" in one) == (":" in route.dst)), "")
    gateway = "" if gateway in {"0.0.0.0", "::"} else gateway  # noqa: S104 # nothing is bound to it
    scope = LINK if route.scope is None and not gateway else route.scope
    return Route(route.dst, gateway, route.src, scope, route.priority, route.table, route.mtu, route.advmss)


def _text(parser: Any, value: Any, where: str) -> Any:
    if type(value) is not str:
        raise ValueError(f"{where} {words(value)}: must be a string")
    try:
        return parser(value)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _number(value: Any, limit: int, where: str) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise ValueError(f"{where} {words(value)}: must be an integer, 0-{limit}")
    return value
