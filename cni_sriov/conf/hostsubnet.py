"""The `ipam` object of type host-subnet -> IpamConf: every rule, every default. Pure: it touches no file.

A known key of bad type or value is BadConfig (7) that names key and value; unknown keys are ignored (Multus, podman
and chains inject some). Requests (ips, subnets) are matched to their pool here, so that whatever depends on the
configuration alone fails before anything is locked. Imported on every ADD: no ipaddress, no re, no json.
"""

from __future__ import annotations

from typing import Any

from ..words.domain import Noun, Route
from ..words.errors import BadConfig, BadEnvironment, UnsupportedField
from ..words.inet import BITS, RESERVED, Prefix, parse_address, parse_length, parse_prefix
from ..words.jsontext import words
from ..words.lease import LeaseDir
from . import routeconf
from .keycase import Known
from .pools import Pool, want_address, want_subnet

DATA_DIR = "/var/lib/cni/host-subnet"
SCOPE = "default"
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_TYPES = {str: "a string", int: "an integer", bool: "true or false", list: "a list", dict: "an object"}


# what is read of `ipam` (conf/keycase.py); a test holds it against the schema and against the lookups below
KNOWN = Known(
    dict.fromkeys(("type", "scope", "dataDir", "onlink", "allowHostOverlap", "sticky", "resolvConf"))
    | {
        "pools": Known(dict.fromkeys(("subnet", "prefixLength", "gateway", "exclude"))),
        "routes": Known(dict.fromkeys(["dst", "gw", "mtu", "advmss", "priority", "table", "scope"])),
        "dns": Known(dict.fromkeys(("nameservers", "domain", "search", "options"))),
    }
)


class IpamConf(Noun):
    """What was asked of host-subnet. `sticky` is "namespace/name" of the pod ("" = forget the lease at release).

    `resolv_conf` is the file that `dns` is to be read from, "" = `dns` is what there is.
    """

    __slots__ = (
        "allow_host_overlap",
        "dns",
        "lease_dir",
        "onlink",
        "pools",
        "resolv_conf",
        "routes",
        "sticky",
        "wants_sticky",
    )

    def __init__(
        self,
        lease_dir: LeaseDir,
        pools: list[Pool],
        routes: list[Route],
        dns: dict[str, Any],
        onlink: bool = False,
        allow_host_overlap: bool = False,
        wants_sticky: bool = False,
        sticky: str = "",
        resolv_conf: str = "",
    ) -> None:
        self.lease_dir = lease_dir
        self.pools = pools
        self.routes = routes
        self.dns = dns
        self.onlink = onlink
        self.allow_host_overlap = allow_host_overlap
        self.wants_sticky = wants_sticky
        self.sticky = sticky
        self.resolv_conf = resolv_conf


def parse(
    ipam: dict[str, Any], runtime_config: dict[str, Any], args_cni: dict[str, Any], cni_args: dict[str, str]
) -> IpamConf:
    """The one entry; `cni_args` is the parsed CNI_ARGS."""
    pools = [_parse_pool(raw, f"ipam.pools[{n}]") for n, raw in enumerate(_get(ipam, "pools", list, []))]
    if not pools:
        raise BadConfig(
            "ipam.pools: at least one pool is needed", 'like [{"subnet": "10.10.0.0/16", "prefixLength": 24}]'
        )
    if len(pools) > 16:
        raise BadConfig(
            f"ipam.pools: {len(pools)} entries, but an interface gets one lease of each: at most 16"
        )
    lease_dir = parse_lease_dir(ipam)
    wants_sticky = _get(ipam, "sticky", bool, False)
    dns = _parse_dns(_get(ipam, "dns", dict, {}))
    conf = IpamConf(
        lease_dir,
        pools,
        _parse_routes(ipam, {pool.version for pool in pools}),
        dns,
        _get(ipam, "onlink", bool, False),
        _get(ipam, "allowHostOverlap", bool, False),
        wants_sticky,
        _sticky_name(cni_args) if wants_sticky else "",
        _parse_resolv_conf(ipam, dns),
    )
    _parse_requests(pools, runtime_config, args_cni, cni_args)
    return conf


def parse_lease_dir(ipam: dict[str, Any]) -> LeaseDir:
    """Where the leases are: all that DEL needs, so that a DEL goes through whatever else is wrong in the conf."""
    scope = _get(ipam, "scope", str, SCOPE)
    if not (0 < len(scope) <= 64 and _is_name(scope)):
        raise BadConfig(
            f"ipam.scope {words(scope)}: must be 1-64 of A-Z a-z 0-9 _ . - and begin with a letter or digit"
        )
    data_dir = _get(ipam, "dataDir", str, DATA_DIR)
    parts = data_dir.split("/")
    clean = len(parts) > 1 and parts[0] == "" and all(part not in ("", ".", "..") for part in parts[1:])
    # leases/node.py registers it under a file name made of it
    short = len(data_dir.encode("utf-8", "replace")) + 2 * (data_dir.count("/") + data_dir.count("%")) <= 190
    if not (clean and short and data_dir.isprintable()):
        raise BadConfig(
            f"ipam.dataDir {words(data_dir)}: must be an absolute path without . .. or doubled slashes, and not too long"
        )
    return LeaseDir(data_dir, scope)


