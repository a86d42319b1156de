"""The `ipam` object of type host-subnet -> IpamConf: every rule, every default. Pure: it touches no file.

A known key of bad type or value is BadConfig (7) that names key and value; unknown keys are ignored (Multus, podman
and chains inject some). Requests (ips, subnets) are matched to their pool here, so that whatever depends on the
configuration alone fails before anything is locked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeGuard

from ..words.domain import Route
from ..words.errors import BadConfig
from ..words.inet import BITS, RESERVED, Prefix
from ..words.jsontext import words
from ..words.lease import LeaseDir
from ..words.names import is_path
from . import blockconf, pools, routeconf, values
from .pools import GATEWAYS, Gateway, Pool, Wanted
from .requests import Requests
from .values import DNS, Key, Table

DATA_DIR = "/var/lib/cni/host-subnet"
SCOPE = "default"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile("([1-9][0-9]{0,3})([smhd])")
_LONGEST = 9999 * 86400


def is_asked(section: object) -> TypeGuard[dict[str, Any]]:
    """Whether `ipam`, as a conf has it, is of this type; the conf may be one that nobody has judged."""
    return isinstance(section, dict) and section.get("type") == "host-subnet"


def _data_dir(value: Any) -> str:
    path: str = values.text(value)
    # leases/node.py registers it under a file name made of it
    size = len(path.encode("utf-8", "replace")) + 2 * (path.count("/") + path.count("%"))
    if size > 190 or not is_path(path):
        raise ValueError("must be an absolute path without . .. or doubled slashes, and not too long")
    return path


def _resolv_conf(value: Any) -> str:
    path: str = values.text(value)
    if path and (path[0] != "/" or path[-1] == "/" or not path.isprintable()):
        raise ValueError("must be the absolute path of a file")
    return path


def _lifetime(value: Any) -> int:
    """Seconds."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else value
    if type(seconds) is not int or not 0 < seconds <= _LONGEST:
        raise ValueError('must be seconds, or 1 to 9999 and one of s, m, h, d, like "12h"')
    return seconds


def _strings(value: Any) -> list[str]:
    if not all(type(item) is str for item in values.a_list(value)):
        raise ValueError("must be a list of strings")
    return list(value)


POOL = Table(
    {
        "subnet": None,
        "prefixLength": values.whole,
        "gateway": values.text,
        "exclude": Key(values.a_list, []),
        "blocks": Key(values.an_object, below=blockconf.BLOCKS),
    }
)
_DNS = Table(DNS.parsers | dict.fromkeys(("nameservers", "search", "options"), _strings))
PLACE = Table({"scope": Key(values.name, SCOPE), "dataDir": Key(_data_dir, DATA_DIR)})
IPAM = Table(
    {
        "type": None,
        "pools": Key(values.a_list, [], below=POOL),
        **PLACE.rows,
        "sticky": Key(values.boolean, False),
        "stickyLifetime": Key(_lifetime, 0),
        "dns": Key(values.an_object, below=_DNS),
        "routes": Key(values.a_list, [], below=routeconf.ROUTE),
        "onlink": Key(values.boolean, False),
        "allowHostOverlap": Key(values.boolean, False),
        "resolvConf": Key(_resolv_conf, ""),
    }
)


@dataclass(slots=True)
class IpamConf:
    """What was asked of host-subnet. `sticky` is "namespace/name" of the pod ("" = forget the lease at release).

    `sticky_lifetime`: for how many seconds they are kept for it, 0 = for as long as there is room. `wanted` is what is
    requested of each pool. `resolv_conf` is the file that `dns` is to be read from, "" = `dns` is
    what there is.
    """

    lease_dir: LeaseDir
    pools: list[Pool]
    wanted: list[Wanted | None]
    routes: list[Route]
    dns: dict[str, Any]
    onlink: bool
    allow_host_overlap: bool
    wants_sticky: bool
    sticky: str
    resolv_conf: str
    sticky_lifetime: int = 0

    @property
    def shared(self) -> list[Pool]:
        """The pools that other nodes cut from as well."""
        return [pool for pool in self.pools if pool.blocks is not None]


def parse(ipam: dict[str, Any], requests: Requests | None = None) -> IpamConf:
    """The one entry."""
    requests = requests or Requests()
    told = IPAM.read(ipam, "ipam.")
    found = _pools(told["pools"])
    dns = _DNS.read(told.get("dns", {}), "ipam.dns.")
    return IpamConf(
        lease_dir=LeaseDir(told["dataDir"], told["scope"]),
        pools=found,
        routes=_routes(told["routes"], {pool.version for pool in found}),
        dns=dns,
        onlink=told["onlink"],
        allow_host_overlap=told["allowHostOverlap"],
        wants_sticky=told["sticky"],
        sticky=requests.pod() if told["sticky"] else "",
        # host-local's key; `ipam.dns` says it outright, and so wins as a whole
        resolv_conf="" if any(dns.values()) else told["resolvConf"],
        wanted=pools.wanted(found, requests.subnets(), requests.addresses()),
        sticky_lifetime=told["stickyLifetime"],
    )


