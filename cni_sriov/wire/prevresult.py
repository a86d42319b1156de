"""The result of the plugins before us (`prevResult`), in the form of the configuration's cniVersion. Pure.

libcni converts what it kept before it sends it (getCachedResult), and a plugin of the library refuses a result of
another form (ParsePrevResult, pkg/version/version.go of containernetworking/cni, 3f51e88). Others just send what they
have: it is converted as the library would (pkg/types/020, 040, 100), or refused, and never left out in silence.
"""

from __future__ import annotations

from typing import Any

from ..conf import values
from ..conf.keycase import Folded
from ..conf.values import DNS, Key, Table
from ..words.errors import IncompatibleVersion
from ..words.jsontext import words
from ..words.versions import VERSIONS


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError("must be a list of objects")
    return value


def _hop(value: Any) -> Any:
    return value if value == "" else values.address(value)  # net.IP takes "" for none


# What is in it is refused where the library's types refuse it (pkg/types/types.go, pkg/types/100/types.go), and only there
_number = values.integer(-(1 << 63), (1 << 63) - 1, "must be an integer of 64 bits")
_INTERFACE = Table(
    dict.fromkeys(("name", "mac", "sandbox", "pciID", "socketPath"), values.text) | {"mtu": _number}
)
_IP = Table({"address": values.interface, "gateway": _hop, "interface": _number, "version": values.text})
_ROUTE = Table(
    {"dst": values.interface, "gw": _hop}
    | dict.fromkeys(("mtu", "advmss", "priority", "table", "scope"), _number)
)
_FAMILY = Table({"ip": values.interface, "gateway": _hop, "routes": Key(_objects, below=_ROUTE)})
RESULT = Table(  # what any plugin may answer, in all versions
    {
        "cniVersion": None,
        "interfaces": Key(_objects, below=_INTERFACE),
        "ips": Key(_objects, below=_IP),
        "routes": Key(_objects, below=_ROUTE),
        "dns": Key(values.an_object, below=DNS),
        "ip4": Key(values.an_object, below=_FAMILY),
        "ip6": Key(values.an_object, below=_FAMILY),
    }
)
_SINCE_1_0 = ("mtu", "pciID", "socketPath")  # of an interface


def settle(conf: dict[str, Any]) -> None:
    """Make conf's prevResult one that can be used; null, "" and {} are none. BadConfig, IncompatibleVersion."""
    prev = conf.get("prevResult")
    if prev is None or prev in ("", {}):
        conf.pop("prevResult", None)
    elif isinstance(prev, dict):  # netconf refuses what is no object
        version = conf["cniVersion"]
        folded = Folded(prev, RESULT)
        folded.refuse_clashes()
        conf["prevResult"] = _converted(folded.conf, version if version in VERSIONS else VERSIONS[-1])


def families(prev: dict[str, Any] | None) -> list[int]:
    """IP version of each address."""
    prev = prev or {}
    if "ips" not in prev:
        return [int(key[2]) for key in ("ip4", "ip6") if prev.get(key)]
    return [6 if ":" in entry["address"] else 4 for entry in prev["ips"]]


def _converted(prev: dict[str, Any], version: str) -> dict[str, Any]:
    told = prev.get("cniVersion") or version  # before 1.0.0 results need not tell theirs
    if told not in VERSIONS:
        raise IncompatibleVersion(
            f"read prevResult: its cniVersion {words(told)} is not supported",
            f"supported: {', '.join(VERSIONS)}",
        )
    _check(prev)
    made = _without_families(prev, version)
    if version < "0.3.0":
        return _by_family(made, version)
    made["ips"] = [_ip(entry, version) for entry in made["ips"]]
    if version < "1.0.0" and "interfaces" in made:
        made["interfaces"] = [_without(entry, _SINCE_1_0) for entry in made["interfaces"]]
    return made


def _check(prev: dict[str, Any]) -> None:
    where = "read prevResult."
    RESULT.read(prev, where)
    for key, table, needed in (
        ("interfaces", _INTERFACE, ""),
        ("ips", _IP, "address"),
        ("routes", _ROUTE, ""),
    ):
        for entry in prev.get(key, []):
            table.read(({needed: None} if needed else {}) | entry, f"{where}{key}.")
    DNS.read(prev.get("dns", {}), f"{where}dns.")
    for key in ("ip4", "ip6"):
        if prev.get(key):
            family = _FAMILY.read({"ip": None} | prev[key], f"{where}{key}.")
            for route in family.get("routes", []):
                _ROUTE.read(route, f"{where}{key}.routes.")


def _without_families(prev: dict[str, Any], version: str) -> dict[str, Any]:
    """As from 0.3.0 on; ip4 and ip6 of before in `ips` and `routes`."""
    made = {key: value for key, value in prev.items() if key not in {"ip4", "ip6"}}
    made |= {
        "cniVersion": version,
        "ips": list(prev.get("ips", [])),
        "routes": list(prev.get("routes", [])),
    }
    for key in ("ip4", "ip6") if not made["ips"] else ():
        family = prev.get(key)
        if family:
            entry = {"address": family["ip"], "gateway": family.get("gateway")}
            made["ips"].append({name: value for name, value in entry.items() if value})
            made["routes"] += family.get("routes", [])
    return made


def _ip(entry: dict[str, Any], version: str) -> dict[str, Any]:
    if version >= "1.0.0":
        return _without(entry, ("version",))
    return entry | {"version": "6" if ":" in entry["address"] else "4"}


def _by_family(made: dict[str, Any], version: str) -> dict[str, Any]:
    """Up to 0.2.0: one address of each family, and no interfaces (040's convertTo02x; it drops the second address)."""
    document: dict[str, Any] = {"cniVersion": version, "dns": made.get("dns", {})}
    for entry in made["ips"]:
        key = "ip6" if ":" in entry["address"] else "ip4"
        if key in document:
            raise IncompatibleVersion(
                f"read prevResult: it has several addresses, and cniVersion {version} has room for one per family",
                "use cniVersion 0.3.0 or later",
            )
        routes = [route for route in made["routes"] if (":" in str(route.get("dst"))) == (key == "ip6")]
        document[key] = {"ip": entry["address"], "routes": routes}
        if entry.get("gateway"):
            document[key]["gateway"] = entry["gateway"]
    return document


def _without(entry: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}
