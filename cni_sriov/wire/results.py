"""What a call answers: a Result or CniError to JSON per cniVersion. Pure. Source: CNI SPEC 1.1.0, "Result types", "Error"."""

from __future__ import annotations

from typing import Any

from ..words import jsontext
from ..words.domain import Interface, IPConfig, Result, Route
from ..words.errors import BadConfig, CniError, IncompatibleVersion
from ..words.versions import VERSIONS


def render_error(error: CniError, version: Any) -> str:
    document = {
        "cniVersion": version if version in VERSIONS else VERSIONS[-1],
        "code": error.code,
        "msg": error.msg,
    }
    if error.details:
        document["details"] = error.details
    return jsontext.render(document)


def check_carries(version: str, families: list[int]) -> None:
    """Before anything is changed: up to 0.2.0 a result has room for one address of each family."""
    if version < "0.3.0" and len(set(families)) < len(families):
        raise IncompatibleVersion(
            f"add with cniVersion {version}: its result carries one address per family, and there would be more",
            "use cniVersion 0.3.0 or later",
        )


def check_carries_routes(version: str, routes: list[Route]) -> None:
    """Before anything is reserved: what a main plugin is not told, it does not do. type sriov does it by itself."""
    for n, route in enumerate(routes):
        for key in ("mtu", "advmss", "priority", "table", "scope") if version < "1.1.0" else ():
            if getattr(route, key):
                raise BadConfig(
                    f"ipam.routes[{n}].{key} {getattr(route, key)}: a result of cniVersion {version} cannot tell it to the"
                    " main plugin",
                    "use cniVersion 1.1.0, or type sriov",
                )


def render_result(result: Result, version: str, prev: dict[str, Any] | None = None) -> str:
    """SPEC "Success": up to 0.2.0 ip4 and ip6; 0.3.x and 0.4.0 want ips[].version; 1.1.0 has mtu, pciID, route scope.

    `prev` is what plugins before us in the chain made, in the same form (wire/prevresult.py): passed on, with ours behind it.
    """
    if version < "0.3.0":
        return _render_by_family(result, version, prev or {})
    new = version == "1.1.0"
    before = {key: _list_of(prev, key) for key in ("interfaces", "ips", "routes")}
    document: dict[str, Any] = {"cniVersion": version}
    interfaces = before["interfaces"] + [_interface(entry, new) for entry in result.interfaces]
    if interfaces:
        document["interfaces"] = interfaces
    document["ips"] = before["ips"] + [_ip(entry, version, len(before["interfaces"])) for entry in result.ips]
    document["routes"] = before["routes"] + [_route(entry, new) for entry in result.routes]
    document["dns"] = result.dns or (prev or {}).get("dns", {})
    return jsontext.render(document)


def _list_of(prev: dict[str, Any] | None, key: str) -> list[Any]:
    value = (prev or {}).get(key)
    return value if isinstance(value, list) else []


def _render_by_family(result: Result, version: str, prev: dict[str, Any]) -> str:
    document: dict[str, Any] = {"cniVersion": version}
    document |= {key: prev[key] for key in ("ip4", "ip6") if prev.get(key)}
    for entry in result.ips:
        v6 = ":" in entry.address
        family: dict[str, Any] = {"ip": entry.address}
        if entry.gateway:
            family["gateway"] = entry.gateway
        family["routes"] = [_route(route, False) for route in result.routes if (":" in route.dst) == v6]
        document["ip6" if v6 else "ip4"] = family
    document["dns"] = result.dns or prev.get("dns", {})
    return jsontext.render(document)


def _interface(entry: Interface, new: bool) -> dict[str, Any]:
    """What no netdev has (a VF for a program in user space) is not told."""
    document: dict[str, Any] = {"name": entry.name}
    document |= {"mac": entry.mac} if entry.mac else {}
    document["sandbox"] = entry.sandbox
    if new:
        document |= {"mtu": entry.mtu} if entry.mtu else {}
        document |= {"pciID": entry.pci_id} if entry.pci_id else {}  # a tap of VPP's is no PCI device
    return document


def _ip(entry: IPConfig, version: str, offset: int) -> dict[str, Any]:
    document: dict[str, Any] = {"address": entry.address}
    if version < "1.0.0":
        document["version"] = "6" if ":" in entry.address else "4"
    if entry.gateway:
        document["gateway"] = entry.gateway
    if entry.interface is not None:
        document["interface"] = offset + entry.interface
    return document


def _route(entry: Route, new: bool) -> dict[str, Any]:
    """Before 1.1.0 a route has dst and gw alone. `table` is told all the same: without it the route would read as one of
    the main table. Readers of those versions take it (types.Route of containernetworking/cni 1.3 is one for all).
    """
    document: dict[str, Any] = {"dst": entry.dst}
    for key in ("gw", "scope", "priority", "table", "mtu", "advmss"):
        value = getattr(entry, key)
        if value and (new or key in {"gw", "table"}):
            document[key] = value
    return document
