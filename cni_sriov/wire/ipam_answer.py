"""What a foreign IPAM plugin answered to ADD -> IpamResult: all of it, or ValueError names what cannot be done. Pure.

The judge of what is meant is `ipam.ConfigureIface` of containernetworking/plugins 1.9 (pkg/ipam/ipam_linux.go), and Go's
JSON reader, which takes keys in any case: what those do with an answer, we do. Where they drop a field in silence (a
route's `mtu`, an unknown one) we do it or refuse it.
"""

from __future__ import annotations

from typing import Any

from ..conf import routeconf
from ..conf.keycase import Folded
from ..words.domain import IpamResult, IPConfig, Route
from ..words.errors import BadConfig
from ..words.inet import RESERVED, parse_address, parse_interface, render_address
from ..words.jsontext import render, words
from ..words.versions import VERSIONS
from .prevresult import RESULT

_DNS = (("nameservers", list), ("domain", str), ("search", list), ("options", list))


def parse(document: dict[str, Any], asked: str) -> IpamResult:
    """`asked` is the conf's cniVersion: an answer that names none is of that one, as libcni takes it (pkg/invoke/exec.go)."""
    told = _told(document)
    version = told.get("cniVersion") or asked
    if version not in VERSIONS:
        raise ValueError(f"its cniVersion {render(version)} is not known")
    entries, raw_routes = _objects(told, "ips"), _objects(told, "routes")
    for key in ("ip4", "ip6"):  # up to 0.2.0; beside `ips` they may only say the same
        family: dict[str, Any] = _typed(told, key, dict, {})
        address = family.get("ip")
        if family and address not in [entry.get("address") for entry in _objects(told, "ips")]:
            entries.append({"address": address} | {key: family[key] for key in ["gateway"] if key in family})
            raw_routes += _objects(family, "routes", key)
    if not entries:
        raise ValueError("it has no addresses")
    ips = [_ip(entry, f"ips[{n}]") for n, entry in enumerate(entries)]
    _check_together(entries, ips)
    gateways = [ip.gateway for ip in ips if ip.gateway]
    routes = [routeconf.complete(_route(raw, f"routes[{n}]"), gateways) for n, raw in enumerate(raw_routes)]
    return IpamResult(ips, routes, _dns(told))


def _told(document: dict[str, Any]) -> dict[str, Any]:
    folded = Folded(document, RESULT)
    try:
        folded.refuse_clashes()  # one of the two would not be done
    except BadConfig as error:
        raise ValueError(str(error)) from error
    return folded.conf


def _typed(raw: dict[str, Any], key: str, kind: type, default: Any, where: str = "") -> Any:
    value = raw.get(key, default)
    if type(value) is not kind:
        name = {"list": "a list", "dict": "an object", "str": "a string"}[kind.__name__]
        raise ValueError(f"{where}{key} {render(value)}: must be {name}")
    return value


def _objects(raw: dict[str, Any], key: str, where: str = "") -> list[dict[str, Any]]:
    where = f"{where}.{key}" if where else key
    found = []
    for n, entry in enumerate(_typed(raw, key, list, [])):
        if type(entry) is not dict:
            raise ValueError(f"{where}[{n}] {render(entry)}: must be an object")
        found.append(entry)
    return found


def _ip(entry: dict[str, Any], where: str) -> IPConfig:
    """As the kernel writes it: an IPAM may write an IPv6 address in a longer form."""
    text, hop = (_typed(entry, key, str, "", f"{where}.") for key in ("address", "gateway"))
    try:
        prefix, value = parse_interface(text)
        gateway = render_address(*parse_address(hop)) if hop else ""
    except ValueError as error:
        raise ValueError(f"{where} {words(text)}, gateway {words(hop)}: {error}") from error
    for first, last, _, what in RESERVED[prefix.version]:
        if first <= value <= last and what != "link-local":  # an IPAM may give those
            raise ValueError(f"{where}.address {words(text)}: is of {what}, no address of an interface")
    if not prefix.length:
        raise ValueError(
            f"{where}.address {words(text)}: a prefix of 0 would put the whole world on the link"
        )
    gateway = "" if gateway in routeconf.NO_HOP else gateway
    return IPConfig(f"{render_address(prefix.version, value)}/{prefix.length}", gateway, None)


def _check_together(entries: list[dict[str, Any]], ips: list[IPConfig]) -> None:
    """The field's plugins put every address on the one interface, whatever `interface` says: where an answer tells two
    interfaces apart, that would be wrong for one of them.
    """
    places = {entry["interface"] for entry in entries if type(entry.get("interface")) is int}
    if len(places) > 1:
        raise ValueError(f"ips are for the interfaces {sorted(places)}: this attachment has one")
    values = [ip.address.partition("/")[0] for ip in ips]
    twice = next((value for value in values if values.count(value) > 1), "")
    if twice:
        raise ValueError(f"ips has {twice} twice")


def _route(raw: dict[str, Any], where: str) -> Route:
    unknown = [key for key, value in raw.items() if key not in routeconf.ROUTE.keys and value is not None]
    if unknown:
        raise ValueError(
            f"{where}.{unknown[0]} {render(raw[unknown[0]])}: is no field of a route (SPEC 1.1.0)"
        )
    try:
        return routeconf.parse(raw, where)
    except BadConfig as error:
        raise ValueError(str(error)) from error


def _dns(told: dict[str, Any]) -> dict[str, Any]:
    """What a runtime's reader takes: it sees the result after all is done."""
    raw = _typed(told, "dns", dict, {})
    dns: dict[str, Any] = {}
    for key, kind in _DNS:
        value = _typed(raw, key, kind, kind(), "dns.")
        if kind is list and not all(type(item) is str for item in value):
            raise ValueError(f"dns.{key} {render(value)}: must be a list of strings")
        dns |= {key: value} if value else {}
    return dns
