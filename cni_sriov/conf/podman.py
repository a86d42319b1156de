"""podman's network -> a configuration of `sriov`: options, subnets, routes, name servers. Pure.

Of what podman keeps of a network (containers/netavark, src/network/types.rs, 00de93c) each field either becomes a key of the
conf, says nothing for a VF, or is refused in a sentence. At `create` the pools are written into the options, for podman
gives each subnet a gateway afterwards, and what the operator said cannot be told from it any more.
"""

from __future__ import annotations

from typing import Any

from ..words import jsontext
from ..words.errors import BadConfig
from ..words.inet import BITS, Prefix, render_address
from ..words.jsontext import words
from ..words.versions import VERSIONS
from . import options, values
from .values import Key, Table

# of host-subnet, where neither --subnet nor an option says how much of it an interface gets
_LENGTHS = {4: 24, 6: 64}
_SHORT = ("pool", "prefixLength", "gateway")  # of `ipam.pools`, for all of them
_POOLS = "ipam.pools"


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError("must be a list of objects")
    return value


def _words(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("must be an object of strings")
    return value


_SUBNET = Table({"subnet": values.prefix, "gateway": values.address, "lease_range": values.an_object})
_RANGE = Table({"start_ip": values.address, "end_ip": values.address})
_ROUTE = Table({"destination": values.interface, "gateway": values.address, "metric": values.whole})
NETWORK = Table(
    {
        "name": values.text,
        "driver": values.text,
        "network_interface": values.text,
        "internal": Key(values.boolean, False),
        "ipv6_enabled": Key(values.boolean, False),
        "options": Key(_words, {}),
        "ipam_options": Key(_words, {}),
        "subnets": Key(_objects, []),
        "routes": Key(_objects, []),
        "network_dns_servers": Key(values.texts, []),
    }
)


def read(network: dict[str, Any], notes: list[str], creating: bool = False) -> dict[str, Any]:
    """The conf, which netconf judges; BadConfig where podman asks for what a VF cannot be. `notes`: what has no effect.
    `creating`: nobody has completed the network yet.
    """
    told = NETWORK.read(without_null(network), "read ")
    _refuse(told)
    given = told["options"]
    conf, unknown = options.read({name: text for name, text in given.items() if name not in _SHORT})
    if creating:
        _refuse_typing_errors(unknown)
    notes += [f"option {name} is none of ours, and has no effect" for name in unknown]
    _name_pf(conf, told)
    pools = _pools(told, conf, creating)
    if pools or "ipam" in conf:
        conf["ipam"] = {"type": "host-subnet"} | conf.get("ipam", {}) | {"pools": pools}
        _refuse_other_ipam(conf["ipam"]["type"])
    _add_routes(conf, told["routes"])
    _add_name_servers(conf, told["network_dns_servers"])
    if creating and told["ipv6_enabled"] and not any(map(_is_ipv6, pools)):
        raise BadConfig("read ipv6_enabled: no pool is IPv6", "give an IPv6 --subnet, or leave --ipv6 out")
    return _enveloped(conf, told.get("name"))


def salvage(network: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """As far as it can be read: for a teardown, which goes by what is recorded, and needs to know where that is."""
    given = network.get("options")
    texts = {name: text for name, text in given.items() if type(text) is str} if type(given) is dict else {}
    conf, _ = options.read({name: text for name, text in texts.items() if name not in _SHORT}, notes)
    conf["ipam"] = {"type": "host-subnet"} | (conf["ipam"] if isinstance(conf.get("ipam"), dict) else {})
    return _enveloped(conf, network.get("name"))


def completed(network: dict[str, Any], conf: dict[str, Any]) -> dict[str, Any]:
    """The network as podman shall keep it: it leases nothing, resolves nothing, and knows the pools."""
    ipam = conf.get("ipam", {})
    changed: dict[str, Any] = {"ipam_options": {"driver": "none"}, "dns_enabled": False}
    if ipam.get("pools"):
        changed["options"] = (network.get("options") or {}) | {_POOLS: jsontext.render(ipam["pools"])}
    return network | changed


def _enveloped(conf: dict[str, Any], name: Any) -> dict[str, Any]:
    return {"cniVersion": VERSIONS[-1], "name": name, "type": "sriov"} | conf


def without_null(raw: dict[str, Any]) -> dict[str, Any]:
    """What is null was not given."""
    return {key: value for key, value in raw.items() if value is not None}


def _refuse_typing_errors(unknown: list[str]) -> None:
    """At `create` somebody is there to mend them; what is kept already goes on without."""
    for name in unknown:
        if near := options.near(name, _SHORT):
            raise BadConfig(
                f"read option {name}: there is no such key; {near} is one",
                "docs/podman.md and docs/configuration.md have them all",
            )


def _refuse(told: dict[str, Any]) -> None:
    if told["internal"]:
        raise BadConfig(
            "read internal: a VF is on the wire of its card, and nothing of podman's is between them",
            "leave --internal out; who shall not be reached is kept apart by a vlan",
        )
    driver = told["ipam_options"].get("driver", "none")
    if driver != "none":
        raise BadConfig(
            f"read ipam_options.driver {words(driver)}: addresses come of host-subnet, or there are none",
            "leave --ipam-driver out, and give a --subnet for addresses",
        )


def _is_ipv6(pool: Any) -> bool:
    """Of an option that nobody has judged yet."""
    return isinstance(pool, dict) and ":" in str(pool.get("subnet"))


def _refuse_other_ipam(kind: str) -> None:
    if kind != "host-subnet":
        raise BadConfig(
            f"read option ipam.type {words(kind)}: podman 5 has no IPAM plugins of CNI",
            "leave it out, and give a --subnet for addresses",
        )


def _name_pf(conf: dict[str, Any], told: dict[str, Any]) -> None:
    """`--interface-name`, by which podman's own drivers are told of the host's interface."""
    name = told.get("network_interface")
    if not name:
        return
    if conf.get("master", name) != name:
        raise BadConfig(
            f"read network_interface {words(name)}: option master says {words(conf['master'])}",
            "leave --interface-name out",
        )
    conf["master"] = name


# pools ---------------------------------------------------------------------------------------------------------------


def _pools(told: dict[str, Any], conf: dict[str, Any], creating: bool) -> list[dict[str, Any]]:
    given = told["options"]
    short = [name for name in _SHORT if name in given]
    written = conf.get("ipam", {}).get("pools")
    if written is not None:
        if creating and (short or told["subnets"]):
            raise BadConfig(
                f"read option {_POOLS}: the pools are given twice, by {', '.join(short) or '--subnet'} too",
                "leave one of them out",
            )
        return list(written)
    asked = [{"subnet": text.strip()} for text in given.get("pool", "").split(",") if text.strip()]
    found = [_pool(without_null(entry), n) for n, entry in enumerate([*told["subnets"], *asked])]
    if short and not found:
        raise BadConfig(f"read option {short[0]}: there is no pool", "give a --subnet, or the option pool")
    _add_lengths(found, given)
    for pool in found:
        gateway = given.get("gateway")
        if gateway is not None and "gateway" in pool:
            raise BadConfig(
                f"read option gateway {words(gateway)}: --gateway says {pool['gateway']}", "leave one out"
            )
        if gateway is not None:
            pool["gateway"] = gateway
        _confine(pool)
    return found


def _pool(raw: dict[str, Any], n: int) -> dict[str, Any]:
    """`range` and `prefix` are our own notes, and are gone in the end."""
    told = _SUBNET.read({"subnet": None} | raw, f"read subnets[{n}].")
    pool: dict[str, Any] = {"subnet": str(told["subnet"]), "prefix": told["subnet"]}
    if "gateway" in told:
        pool["gateway"] = render_address(*told["gateway"])
    lease_range = _RANGE.read(without_null(told.get("lease_range", {})), f"read subnets[{n}].lease_range.")
    if lease_range:
        pool["range"] = lease_range
    return pool


def _add_lengths(pools: list[dict[str, Any]], given: dict[str, str]) -> None:
    """`prefixLength`: one for each pool in their order, or one for all; else what is usual."""
    said = [text.strip() for text in given.get("prefixLength", "").split(",") if text.strip()]
    if len(said) > 1 and len(said) != len(pools):
        raise BadConfig(
            f"read option prefixLength {words(given['prefixLength'])}: has {len(said)} lengths for {len(pools)} pools",
            "give one for each --subnet, in their order, or one for all",
        )
    for n, pool in enumerate(pools):
        text = said[n if len(said) > 1 else 0] if said else ""
        pool["prefixLength"] = _length(pool["prefix"], text)


def _length(prefix: Prefix, text: str) -> int:
    if text:
        return int(options.typed(values.integer(0, BITS[6]), text, "read option prefixLength"))
    usual = _LENGTHS[prefix.version]
    if prefix.length >= usual:
        raise BadConfig(
            f"read subnet {prefix}: it is no larger than the /{usual} that each container gets of it",
            f"say how much that is: -o prefixLength={min(prefix.length + 4, BITS[prefix.version])}, or"
            f" {BITS[prefix.version]} for a single address each",
        )
    return usual


def _confine(pool: dict[str, Any]) -> None:
    """`--ip-range`: leases are whole subnets, and those that stick out of it are none."""
    prefix, bounds = pool.pop("prefix"), pool.pop("range", {})
    low, high = bounds.get("start_ip"), bounds.get("end_ip")
    block = 1 << max(BITS[prefix.version] - pool["prefixLength"], 0)
    for end in (low, high):
        if end is not None and not prefix.has(*end):
            raise BadConfig(
                f"read lease_range: {render_address(*end)} is not in {prefix}", "give an --ip-range within it"
            )
    exclude = []
    first = low[1] if low is not None else prefix.value
    if block > 1 and (first - 1) % block == 0 and first > prefix.value:
        first -= 1  # podman leaves the network's own address out
    if first > prefix.value:
        exclude.append((prefix.value, first - 1))
    if high is not None and high[1] < prefix.last:
        exclude.append((high[1] + 1, prefix.last))
    if exclude:
        pool["exclude"] = ["-".join(render_address(prefix.version, end) for end in ends) for ends in exclude]


# routes and name servers -----------------------------------------------------------------------------------------------


def _add_routes(conf: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    routes = [_route(without_null(raw), f"read routes[{n}].") for n, raw in enumerate(entries)]
    if not routes:
        return
    ipam = conf.get("ipam")
    if not ipam:
        raise BadConfig(
            "read routes: an interface without an address has no routes",
            "give a --subnet, or leave --route out",
        )
    ipam["routes"] = [*ipam.get("routes", []), *routes]


def _route(raw: dict[str, Any], where: str) -> dict[str, Any]:
    kind = raw.get("route_type", "unicast")
    if kind != "unicast":
        raise BadConfig(
            f"{where}route_type {words(kind)}: a plugin is told of unicast routes", "leave it out"
        )
    told = _ROUTE.read({"destination": None} | raw, where)
    route: dict[str, Any] = {"dst": raw["destination"]}
    if "gateway" in told:
        route["gw"] = raw["gateway"]
    if told.get("metric"):
        route["priority"] = told["metric"]
    return route


def _add_name_servers(conf: dict[str, Any], servers: list[str]) -> None:
    """`--dns`, and what `podman network update` added since."""
    if servers:
        dns = conf.setdefault("dns", {})
        dns["nameservers"] = list(dict.fromkeys([*dns.get("nameservers", []), *servers]))
