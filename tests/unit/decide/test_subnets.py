"""The allocator against a brute-force model that knows nothing but the stdlib's ipaddress."""

import functools
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.requests import Requests
from cni_sriov.decide import subnets
from cni_sriov.leases.index import build
from cni_sriov.words.domain import HostUse, Route
from cni_sriov.words.errors import BadConfig, CniError, PoolExhausted, SubnetConflict
from cni_sriov.words.inet import Prefix, parse_prefix
from cni_sriov.words.lease import Lease
from tests.unit.networks import Network, overlaps

BOOT = "11111111-2222-3333-4444-555555555555"


class View:
    """What a store shows, without a store: an index in memory and cursors in a dict."""

    def __init__(self) -> None:
        self.indexes = {version: build(version, []) for version in (4, 6)}
        self.cursors: dict[str, int] = {}
        self.kept: list[Lease] = []

    def conflict(self, prefix: Prefix) -> bool:
        return self.indexes[prefix.version].conflict(prefix)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        return self.indexes[within.version].first_free(within, length, start)

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        return self.indexes[within.version].count_free(within, length, enough)

    def cursor(self, key: str) -> int | None:
        return self.cursors.get(key)

    def take(self, conf: hostsubnet.IpamConf, host_use: list[HostUse] | None = None) -> list[Lease]:
        choice = subnets.choose(conf, self, host_use or [])
        for lease in choice.leases:
            self.mark(lease.subnet, True)
        self.cursors |= choice.cursors
        return choice.leases

    def mark(self, subnet: str, leased: bool) -> None:
        prefix = parse_prefix(subnet)
        self.indexes[prefix.version].mark(prefix, leased)


def conf(*pools: dict[str, Any], ip: str = "", **keys: Any) -> hostsubnet.IpamConf:
    return hostsubnet.parse({"pools": list(pools)} | keys, Requests(cni_args={"IP": ip} if ip else {}))


def pool(subnet: str | list[str], length: int, **keys: Any) -> dict[str, Any]:
    return {"subnet": subnet, "prefixLength": length} | keys


def use(prefix: str) -> HostUse:
    return HostUse(parse_prefix(prefix), f"the host's route to {prefix}")


def taken(
    view: View, asked: hostsubnet.IpamConf, count: int, host_use: list[HostUse] | None = None
) -> list[str]:
    return [view.take(asked, host_use)[0].subnet for _ in range(count)]


# next-fit ----------------------------------------------------------------------------------------


def test_the_first_lease_is_the_lowest_and_the_next_follows() -> None:
    assert taken(View(), conf(pool("10.10.0.0/16", 24)), 3) == [
        "10.10.0.0/24",
        "10.10.1.0/24",
        "10.10.2.0/24",
    ]


def test_a_released_subnet_is_not_reused_until_the_pool_wraps() -> None:
    view, asked = View(), conf(pool("10.10.0.0/22", 24))
    taken(view, asked, 2)
    view.mark("10.10.0.0/24", False)

    assert taken(view, asked, 3) == ["10.10.2.0/24", "10.10.3.0/24", "10.10.0.0/24"]


def test_a_list_of_subnets_is_tried_in_order_and_wraps_as_one() -> None:
    view, asked = View(), conf(pool(["10.1.0.0/23", "10.9.0.0/24", "10.5.0.0/24"], 24))
    first = taken(view, asked, 3)
    view.mark("10.1.0.0/24", False)

    assert first == ["10.1.0.0/24", "10.1.1.0/24", "10.9.0.0/24"]
    assert taken(view, asked, 2) == ["10.5.0.0/24", "10.1.0.0/24"]


def test_a_full_pool_is_code_11_and_named() -> None:
    view, asked = View(), conf(pool("10.10.0.0/30", 31))
    taken(view, asked, 2)

    with pytest.raises(PoolExhausted, match=r"10\.10\.0\.0/30") as caught:
        view.take(asked)
    assert caught.value.code == 11


def test_a_pool_of_one_subnet() -> None:
    view, asked = View(), conf(pool("10.10.0.0/24", 24))

    assert taken(view, asked, 1) == ["10.10.0.0/24"]
    with pytest.raises(PoolExhausted):
        view.take(asked)


def test_a_cursor_that_is_nonsense_is_no_cursor() -> None:
    view, asked = View(), conf(pool("10.10.0.0/16", 24))
    view.cursors[asked.pools[0].key] = 1 << 200

    assert taken(view, asked, 1) == ["10.10.0.0/24"]


