"""The `ipam` object of type host-subnet -> IpamConf: every rule, every default. Pure: it touches no file.

A known key of bad type or value is BadConfig (7) that names key and value; unknown keys are ignored (Multus, podman
and chains inject some). Requests (ips, subnets) are matched to their pool here, so that whatever depends on the
configuration alone fails before anything is locked. Imported on every ADD: no ipaddress, no re, no json.
"""

from __future__ import annotations

from .domain import Noun, Route
from .errors import BadConfig, BadEnvironment, UnsupportedField
from .inet import BITS, Prefix, parse_address, parse_interface, parse_prefix, prefix_around, render_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATA_DIR = "/var/lib/cni/host-subnet"
SCOPE = "default"
_NAME_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_TYPES = {str: "a string", int: "an integer", bool: "true or false", list: "a list", dict: "an object"}


class Pool(Noun):
    """One entry of `pools`: it yields one lease of `/length`, cut from the first of `prefixes` that has room.

    `gateway`: "first", "last", "none", or "address"; then `next_hop` is the gateway, on link and outside every lease.
    `exclude` holds (first, last) pairs. `wanted` and `wanted_address` are what was requested of this pool.
    """

    __slots__ = ("exclude", "gateway", "length", "next_hop", "prefixes", "wanted", "wanted_address")

    def __init__(
        self,
        prefixes: list[Prefix],
        length: int,
        gateway: str = "first",
        next_hop: int | None = None,
        exclude: list[tuple[int, int]] | None = None,
    ) -> None:
        self.prefixes = prefixes
        self.length = length
        self.gateway = gateway
        self.next_hop = next_hop
        self.exclude = exclude or []
        self.wanted: Prefix | None = None
        self.wanted_address: int | None = None

    @property
    def version(self) -> int:
        return self.prefixes[0].version

    @property
    def key(self) -> str:
        """Names the next-fit cursor; a file name."""
        return f"{self.prefixes[0]}_{self.length}".replace("/", "_")

    def usable(self, subnet: Prefix) -> tuple[int, int]:
        """First and last host address. RFC 3021 (/31) and RFC 6164 (/127): both ends are; v6 has no broadcast."""
        spare = BITS[subnet.version] - subnet.length
        if spare <= 1:
            return subnet.value, subnet.last
        return subnet.value + 1, subnet.last - (subnet.version == 4)

    def gateway_of(self, subnet: Prefix) -> int | None:
        first, last = self.usable(subnet)
        return {"first": first, "last": last, "none": None, "address": self.next_hop}[self.gateway]

    def address_of(self, subnet: Prefix) -> int:
        """The interface's address: the first usable one that is not the gateway's."""
        first, _ = self.usable(subnet)
        return first + 1 if first == self.gateway_of(subnet) else first

    def holds(self, subnet: Prefix) -> Prefix | None:
        """The prefix of this pool that the subnet can be cut from."""
        for prefix in self.prefixes:
            if prefix.contains(subnet):
                return prefix
        return None


class IpamConf(Noun):
    """What was asked of host-subnet. `sticky` is "namespace/name" of the pod ("" = forget the lease at release)."""

    __slots__ = (
        "allow_host_overlap",
        "data_dir",
        "dns",
        "onlink",
        "pools",
        "routes",
        "scope",
        "sticky",
        "wants_sticky",
    )

    def __init__(
        self,
        scope: str,
        data_dir: str,
        pools: list[Pool],
        routes: list[Route],
        dns: dict[str, Any],
        onlink: bool = False,
        allow_host_overlap: bool = False,
        wants_sticky: bool = False,
        sticky: str = "",
    ) -> None:
        self.scope = scope
        self.data_dir = data_dir
        self.pools = pools
        self.routes = routes
        self.dns = dns
        self.onlink = onlink
        self.allow_host_overlap = allow_host_overlap
        self.wants_sticky = wants_sticky
        self.sticky = sticky


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
    scope, data_dir = parse_place(ipam)
    wants_sticky = _get(ipam, "sticky", bool, False)
    conf = IpamConf(
        scope,
        data_dir,
        pools,
        _parse_routes(ipam, {pool.version for pool in pools}),
        _parse_dns(_get(ipam, "dns", dict, {})),
        _get(ipam, "onlink", bool, False),
        _get(ipam, "allowHostOverlap", bool, False),
        wants_sticky,
        _sticky_name(cni_args) if wants_sticky else "",
    )
    _parse_requests(pools, runtime_config, args_cni, cni_args)
    return conf