def _get(raw: dict[str, Any], key: str, kind: type, default: Any, where: str = "ipam") -> Any:
    """`type() is`, not isinstance: booleans are not integers here."""
    value = raw.get(key, default)
    if type(value) is not kind and key in raw:
        raise BadConfig(f"{where}.{key} {words(value)}: must be {_TYPES[kind]}")
    return value


def _is_name(text: str) -> bool:
    return bool(text) and _NAME_CHARS.issuperset(text) and text[0] not in "_.-"


def _checked(parser: Any, text: Any, where: str) -> Any:
    """Run a parser of words/inet.py on a JSON value and name the key if it does not like it."""
    if type(text) is not str:
        raise BadConfig(f"{where} {words(text)}: must be a string")
    try:
        return parser(text)
    except ValueError as error:
        raise BadConfig(f"{where}: {error}") from error


def _parse_pool(raw: Any, where: str) -> Pool:
    if type(raw) is not dict:
        raise BadConfig(f"{where} {words(raw)}: must be an object")
    subnets = raw.get("subnet")
    texts = subnets if type(subnets) is list else [subnets]
    prefixes = [_checked(parse_prefix, text, f"{where}.subnet") for text in texts]
    if not prefixes or len({prefix.version for prefix in prefixes}) > 1:
        raise BadConfig(f"{where}.subnet {words(subnets)}: must be one or more subnets of one IP family")
    for prefix in prefixes:
        what = _reserved(prefix.version, prefix.value, prefix.last)
        if what:
            raise BadConfig(f"{where}.subnet {prefix}: is {what}, and so no interface's address")
    length = _parse_length(raw, prefixes, where)
    gateway, next_hop = _parse_gateway(raw, prefixes[0].version, length, where)
    excludes = [
        _parse_range(text, prefixes[0].version, f"{where}.exclude")
        for text in _get(raw, "exclude", list, [], where)
    ]
    pool = Pool(prefixes, length, gateway, next_hop, excludes)
    if not pool.has_room():
        raise BadConfig(
            f"{where}: no /{length} of {', '.join(map(str, prefixes))} can ever be leased",
            "all of it is excluded, reserved, or holds the gateway's address",
        )
    return pool


def _parse_length(raw: dict[str, Any], prefixes: list[Prefix], where: str) -> int:
    if "prefixLength" not in raw:
        raise BadConfig(
            f"{where}.prefixLength: is needed", "the length of the subnet that each interface gets, like 24"
        )
    length: int = _get(raw, "prefixLength", int, 0, where)
    shortest, longest = max(prefix.length for prefix in prefixes), BITS[prefixes[0].version]
    if not shortest <= length <= longest:
        raise BadConfig(
            f"{where}.prefixLength {length}: must be {shortest}-{longest} to lie within {prefixes[0]}"
        )
    return length


def _parse_gateway(raw: dict[str, Any], version: int, length: int, where: str) -> tuple[str, int | None]:
    spare = BITS[version] - length
    text = _get(raw, "gateway", str, "none" if spare <= 1 else "first", where)
    if text == "none":
        return text, None
    if text in ("first", "last"):
        if spare == 0:
            raise BadConfig(
                f"{where}.gateway {words(text)}: a /{length} has no room for a gateway",
                'use "none" or an address',
            )
        return text, None
    family, value = _checked(parse_address, text, f"{where}.gateway (first, last, none or an address)")
    if family != version:
        raise BadConfig(f"{where}.gateway {words(text)}: must be of the pool's family, IPv{version}")
    what = _reserved(version, value, value)
    if what and what != "link-local":  # fe80::1 is a router, 169.254.1.1 is calico's
        raise BadConfig(f"{where}.gateway {words(text)}: is {what}, and so no router's address")
    return "address", value


def _reserved(version: int, first: int, last: int) -> str:
    """What a range is if all of it is reserved for one thing. Where a pool only holds such a range, it is skipped."""
    for low, high, _, what in RESERVED[version]:
        if low <= first and last <= high:
            return what
    return ""


def _parse_range(text: Any, version: int, where: str) -> tuple[int, int]:
    """A CIDR, an address, or a-b (both included)."""
    if type(text) is str and "/" in text:
        prefix = _checked(parse_prefix, text, where)
        low, high = (prefix.version, prefix.value), (prefix.version, prefix.last)
    else:
        first, dash, last = text.partition("-") if type(text) is str else (text, "", "")
        low = _checked(parse_address, first.strip() if dash else first, where)
        high = _checked(parse_address, last.strip(), where) if dash else low
    if low[0] != version or high[0] != version or low > high:
        raise BadConfig(f"{where} {words(text)}: must be a range of IPv{version}, lowest address first")
    return low[1], high[1]