def test_dual_stack_is_one_lease_per_pool() -> None:
    leases = View().take(conf(pool("10.10.0.0/16", 24), pool("fd00:10::/48", 64, gateway="none")))

    assert leases == [
        Lease("default", "10.10.0.0/24", "10.10.0.2/24", "10.10.0.1", "10.10.0.0/16"),
        Lease("default", "fd00:10::/64", "fd00:10::1/64", "", "fd00:10::/48"),
    ]


def test_two_pools_of_one_range_do_not_overlap() -> None:
    leases = View().take(conf(pool("10.10.0.0/16", 24), pool("10.10.0.0/16", 25)))

    assert [lease.subnet for lease in leases] == ["10.10.0.0/24", "10.10.1.0/25"]


# what is skipped, what fails ---------------------------------------------------------------------


def test_exclude_is_skipped() -> None:
    asked = conf(pool("10.10.0.0/16", 24, exclude=["10.10.0.0/23", "10.10.3.200", "10.10.5.255-10.10.6.0"]))

    assert taken(View(), asked, 3) == ["10.10.2.0/24", "10.10.4.0/24", "10.10.7.0/24"]


@pytest.mark.parametrize(
    ("subnet", "gateway"),
    [
        ("10.1.2.0/24", "10.1.2.1"),
        ("10.1.2.0/24", "10.1.2.254"),
        ("10.1.2.0/24", "none"),
        ("10.1.2.4/30", "192.168.0.1"),
        ("10.1.2.4/31", "none"),
        ("10.1.2.255/32", "none"),
        ("fd00::/120", "fe80::1"),
        ("fd00::/126", "fd00::1"),
        ("fd00::2/127", "none"),
    ],
)
def test_leases_of_one_address_are_the_hosts_of_their_lan_without_its_gateway(
    subnet: str, gateway: str
) -> None:
    """ipaddress is the oracle: hosts() has no network, broadcast or subnet-router anycast address."""
    view, net = View(), ip_network(subnet)
    asked = conf(pool(subnet, net.max_prefixlen, gateway=gateway))
    hosts = [f"{host}/{net.max_prefixlen}" for host in net.hosts() if str(host) != gateway]

    assert taken(view, asked, len(hosts)) == hosts
    with pytest.raises(PoolExhausted):
        view.take(asked)


def test_each_subnet_of_a_list_is_a_lan() -> None:
    asked = conf(pool(["10.1.2.0/30", "10.1.2.8/30"], 32))

    assert taken(View(), asked, 4) == ["10.1.2.1/32", "10.1.2.2/32", "10.1.2.9/32", "10.1.2.10/32"]


RESERVED = [
    ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32",
                 "::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8")
]  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "length"),
    [("0.0.0.0/0", 4), ("0.0.0.0/0", 6), ("0.0.0.0/0", 9), ("168.0.0.0/6", 16), ("254.0.0.0/7", 15), ("::/0", 8),
     ("fc00::/6", 10), ("::/64", 74), ("::/120", 128)],
)  # fmt: skip
def test_next_fit_goes_around_what_no_interface_can_have(whole: str, length: int) -> None:
    view, asked = View(), conf(pool(whole, length, gateway="none"))
    expected = [
        str(net)
        for net in ip_network(whole).subnets(new_prefix=length)
        if not any(overlaps(net, reserved) for reserved in RESERVED)
    ]

    assert taken(view, asked, len(expected)) == expected
    with pytest.raises(PoolExhausted):
        view.take(asked)


def test_the_subnet_of_a_gateway_address_is_never_leased() -> None:
    view = View()
    leases = [view.take(conf(pool("10.10.0.0/16", 24, gateway="10.10.1.1")))[0] for _ in range(2)]

    assert [lease.subnet for lease in leases] == ["10.10.0.0/24", "10.10.2.0/24"]
    assert [lease.gateway for lease in leases] == ["10.10.1.1", "10.10.1.1"]


def test_host_use_is_skipped_except_what_contains_the_whole_pool() -> None:
    asked = conf(pool("10.10.0.0/16", 24))
    host = [
        use("10.0.0.0/8"),
        use("10.10.0.7/32"),
        use("10.10.2.0/23"),
        use("192.168.0.0/24"),
        use("fd00::/8"),
    ]

    assert taken(View(), asked, 2, host) == ["10.10.1.0/24", "10.10.4.0/24"]