def parse_place(ipam: dict[str, Any]) -> tuple[str, str]:
    """(scope, data directory): all that DEL needs, so that a DEL goes through whatever else is wrong in the conf."""
    scope = _get(ipam, "scope", str, SCOPE)
    if not (0 < len(scope) <= 64 and _is_name(scope)):
        raise BadConfig(
            f"ipam.scope {scope!r}: must be 1-64 of A-Z a-z 0-9 _ . - and begin with a letter or digit"
        )
    data_dir = _get(ipam, "dataDir", str, DATA_DIR)
    parts = data_dir.split("/")
    clean = len(parts) > 1 and parts[0] == "" and all(part not in ("", ".", "..") for part in parts[1:])
    # ipam/node.py registers it under a file name made of it
    short = len(data_dir.encode("utf-8", "replace")) + 2 * (data_dir.count("/") + data_dir.count("%")) <= 190
    if not (clean and short and data_dir.isprintable()):
        raise BadConfig(
            f"ipam.dataDir {data_dir!r}: must be an absolute path without . .. or doubled slashes, and not too long"
        )
    return scope, data_dir


def _get(raw: dict[str, Any], key: str, kind: type, default: Any, where: str = "ipam") -> Any:
    """`type() is`, not isinstance: booleans are not integers here."""
    value = raw.get(key, default)
    if type(value) is not kind and key in raw:
        raise BadConfig(f"{where}.{key} {value!r}: must be {_TYPES[kind]}")
    return value


def _is_name(text: str) -> bool:
    return bool(text) and _NAME_CHARS.issuperset(text) and text[0] not in "_.-"


def _checked(parser: Any, text: Any, where: str) -> Any:
    """Run a parser of inet.py on a JSON value and name the key if it does not like it."""
    if type(text) is not str:
        raise BadConfig(f"{where} {text!r}: must be a string")
    try:
        return parser(text)
    except ValueError as error:
        raise BadConfig(f"{where}: {error}") from error


def _parse_pool(raw: Any, where: str) -> Pool:
    if type(raw) is not dict:
        raise BadConfig(f"{where} {raw!r}: must be an object")
    subnets = raw.get("subnet")
    texts = subnets if type(subnets) is list else [subnets]
    prefixes = [_checked(parse_prefix, text, f"{where}.subnet") for text in texts]
    if not prefixes or len({prefix.version for prefix in prefixes}) > 1:
        raise BadConfig(f"{where}.subnet {subnets!r}: must be one or more subnets of one IP family")
    length = _parse_length(raw, prefixes, where)
    gateway, next_hop = _parse_gateway(raw, prefixes[0].version, length, where)
    excludes = [
        _parse_range(text, prefixes[0].version, f"{where}.exclude")
        for text in _get(raw, "exclude", list, [], where)
    ]
    return Pool(prefixes, length, gateway, next_hop, excludes)


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
                f"{where}.gateway {text!r}: a /{length} has no room for a gateway", 'use "none" or an address'
            )
        return text, None
    family, value = _checked(parse_address, text, f"{where}.gateway (first, last, none or an address)")
    if family != version:
        raise BadConfig(f"{where}.gateway {text!r}: must be of the pool's family, IPv{version}")
    return "address", value


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
        raise BadConfig(f"{where} {text!r}: must be a range of IPv{version}, lowest address first")
    return low[1], high[1]


def _parse_routes(ipam: dict[str, Any], families: set[int]) -> list[Route]:
    routes = []
    for n, raw in enumerate(_get(ipam, "routes", list, [])):
        where = f"ipam.routes[{n}]"
        if type(raw) is not dict:
            raise BadConfig(f"{where} {raw!r}: must be an object")
        dst = _checked(parse_prefix, raw.get("dst"), f"{where}.dst")
        if dst.version not in families:
            raise BadConfig(f"{where}.dst {dst}: no pool is IPv{dst.version}")
        gateway = _checked(parse_address, raw["gw"], f"{where}.gw") if "gw" in raw else None
        if gateway and gateway[0] != dst.version:
            raise BadConfig(f"{where}.gw {raw['gw']!r}: must be of the family of dst, IPv{dst.version}")
        priority = _get(raw, "priority", int, 0, where)
        if not 0 <= priority < 1 << 32:
            raise BadConfig(f"{where}.priority {priority}: must be 0-4294967295")
        routes.append(Route(str(dst), render_address(*gateway) if gateway else "", priority=priority))
    return routes


def _parse_dns(raw: dict[str, Any]) -> dict[str, Any]:
    dns: dict[str, Any] = {}
    for key, kind in (("nameservers", list), ("domain", str), ("search", list), ("options", list)):
        if key not in raw:
            continue
        dns[key] = _get(raw, key, kind, None, "ipam.dns")
        if kind is list and not all(type(item) is str for item in dns[key]):
            raise BadConfig(f"ipam.dns.{key} {dns[key]!r}: must be a list of strings")
    return dns