def _parse_routes(ipam: dict[str, Any], families: set[int]) -> list[Route]:
    routes = []
    for n, raw in enumerate(_get(ipam, "routes", list, [])):
        where = f"ipam.routes[{n}]"
        if type(raw) is not dict:
            raise BadConfig(f"{where} {words(raw)}: must be an object")
        try:
            route = routeconf.parse(raw, where)
        except ValueError as error:
            raise BadConfig(str(error)) from error
        version = 6 if ":" in route.dst else 4
        if version not in families:
            raise BadConfig(f"{where}.dst {route.dst}: no pool is IPv{version}")
        routes.append(route)
    return routes


def _parse_dns(raw: dict[str, Any]) -> dict[str, Any]:
    dns: dict[str, Any] = {}
    for key, kind in (("nameservers", list), ("domain", str), ("search", list), ("options", list)):
        if key not in raw:
            continue
        dns[key] = _get(raw, key, kind, None, "ipam.dns")
        if kind is list and not all(type(item) is str for item in dns[key]):
            raise BadConfig(f"ipam.dns.{key} {words(dns[key])}: must be a list of strings")
    return dns


def _parse_resolv_conf(ipam: dict[str, Any], dns: dict[str, Any]) -> str:
    """host-local's key; `ipam.dns` says it outright, and so wins as a whole."""
    path: str = _get(ipam, "resolvConf", str, "")
    if path and (path[0] != "/" or path[-1] == "/" or not path.isprintable()):
        raise BadConfig(f"ipam.resolvConf {words(path)}: must be the absolute path of a file")
    return "" if any(dns.values()) else path


def _sticky_name(cni_args: dict[str, str]) -> str:
    """namespace/pod as kubelet's runtimes send it; podman 4 sends the container's name as K8S_POD_NAME alone."""
    name, namespace = cni_args.get("K8S_POD_NAME", ""), cni_args.get("K8S_POD_NAMESPACE", "")
    for key, text in (("K8S_POD_NAME", name), ("K8S_POD_NAMESPACE", namespace)):
        if text and not (_is_name(text) and len(text) <= 253):
            raise BadEnvironment(f"CNI_ARGS {key} {words(text)}: must be 1-253 of A-Z a-z 0-9 _ . -")
    return f"{namespace}/{name}" if name else ""


def _parse_requests(
    pools: list[Pool], runtime_config: dict[str, Any], args_cni: dict[str, Any], cni_args: dict[str, str]
) -> None:
    """All of them together, as host-local has it: each is granted or the ADD fails, and the same one twice is once.

    containernetworking/plugins v1.9, plugins/ipam/host-local: LoadIPAMConfig in backend/allocator/config.go puts them
    into one list, cmdAdd in main.go makes a set of it and fails if one is left.
    """
    ranges = runtime_config.get("ipRanges")
    if ranges:  # host-local's: whoever asks for one must not get an address from elsewhere
        raise UnsupportedField(
            f"read runtimeConfig.ipRanges {words(ranges)}: host-subnet leases subnets of its pools",
            'ask for an address with "ips", or use host-local',
        )
    for where, text in _given(
        ("args.cni.subnets", args_cni, "subnets"), ("CNI_ARGS SUBNET", cni_args, "SUBNET")
    ):
        want_subnet(pools, f"{where} {words(text)}", _checked(parse_prefix, text, where))
    for where, text in _given(
        ("runtimeConfig.ips", runtime_config, "ips"),
        ("args.cni.ips", args_cni, "ips"),
        ("CNI_ARGS IP", cni_args, "IP"),
    ):
        want_address(pools, f"{where} {words(text)}", *_checked(_parse_request, text, where))


def _given(*sources: tuple[str, dict[str, Any], str]) -> list[tuple[str, Any]]:
    """(source, text) of all that is asked; null and "" ask nothing."""
    found = []
    for where, raw, key in sources:
        if raw.get(key) in (None, ""):
            continue
        if where.startswith("CNI_ARGS"):
            items: list[Any] = [text.strip() for text in raw[key].split(",") if text.strip()]
        else:
            items = _get(raw, key, list, [], where.rpartition(".")[0])
        found += [(where, item) for item in items]
    return found


def _parse_request(text: str) -> tuple[int, int, int | None]:
    """(version, value, length). An IPv4-mapped one is IPv4, as for Go's net.IP, and so for host-local."""
    address, slash, rest = text.partition("/")
    version, value = parse_address(address)
    length = parse_length(rest, version) if slash else None
    if version == 6 and value >> 32 == 0xFFFF:
        return 4, value & 0xFFFFFFFF, None if length is None else max(length - 96, 0)
    return version, value, length