def test_allow_host_overlap_switches_it_off() -> None:
    asked = conf(pool("10.10.0.0/16", 24), allowHostOverlap=True)

    assert taken(View(), asked, 1, [use("10.10.0.7/32")]) == ["10.10.0.0/24"]


def test_a_request_that_overlaps_host_use_is_code_104() -> None:
    with pytest.raises(SubnetConflict, match="the host's route to") as caught:
        View().take(conf(pool("10.10.0.0/16", 24), ip="10.10.5.9"), [use("10.10.5.0/30")])
    assert caught.value.code == 104


@pytest.mark.parametrize("there", ["10.10.5.0/24", "10.10.5.64/26", "10.10.4.0/23", "0.0.0.0/0"])
def test_a_request_that_is_taken_is_code_104_whichever_contains_the_other(there: str) -> None:
    view = View()
    view.mark(there, True)

    with pytest.raises(SubnetConflict):
        view.take(conf(pool("10.10.0.0/16", 24), ip="10.10.5.9"))


def test_a_request_gets_its_address_and_does_not_move_the_cursor() -> None:
    view = View()
    lease = view.take(conf(pool("10.10.0.0/16", 24), ip="10.10.5.9/24"))[0]

    assert (lease.subnet, lease.address, lease.gateway) == ("10.10.5.0/24", "10.10.5.9/24", "10.10.5.1")
    assert taken(view, conf(pool("10.10.0.0/16", 24)), 1) == ["10.10.0.0/24"]


def test_a_sticky_lease_comes_back_with_its_address() -> None:
    view = View()
    kept = view.take(conf(pool("10.10.0.0/16", 24), ip="10.10.5.9"))
    view.kept = kept

    assert view.take(conf(pool("10.10.0.0/16", 24))) == kept


@pytest.mark.parametrize(
    "asked",
    [
        conf(pool("10.10.0.0/16", 25)),
        conf(pool("10.11.0.0/16", 24)),
        conf(pool("10.10.0.0/16", 24, exclude=["10.10.5.9"])),
        conf(pool("10.10.0.0/16", 24, gateway="10.10.5.1")),
    ],
)
def test_a_sticky_lease_that_the_conf_would_not_give_any_more_is_left(asked: hostsubnet.IpamConf) -> None:
    view = View()
    view.kept = view.take(conf(pool("10.10.0.0/16", 24), ip="10.10.5.9"))

    assert view.take(asked)[0].subnet != "10.10.5.0/24"


# routes ------------------------------------------------------------------------------------------

LEASE = Lease("default", "10.10.1.0/24", "10.10.1.2/24", "10.10.1.1", "10.10.0.0/16")


def test_a_route_without_gw_uses_the_familys_gateway() -> None:
    asked = conf(
        pool("10.10.0.0/16", 24),
        pool("fd00::/48", 64, gateway="none"),
        routes=[{"dst": "0.0.0.0/0"}, {"dst": "fc00::/7"}],
    )
    leases = View().take(asked)

    assert subnets.routes(asked, leases) == [Route("0.0.0.0/0", "10.10.0.1"), Route("fc00::/7", scope=253)]


def test_onlink_is_one_link_route_per_pool() -> None:
    asked = conf(pool("10.10.0.0/16", 24), onlink=True, routes=[{"dst": "10.99.0.0/16", "gw": "10.10.1.9"}])

    assert subnets.routes(asked, [LEASE]) == [
        Route("10.10.0.0/16", src="10.10.1.2", scope=253),
        Route("10.99.0.0/16", "10.10.1.9"),
    ]


def test_a_gateway_address_outside_the_pool_gets_a_link_route_of_its_own() -> None:
    asked = conf(pool("10.10.0.0/16", 24, gateway="192.168.7.1"), routes=[{"dst": "0.0.0.0/0"}])

    assert subnets.routes(asked, View().take(asked)) == [
        Route("192.168.7.1/32", src="10.10.0.1", scope=253),
        Route("0.0.0.0/0", "192.168.7.1"),
    ]


@pytest.mark.parametrize("gateway", ["first", "last", "10.10.0.1"])
def test_onlink_with_a_gateway_is_refused_under_a_foreign_main_plugin(gateway: str) -> None:
    with pytest.raises(BadConfig, match="onlink"):
        subnets.check_main_plugin(conf(pool("10.10.0.0/16", 24, gateway=gateway), onlink=True), foreign=True)

    subnets.check_main_plugin(conf(pool("10.10.0.0/16", 24, gateway="none"), onlink=True), foreign=True)
    subnets.check_main_plugin(conf(pool("10.10.0.0/16", 24, gateway=gateway), onlink=True), foreign=False)