def _sticky_name(cni_args: dict[str, str]) -> str:
    """namespace/pod as kubelet's runtimes send it; podman 4 sends the container's name as K8S_POD_NAME alone."""
    name, namespace = cni_args.get("K8S_POD_NAME", ""), cni_args.get("K8S_POD_NAMESPACE", "")
    for key, text in (("K8S_POD_NAME", name), ("K8S_POD_NAMESPACE", namespace)):
        if text and not (_is_name(text) and len(text) <= 253):
            raise BadEnvironment(f"CNI_ARGS {key} {text!r}: must be 1-253 of A-Z a-z 0-9 _ . -")
    return f"{namespace}/{name}" if name else ""


def _parse_requests(
    pools: list[Pool], runtime_config: dict[str, Any], args_cni: dict[str, Any], cni_args: dict[str, str]
) -> None:
    """The first source that names any wins as a whole: runtimeConfig.ips > args.cni.ips > CNI_ARGS IP."""
    ranges = runtime_config.get("ipRanges")
    if ranges:  # host-local's: whoever asks for one must not get an address from elsewhere
        raise UnsupportedField(
            f"read runtimeConfig.ipRanges {ranges!r:.200}: host-subnet leases subnets of its pools",
            'ask for an address with "ips", or use host-local',
        )
    for where, text in _first_given(
        ("args.cni.subnets", args_cni, "subnets"), ("CNI_ARGS SUBNET", cni_args, "SUBNET")
    ):
        _want_subnet(pools, _checked(parse_prefix, text, where), where)
    sources = (
        ("runtimeConfig.ips", runtime_config, "ips"),
        ("args.cni.ips", args_cni, "ips"),
        ("CNI_ARGS IP", cni_args, "IP"),
    )
    for where, text in _first_given(*sources):
        _want_address(pools, text, where)


def _first_given(*sources: tuple[str, dict[str, Any], str]) -> list[tuple[str, Any]]:
    for where, raw, key in sources:
        if where.startswith("CNI_ARGS"):
            items: list[Any] = [text.strip() for text in raw.get(key, "").split(",") if text.strip()]
        else:
            items = _get(raw, key, list, [], where.rpartition(".")[0])
        if items:
            return [(where, item) for item in items]
    return []


def _want_address(pools: list[Pool], text: Any, where: str) -> None:
    version, value, length = _checked(_parse_request, text, where)
    for pool in pools:
        subnet = prefix_around(version, value, pool.length) if pool.version == version else None
        if subnet is None or not pool.holds(subnet) or pool.wanted_address is not None:
            continue
        if pool.wanted not in (None, subnet):
            continue
        if length not in (None, pool.length):
            raise BadConfig(f"{where} {text!r}: the pool {pool.prefixes[0]} gives subnets of /{pool.length}")
        first, last = pool.usable(subnet)
        if not first <= value <= last:
            raise BadConfig(f"{where} {text!r}: is the network or broadcast address of {subnet}")
        if value == pool.gateway_of(subnet):
            raise BadConfig(f"{where} {text!r}: is the gateway of {subnet}")
        _want(pool, subnet, where)
        pool.wanted_address = value
        return
    raise BadConfig(f"{where} {text!r}: is outside every pool, or its pool is asked twice")


def _parse_request(text: str) -> tuple[int, int, int | None]:
    if "/" not in text:
        return *parse_address(text), None
    prefix, value = parse_interface(text)
    return prefix.version, value, prefix.length


def _want_subnet(pools: list[Pool], subnet: Prefix, where: str) -> None:
    inside = [pool for pool in pools if pool.holds(subnet)]
    for pool in inside:
        if pool.length == subnet.length and pool.wanted is None:
            _want(pool, subnet, where)
            return
    if not inside:
        raise BadConfig(f"{where} {subnet}: is outside every pool")
    raise BadConfig(f"{where} {subnet}: its pool gives one subnet of /{inside[0].length} per interface")


def _want(pool: Pool, subnet: Prefix, where: str) -> None:
    if any(first <= subnet.last and subnet.value <= last for first, last in pool.exclude):
        raise BadConfig(f"{where} {subnet}: is excluded by the pool's configuration")
    if pool.next_hop is not None and subnet.has(subnet.version, pool.next_hop):
        raise BadConfig(f"{where} {subnet}: holds the pool's gateway address, which is never leased")
    pool.wanted = subnet