def parse_lease_dir(ipam: dict[str, Any]) -> LeaseDir:
    """Where the leases are: all that DEL needs, so that a DEL goes through whatever else is wrong in the conf."""
    told = PLACE.read(ipam, "ipam.")
    return LeaseDir(told["dataDir"], told["scope"])


def _pools(entries: list[Any]) -> list[Pool]:
    found = [
        _pool(values.parsed(values.an_object, raw, f"ipam.pools[{n}]"), f"ipam.pools[{n}]")
        for n, raw in enumerate(entries)
    ]
    if not found:
        raise BadConfig(
            "ipam.pools: at least one pool is needed", 'like [{"subnet": "10.10.0.0/16", "prefixLength": 24}]'
        )
    if len(found) > 16:
        raise BadConfig(
            f"ipam.pools: {len(found)} entries, but an interface gets one lease of each: at most 16"
        )
    return found


def _pool(raw: dict[str, Any], where: str) -> Pool:
    prefixes = _prefixes(raw.get("subnet"), f"{where}.subnet")
    told = POOL.read(raw, f"{where}.")
    version = prefixes[0].version
    length = _length(told.get("prefixLength"), prefixes, where)
    gateway, next_hop = _gateway(told.get("gateway"), version, length, f"{where}.gateway")
    excludes = [_range(entry, version, f"{where}.exclude") for entry in told["exclude"]]
    pool = Pool(prefixes, length, gateway, next_hop, excludes)
    if "blocks" in told:
        pool.blocks = blockconf.parse(told["blocks"], prefixes, length, f"{where}.blocks")
    if not pool.has_room():
        raise BadConfig(
            f"{where}: no /{length} of {', '.join(map(str, prefixes))} can ever be leased",
            "all of it is excluded, reserved, or holds the gateway's address",
        )
    return pool


def _prefixes(value: Any, where: str) -> list[Prefix]:
    """One subnet, or a list of them."""
    texts = value if isinstance(value, list) else [value]
    prefixes = [values.parsed(values.prefix, text, where) for text in texts]
    if len({prefix.version for prefix in prefixes}) != 1:
        raise BadConfig(f"{where} {words(value)}: must be one or more subnets of one IP family")
    for prefix in prefixes:
        what = _reserved(prefix.version, prefix.value, prefix.last)
        if what:
            raise BadConfig(f"{where} {prefix}: is {what}, and so no interface's address")
    return prefixes


def _length(length: int | None, prefixes: list[Prefix], where: str) -> int:
    if length is None:
        raise BadConfig(
            f"{where}.prefixLength: is needed", "the length of the subnet that each interface gets, like 24"
        )
    shortest, longest = max(prefix.length for prefix in prefixes), BITS[prefixes[0].version]
    if not shortest <= length <= longest:
        raise BadConfig(
            f"{where}.prefixLength {length}: must be {shortest}-{longest} to lie within {prefixes[0]}"
        )
    return length


def _gateway(given: str | None, version: int, length: int, where: str) -> tuple[Gateway, int | None]:
    """One of the words, or "address" and the address."""
    spare = BITS[version] - length
    text = given if given is not None else "none" if spare <= 1 else "first"
    word = GATEWAYS.get(text)
    if word in ("first", "last") and spare == 0:
        raise BadConfig(
            f"{where} {words(text)}: a /{length} has no room for a gateway", 'use "none" or an address'
        )
    if word:
        return word, None
    family, value = values.parsed(values.address, text, f"{where} (first, last, none or an address)")
    if family != version:
        raise BadConfig(f"{where} {words(text)}: must be of the pool's family, IPv{version}")
    what = _reserved(version, value, value)
    if what and what != "link-local":  # fe80::1 is a router, 169.254.1.1 is calico's
        raise BadConfig(f"{where} {words(text)}: is {what}, and so no router's address")
    return "address", value


def _reserved(version: int, first: int, last: int) -> str:
    """What a range is if all of it is reserved for one thing. Where a pool only holds such a range, it is skipped."""
    for low, high, _, what in RESERVED[version]:
        if low <= first and last <= high:
            return what
    return ""


def _range(value: Any, version: int, where: str) -> tuple[int, int]:
    """A CIDR, an address, or a-b (both included)."""
    if isinstance(value, str) and "/" in value:
        prefix = values.parsed(values.prefix, value, where)
        low, high = (prefix.version, prefix.value), (prefix.version, prefix.last)
    else:
        ends = value.split("-", 1) if isinstance(value, str) else [value]
        found = [values.parsed(values.address, end.strip() if ends[1:] else end, where) for end in ends]
        low, high = found[0], found[-1]
    if low[0] != version or high[0] != version or low > high:
        raise BadConfig(f"{where} {words(value)}: must be a range of IPv{version}, lowest address first")
    return low[1], high[1]


def _routes(entries: list[Any], families: set[int]) -> list[Route]:
    routes = []
    for n, raw in enumerate(entries):
        where = f"ipam.routes[{n}]"
        route = routeconf.parse(values.parsed(values.an_object, raw, where), where)
        version = 6 if ":" in route.dst else 4
        if version not in families:
            raise BadConfig(f"{where}.dst {route.dst}: no pool is IPv{version}")
        routes.append(route)
    return routes