# the model ---------------------------------------------------------------------------------------


@functools.cache
def in_order(ranges: tuple[str, ...], length: int) -> list[Network]:
    return [net for text in ranges for net in ip_network(text).subnets(new_prefix=length)]


class Model:
    """All subnets of the pool in order, begun behind the cursor; the first that overlaps nothing."""

    def __init__(self) -> None:
        self.leases: list[Network] = []
        self.cursor: dict[str, Network] = {}

    def next(self, asked: dict[str, Any], avoid: list[Network]) -> Network | None:
        order = in_order(tuple(asked["subnet"]), asked["prefixLength"])
        key = f"{asked['subnet'][0]}/{asked['prefixLength']}"
        begin = order.index(self.cursor[key]) + 1 if self.cursor.get(key) in order else 0
        taken = self.leases + avoid
        for net in order[begin:] + order[:begin]:
            if not any(overlaps(net, other) for other in taken):
                self.cursor[key] = net
                self.leases.append(net)
                return net
        return None


RANGES = {
    4: [ip_network(text) for text in ("10.0.0.0/25", "10.0.0.128/26", "10.0.1.0/27", "10.0.255.240/28")],
    6: [ip_network(text) for text in ("fd00::/58", "fd00:0:0:40::/59", "fd00:0:1::/61", "fd00::8:0/125")],
}


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    version = draw(st.sampled_from([4, 6]))
    ranges = draw(st.lists(st.sampled_from(RANGES[version]), min_size=1, max_size=3, unique=True))
    shortest = max(net.prefixlen for net in ranges)
    ranges = [net for net in ranges if net.prefixlen >= shortest - 4]  # the model lists every subnet
    length = draw(st.integers(shortest, min(shortest + 5, ranges[0].max_prefixlen)))
    asked: dict[str, Any] = {
        "subnet": [str(net) for net in ranges],
        "prefixLength": length,
        "gateway": "none",
    }
    inside = st.sampled_from([str(net) for whole in ranges for net in whole.subnets(prefixlen_diff=2)])
    asked["exclude"] = draw(st.lists(inside, max_size=2))
    if draw(st.booleans()):
        asked["gateway"] = draw(inside).partition("/")[0]
    return asked


@st.composite
def host_uses(draw: st.DrawFn) -> str:
    whole = draw(st.sampled_from([*RANGES[4], *RANGES[6]]))
    length = draw(st.integers(whole.prefixlen - 4, whole.prefixlen + 3))
    return str(ip_network((draw(st.sampled_from([whole[0], whole[-1], whole[5]])), length), strict=False))


@settings(max_examples=150, deadline=None)
@given(st.lists(pools(), min_size=1, max_size=3), st.lists(host_uses(), max_size=2), st.data())
def test_the_allocator_gives_what_the_model_gives(
    asked: list[dict[str, Any]], host: list[str], data: st.DataObject
) -> None:
    view, model, held = View(), Model(), list[str]()
    for _ in range(data.draw(st.integers(1, 60))):
        if held and data.draw(st.integers(0, 3)) == 0:
            gone = held.pop(data.draw(st.integers(0, len(held) - 1)))
            view.mark(gone, False)
            model.leases.remove(ip_network(gone))
            continue
        one = data.draw(st.sampled_from(asked))
        avoid = [ip_network(text) for text in one["exclude"]]
        if one["gateway"] != "none":
            avoid.append(ip_network(str(ip_address(one["gateway"]))))
        ranges = [ip_network(text) for text in one["subnet"]]
        if one["prefixLength"] == ranges[0].max_prefixlen:
            avoid += [ip_network(end) for net in ranges for end in {net[0], net[-1]} - set(net.hosts())]
        for other in map(ip_network, host):
            if any(overlaps(net, other) and not other.supernet_of(net) for net in ranges):  # type: ignore[arg-type]
                avoid.append(other)  # a comprehension would hide the rule
        expected = model.next(one, avoid)
        try:
            found = view.take(conf(one), [use(text) for text in host])[0].subnet
        except CniError:
            found = None
        assert found == (None if expected is None else str(expected))
        if found:
            held.append(found)
