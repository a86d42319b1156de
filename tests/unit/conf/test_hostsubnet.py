"""The `ipam` object of type host-subnet: good and bad, and what is made of it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cni_sriov.conf import hostsubnet
from cni_sriov.conf.requests import Requests
from cni_sriov.words import inet
from cni_sriov.words.domain import Route
from cni_sriov.words.errors import BadConfig, BadEnvironment
from cni_sriov.words.inet import parse_address, parse_prefix
from cni_sriov.words.lease import LeaseDir
from tests.world import World

POOL: dict[str, Any] = {"subnet": "10.10.0.0/16", "prefixLength": 24}
POOL6: dict[str, Any] = {"subnet": ["fd00:10::/48"], "prefixLength": 64}


def parse(ipam: dict[str, Any] | None = None, **sources: Any) -> hostsubnet.IpamConf:
    conf = {"type": "host-subnet", "pools": [POOL, POOL6]} | (ipam or {})
    return hostsubnet.parse(conf, Requests(**sources))


def with_pool(**keys: Any) -> dict[str, Any]:
    return {"pools": [{key: value for key, value in (POOL | keys).items() if value is not None}]}


def test_defaults() -> None:
    conf = parse()

    assert conf.lease_dir == LeaseDir("/var/lib/cni/host-subnet", "default")
    assert (conf.routes, conf.dns, conf.onlink, conf.allow_host_overlap, conf.sticky) == (
        [],
        {},
        False,
        False,
        "",
    )
    assert [pool.gateway for pool in conf.pools] == ["first", "first"]
    assert conf.pools[1].prefixes == [parse_prefix("fd00:10::/48")]


def test_unknown_keys_are_ignored() -> None:
    conf = parse({"cniVersion": 7, "pools": [POOL | {"rangeStart": []}], "dns": {"x": 1}})

    assert (len(conf.pools), conf.dns) == (1, {})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"pools": []}, "ipam.pools"),
        ({"pools": {}}, "ipam.pools {}: must be a list"),
        ({"pools": ["10.0.0.0/8"]}, 'ipam.pools[0] "10.0.0.0/8"'),
        ({"pools": [POOL] * 17}, "ipam.pools: 17"),
        (with_pool(subnet=None), "ipam.pools[0].subnet"),
        (with_pool(subnet=[]), "ipam.pools[0].subnet"),
        (with_pool(subnet="10.10.0.1/16"), "the network is 10.10.0.0/16"),
        (with_pool(subnet="10.10.0.0"), "ipam.pools[0].subnet"),
        (with_pool(subnet="10.10.0.0/33"), "/33"),
        (with_pool(subnet=["10.10.0.0/16", "fd00::/16"]), "one IP family"),
        (with_pool(subnet=7), "ipam.pools[0].subnet 7"),
        (with_pool(prefixLength=None), "ipam.pools[0].prefixLength"),
        (with_pool(prefixLength=15), "prefixLength 15: must be 16-32"),
        (with_pool(prefixLength=33), "prefixLength 33"),
        (with_pool(prefixLength=True), "prefixLength true"),
        (with_pool(prefixLength=24.0), "prefixLength 24.0"),
        (with_pool(prefixLength="24"), 'prefixLength "24"'),
        (with_pool(subnet=["10.0.0.0/8", "10.10.0.0/25"]), "must be 25-32"),
        (with_pool(gateway="middle"), "gateway"),
        (with_pool(gateway=1), "gateway 1"),
        (with_pool(gateway="fd00::1"), "family"),
        (with_pool(gateway="first", prefixLength=32), "no room"),
        (with_pool(exclude="10.10.0.0/24"), "exclude"),
        (with_pool(exclude=["10.10.0.9-10.10.0.1"]), "exclude"),
        (with_pool(exclude=["fd00::/64"]), "IPv4"),
        (with_pool(exclude=["x"]), "exclude"),
        (with_pool(exclude=[1]), "exclude"),
        ({"scope": ""}, 'ipam.scope ""'),
        ({"scope": "../x"}, "ipam.scope"),
        ({"scope": "-x"}, "ipam.scope"),
        ({"scope": "x" * 65}, "ipam.scope"),
        ({"scope": "é"}, "ipam.scope"),
        ({"dataDir": "var/lib"}, "ipam.dataDir"),
        ({"dataDir": "/var/../lib"}, "ipam.dataDir"),
        ({"dataDir": "/var/lib/"}, "ipam.dataDir"),
        ({"dataDir": "/"}, "ipam.dataDir"),
        ({"dataDir": "/a\nb"}, "ipam.dataDir"),
        ({"dataDir": "/" + "x" * 200}, "ipam.dataDir"),
        ({"onlink": 1}, "ipam.onlink 1"),
        ({"sticky": "yes"}, 'ipam.sticky "yes"'),
        ({"allowHostOverlap": None}, "ipam.allowHostOverlap null"),
        ({"routes": ["0.0.0.0/0"]}, "ipam.routes[0]"),
        ({"routes": [{}]}, "ipam.routes[0].dst"),
        ({"routes": [{"dst": "10.0.0.0/8", "table": "x"}]}, 'routes[0].table "x"'),
        ({"routes": [{"dst": "0.0.0.0/0", "gw": "fd00::1"}]}, "family"),
        ({"routes": [{"dst": "0.0.0.0/0", "priority": -1}]}, "priority"),
        ({"routes": [{"dst": "0.0.0.0/0", "priority": True}]}, "priority"),
        ({"routes": [{"dst": "::/0"}], "pools": [POOL]}, "no pool is IPv6"),
        ({"dns": []}, "ipam.dns []"),
        ({"dns": {"nameservers": "1.1.1.1"}}, "ipam.dns.nameservers"),
        ({"dns": {"search": [1]}}, "ipam.dns.search"),
        ({"resolvConf": "etc/resolv.conf"}, 'ipam.resolvConf "etc/resolv.conf": must be the absolute path'),
        ({"resolvConf": "/etc/"}, "ipam.resolvConf"),
        ({"resolvConf": ["/etc/resolv.conf"]}, "ipam.resolvConf"),
    ],
)
def test_a_bad_value_is_code_7_and_named(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(keys)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("subnet", "length", "policy", "gateway", "address"),
    [
        ("10.0.0.0/24", 24, "first", "10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/24", 24, "last", "10.0.0.254", "10.0.0.1"),
        ("10.0.0.0/24", 24, "none", "", "10.0.0.1"),
        ("10.0.0.0/24", 24, "192.168.0.1", "192.168.0.1", "10.0.0.1"),
        ("10.0.0.0/30", 30, None, "10.0.0.1", "10.0.0.2"),
        ("10.0.0.0/30", 30, "last", "10.0.0.2", "10.0.0.1"),
        ("10.0.0.0/31", 31, None, "", "10.0.0.0"),
        ("10.0.0.0/31", 31, "first", "10.0.0.0", "10.0.0.1"),
        ("10.0.0.0/31", 31, "last", "10.0.0.1", "10.0.0.0"),
        ("10.0.0.0/32", 32, None, "", "10.0.0.0"),
        ("10.0.0.0/32", 32, "10.1.0.1", "10.1.0.1", "10.0.0.0"),
        ("fd00::/64", 64, None, "fd00::1", "fd00::2"),
        ("fd00::/64", 64, "last", "fd00::ffff:ffff:ffff:ffff", "fd00::1"),
        ("fd00::/126", 126, "last", "fd00::3", "fd00::1"),
        ("fd00::/127", 127, None, "", "fd00::"),
        ("fd00::/127", 127, "first", "fd00::", "fd00::1"),
        ("fd00::/128", 128, None, "", "fd00::"),
    ],
)
def test_gateway_and_address(
    subnet: str, length: int, policy: str | None, gateway: str, address: str
) -> None:
    pool = parse(with_pool(subnet=subnet, prefixLength=length, gateway=policy)).pools[0]

    assert pool.gateway_of(pool.prefixes[0]) == (parse_address(gateway)[1] if gateway else None)
    assert pool.address_of(pool.prefixes[0]) == parse_address(address)[1]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.10.0.0/24", "10.10.0.0", "10.10.0.255"),
        ("10.10.3.4", "10.10.3.4", "10.10.3.4"),
        ("10.10.0.9-10.10.1.0", "10.10.0.9", "10.10.1.0"),
    ],
)
def test_exclude_is_a_cidr_an_address_or_a_range(text: str, first: str, last: str) -> None:
    assert parse(with_pool(exclude=[text])).pools[0].exclude == [
        (parse_address(first)[1], parse_address(last)[1])
    ]


def test_routes_and_dns() -> None:
    conf = parse(
        {
            "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00::9", "priority": 50}],
            "dns": {"nameservers": ["10.0.0.53"], "domain": "a.b", "search": [], "options": ["ndots:1"]},
        }
    )

    assert conf.routes == [Route("0.0.0.0/0"), Route("::/0", "fd00::9", priority=50)]
    assert conf.dns == {"nameservers": ["10.0.0.53"], "domain": "a.b", "search": [], "options": ["ndots:1"]}


@pytest.mark.parametrize(
    ("sources", "wanted"),
    [
        ({"cni_args": {"IP": "10.10.5.9"}}, "10.10.5.0/24"),
        ({"cni_args": {"IP": "10.10.5.9/24, fd00:10::7"}}, "10.10.5.0/24"),
        ({"args_cni": {"ips": ["10.10.6.9/24"]}, "cni_args": {"IP": "fd00:10::7"}}, "10.10.6.0/24"),
        ({"runtime_config": {"ips": ["10.10.7.9"]}, "args_cni": {"ips": ["10.10.7.9/24"]}}, "10.10.7.0/24"),
        ({"args_cni": {"subnets": ["10.10.8.0/24"]}}, "10.10.8.0/24"),
        ({"cni_args": {"SUBNET": "10.10.8.0/24"}}, "10.10.8.0/24"),
        ({"args_cni": {"subnets": ["10.10.9.0/24"]}, "cni_args": {"SUBNET": "10.10.9.0/24"}}, "10.10.9.0/24"),
        ({"cni_args": {"SUBNET": "10.10.8.0/24", "IP": "10.10.8.77"}}, "10.10.8.0/24"),
        ({"runtime_config": {"ips": []}, "cni_args": {"IP": "10.10.5.9"}}, "10.10.5.0/24"),
        ({"runtime_config": {"ips": None}, "cni_args": {"IP": "10.10.5.9"}}, "10.10.5.0/24"),
        (
            {"runtime_config": {"ips": ""}, "args_cni": {"ips": None}, "cni_args": {"IP": "10.10.5.9"}},
            "10.10.5.0/24",
        ),
        ({"cni_args": {"IP": "::ffff:10.10.5.9"}}, "10.10.5.0/24"),
        ({"cni_args": {"IP": "::ffff:10.10.5.9/120"}}, "10.10.5.0/24"),
    ],
)
def test_a_request_finds_its_subnet(sources: dict[str, Any], wanted: str) -> None:
    asked = parse(**sources).wanted[0]
    assert asked is not None
    assert asked.subnet == parse_prefix(wanted)


def test_a_requested_address_is_the_one_given() -> None:
    conf = parse(cni_args={"IP": "10.10.5.9/24,fd00:10::7"})

    assert [asked and asked.address for asked in conf.wanted] == [
        parse_address("10.10.5.9")[1],
        parse_address("fd00:10::7")[1],
    ]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({"cni_args": {"IP": "10.10.5.9/25"}}, "/24"),
        ({"cni_args": {"IP": "10.10.5.0"}}, "network or broadcast"),
        ({"cni_args": {"IP": "10.10.5.255"}}, "network or broadcast"),
        ({"cni_args": {"IP": "10.10.5.1"}}, "gateway"),
        ({"cni_args": {"IP": "fd00:10::"}}, "network or broadcast"),
        ({"cni_args": {"IP": "10.11.5.9"}}, "outside every pool"),
        ({"cni_args": {"IP": "10.10.5.9,10.10.6.9"}}, "asked twice"),
        ({"cni_args": {"IP": "nonsense"}}, "CNI_ARGS IP"),
        ({"runtime_config": {"ips": "10.10.5.9"}}, "runtimeConfig.ips"),
        ({"runtime_config": {"ips": [5]}}, "runtimeConfig.ips 5"),
        ({"args_cni": {"ips": ["10.10.5.9/x"]}}, "args.cni.ips"),
        ({"args_cni": {"subnets": ["10.10.5.0/25"]}}, "one subnet of /24"),
        ({"args_cni": {"subnets": ["10.10.5.1/24"]}}, "host bits"),
        ({"args_cni": {"subnets": ["10.11.5.0/24"]}}, "outside every pool"),
        ({"args_cni": {"subnets": ["10.10.5.0/24", "10.10.6.0/24"]}}, "one subnet of /24"),
        ({"cni_args": {"SUBNET": "10.10.8.0/24", "IP": "10.10.9.7"}}, "asked twice"),
        ({"runtime_config": {"ips": ["10.10.5.9"]}, "cni_args": {"IP": "10.10.5.9/25"}}, "none of /25"),
        ({"runtime_config": {"ips": ["10.10.5.9"]}, "cni_args": {"IP": "10.10.5.10"}}, "asked twice"),
        ({"runtime_config": {"ips": {}}}, "runtimeConfig.ips"),
    ],
)
def test_a_request_that_no_pool_can_grant_is_code_7(sources: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(**sources)

    assert said in str(caught.value)


# as host-local takes them -------------------------------------------------------------------------


def wanted(conf: hostsubnet.IpamConf) -> list[str]:
    """What each pool will give: the address as the interface has it, "" where nothing is asked."""
    return [
        "" if asked is None or asked.address is None else f"{ip_address(asked.address)}/{asked.subnet.length}"
        for asked in conf.wanted
    ]


def test_of_two_pools_that_hold_it_all_the_strongest_source_has_the_first() -> None:
    conf = parse(
        {"pools": [POOL, POOL, POOL]},
        cni_args={"IP": "10.10.7.7"},
        args_cni={"ips": ["10.10.6.6"]},
        runtime_config={"ips": ["10.10.5.5"]},
    )

    assert wanted(conf) == ["10.10.5.5/24", "10.10.6.6/24", "10.10.7.7/24"]


def test_who_asked_first_is_named_to_the_one_that_is_in_the_way() -> None:
    with pytest.raises(BadConfig) as caught:
        parse(args_cni={"ips": [V4, V4]}, runtime_config={"ips": [V4]}, cni_args={"IP": "10.10.6.6"})

    assert f'for another one by runtimeConfig.ips "{V4}"' in caught.value.msg


V4, V6 = "10.10.5.9", "fd00:10::7"


@pytest.mark.parametrize(
    "sources",
    [
        {"runtime_config": {"ips": [V4]}, "args_cni": {"ips": [V6]}},
        {"runtime_config": {"ips": [V6]}, "cni_args": {"IP": V4}},
        {"args_cni": {"ips": [V4, V6]}, "cni_args": {"IP": V4}},
        {"runtime_config": {"ips": [V6, V4]}, "args_cni": {"ips": [V4]}, "cni_args": {"IP": f"{V6},{V4}"}},
        {"runtime_config": {"ips": [V4, V4, V6, V6]}},  # podman's `network reload`, netavark's static_ips
        {"runtime_config": {"ips": ["10.10.5.9/24", "10.10.5.9", "FD00:10:0::0007/64", V6]}},
    ],
)
def test_requests_of_all_sources_are_put_together(sources: dict[str, Any]) -> None:
    """LoadIPAMConfig of host-local: CNI_ARGS, args and runtimeConfig are one list, and cmdAdd makes it a set."""
    assert wanted(parse(**sources)) == ["10.10.5.9/24", "fd00:10::7/64"]


@pytest.mark.parametrize(
    ("sources", "both"),
    [
        (
            {"runtime_config": {"ips": ["10.10.5.9"]}, "args_cni": {"ips": ["10.10.6.9"]}},
            ('runtimeConfig.ips "10.10.5.9"', 'args.cni.ips "10.10.6.9"'),
        ),
        (
            {"args_cni": {"ips": ["10.10.5.9"]}, "cni_args": {"IP": "10.10.5.10"}},
            ('args.cni.ips "10.10.5.9"', 'CNI_ARGS IP "10.10.5.10"'),
        ),
        (
            {"args_cni": {"subnets": ["10.10.9.0/24"]}, "cni_args": {"SUBNET": "10.10.8.0/24"}},
            ('args.cni.subnets "10.10.9.0/24"', 'CNI_ARGS SUBNET "10.10.8.0/24"'),
        ),
        (
            {"args_cni": {"subnets": ["10.10.9.0/24"]}, "cni_args": {"IP": "10.10.8.5"}},
            ('args.cni.subnets "10.10.9.0/24"', 'CNI_ARGS IP "10.10.8.5"'),
        ),
    ],
)
def test_two_that_one_pool_cannot_grant_are_both_named(
    sources: dict[str, Any], both: tuple[str, str]
) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(**sources)

    assert all(name in str(caught.value) for name in both), caught.value


def test_outside_every_pool_and_asked_twice_are_two_sentences() -> None:
    with pytest.raises(BadConfig) as outside:
        parse(cni_args={"IP": "10.11.5.9"})
    with pytest.raises(BadConfig) as twice:
        parse(cni_args={"IP": "10.10.5.9,10.10.6.9"})

    assert str(outside.value) == (
        'CNI_ARGS IP "10.11.5.9": is outside every pool (the pools are 10.10.0.0/16, fd00:10::/48)'
    )
    assert "outside" not in str(twice.value)


def test_two_pools_of_one_range_grant_two() -> None:
    pools = [POOL, POOL | {"prefixLength": 28}]

    assert wanted(parse({"pools": pools}, cni_args={"IP": "10.10.5.9,10.10.6.9"})) == [
        "10.10.5.9/24",
        "10.10.6.9/28",
    ]


@pytest.mark.parametrize("length", range(33))
def test_where_the_lease_is_one_address_any_length_is_taken(length: int) -> None:
    """host-local looks at none (types.IP.ToIP), and static's and whereabouts' annotations carry the LAN's."""
    conf = parse(with_pool(prefixLength=32), runtime_config={"ips": [f"10.10.2.11/{length}"]})

    assert wanted(conf) == ["10.10.2.11/32"]


@pytest.mark.parametrize("length", range(33))
def test_else_it_is_the_leases_the_pools_or_one_addresss(length: int) -> None:
    asked = {"cni_args": {"IP": f"10.10.2.11/{length}"}}

    if length in {16, 24, 32}:
        assert wanted(parse({"pools": [POOL]}, **asked)) == ["10.10.2.11/24"]
    else:
        with pytest.raises(BadConfig, match=f"gives subnets of /24, none of /{length}$"):
            parse({"pools": [POOL]}, **asked)


@pytest.mark.parametrize("length", [48, 64, 128])
def test_so_it_is_with_ipv6(length: int) -> None:
    assert wanted(parse({"pools": [POOL6]}, cni_args={"IP": f"fd00:10::7/{length}"})) == ["fd00:10::7/64"]
    assert wanted(parse({"pools": [POOL6 | {"prefixLength": 128}]}, cni_args={"IP": "fd00:10::7/56"})) == [
        "fd00:10::7/128"
    ]


@pytest.mark.parametrize(
    "subnet",
    ["10.1.2.0/24", "10.1.2.0/30", "10.1.2.0/31", "10.1.2.7/32", "fd00::/120", "fd00::/126", "fd00::/127"],
)
def test_what_can_be_asked_of_a_pool_of_addresses_are_its_hosts(subnet: str) -> None:
    """ipaddress is the oracle: hosts() leaves out network and broadcast (RFC 3021), or the anycast (RFC 4291 2.6.1)."""
    net = ip_network(subnet)
    gateway = list(net.hosts())[-1] if net.num_addresses > 1 else None
    pool = {"subnet": subnet, "prefixLength": net.max_prefixlen, "gateway": str(gateway or "none")}
    granted = set(net.hosts()) - {gateway}
    for address in net:
        asked = {"args_cni": {"ips": [str(address)]}}
        if address in granted:
            assert wanted(parse({"pools": [pool]}, **asked)) == [f"{address}/{net.max_prefixlen}"]
        else:
            with pytest.raises(
                BadConfig, match=r"is the (network or broadcast|gateway|subnet-router anycast)"
            ):
                parse({"pools": [pool]}, **asked)


# what is no interface's address -------------------------------------------------------------------

REFUSED = [
    ("0.0.0.0/8", '"this network"'),
    ("0.1.0.0/16", '"this network"'),
    ("127.0.0.0/8", "loopback"),
    ("127.5.0.0/24", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("169.254.9.0/24", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("239.1.0.0/16", "multicast"),
    ("255.255.255.255/32", "the broadcast address"),
    ("::/128", "the unspecified address"),
    ("::1/128", "loopback"),
    ("::ffff:10.0.0.0/104", "IPv4-mapped"),
    ("fe80::/10", "link-local"),
    ("fe80::/64", "link-local"),
    ("ff00::/8", "multicast"),
    ("ff02::/16", "multicast"),
]


def pool_of(subnet: str) -> dict[str, Any]:
    """As long as the pool, so that its one lease is all of it."""
    return {"subnet": subnet, "prefixLength": int(subnet.partition("/")[2]), "gateway": "none"}


@pytest.mark.parametrize(("subnet", "what"), REFUSED)
def test_a_pool_of_what_no_interface_can_have_is_refused(subnet: str, what: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse({"pools": [POOL, pool_of(subnet)]})

    said = f"ipam.pools[1].subnet {ip_network(subnet)}: is {what}, and so no interface's address"
    assert str(caught.value).replace("::ffff:a00:0", "::ffff:10.0.0.0") == said.replace(
        "::ffff:a00:0", "::ffff:10.0.0.0"
    )


@pytest.mark.parametrize(
    "subnet", ["1.0.0.0/8", "126.0.0.0/8", "128.0.0.0/16", "169.253.0.0/16", "169.255.0.0/16", "223.0.0.0/8",
               "240.0.0.0/5", "255.0.0.0/9", "::2/128", "::fffe:0:0/96", "fe00::/9", "fec0::/10", "fd00::/8", "2000::/3"]
)  # fmt: skip
def test_its_neighbours_are_not(subnet: str) -> None:
    assert parse({"pools": [pool_of(subnet)]}).pools[0].has_room()


@pytest.mark.parametrize(
    ("pool", "ip"),
    [
        ({"subnet": "0.0.0.0/0", "prefixLength": 24}, "224.0.0.9"),
        ({"subnet": "0.0.0.0/0", "prefixLength": 24}, "127.0.0.9"),
        ({"subnet": "0.0.0.0/0", "prefixLength": 32}, "255.255.255.255"),
        ({"subnet": "168.0.0.0/6", "prefixLength": 8}, "169.1.2.3"),
        ({"subnet": "::/0", "prefixLength": 64}, "fe80::9"),
        ({"subnet": "::/0", "prefixLength": 64}, "ff02::9"),
        ({"subnet": "::/0", "prefixLength": 128}, "::ffff:0:9"),
        ({"subnet": "::/64", "prefixLength": 128}, "::1"),
    ],
)
def test_in_a_pool_that_holds_it_too_it_cannot_be_asked_for(pool: dict[str, Any], ip: str) -> None:
    with pytest.raises(BadConfig, match=r"args\.cni\.ips") as caught:
        parse({"pools": [pool]}, args_cni={"ips": [ip]})

    assert caught.value.code == 7


@pytest.mark.parametrize(
    "pool",
    [
        {"subnet": "0.0.0.0/0", "prefixLength": 0},
        {"subnet": "0.0.0.0/0", "prefixLength": 1},
        {"subnet": "::/127", "prefixLength": 128},
        {"subnet": "10.10.0.0/24", "prefixLength": 24, "gateway": "10.10.0.1"},
        {"subnet": "10.10.0.0/30", "prefixLength": 32, "exclude": ["10.10.0.1-10.10.0.2"]},
        {"subnet": ["10.10.0.0/24", "10.10.1.0/24"], "prefixLength": 25, "exclude": ["10.10.0.0/23"]},
        {"subnet": "10.10.0.0/24", "prefixLength": 25, "exclude": ["10.10.0.130", "10.10.0.7"]},
    ],
)
def test_a_pool_that_can_never_give_a_lease_is_code_7_and_not_try_again(pool: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=r"ipam.pools\[0\]: no /.* can ever be leased"):
        parse({"pools": [pool]})


@pytest.mark.parametrize("gateway", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
def test_a_gateway_that_no_router_can_be_is_refused(gateway: str) -> None:
    with pytest.raises(BadConfig, match="no router's address"):
        parse(with_pool(gateway=gateway))


@pytest.mark.parametrize("gateway", ["169.254.1.1", "240.0.0.1", "10.10.0.0", "192.0.2.255"])
def test_a_link_local_gateway_is_one(gateway: str) -> None:
    """calico's is 169.254.1.1, an IPv6 router's its fe80 address."""
    assert parse(with_pool(gateway=gateway)).pools[0].gateway == "address"
    assert parse({"pools": [POOL6 | {"gateway": "fe80::1"}]}).pools[0].gateway == "address"


@st.composite
def near_an_edge(draw: st.DrawFn) -> IPv4Address | IPv6Address:
    bits = draw(st.sampled_from([32, 128]))
    edge = draw(st.sampled_from([0, 1, 0x7F << 24, 0xA9FE << 16, 0xE << 28, 0xF << 28, 0xFFFF << 32, 0xFE80 << 112,
                                 0xFEC0 << 112, 0xFF << 120, 1 << bits, 1 << 24, 0x80 << 24, 0xA9FF << 16, 1 << 48]))  # fmt: skip
    number = (edge + draw(st.integers(-3, 3))) % (1 << bits)
    return IPv4Address(number) if bits == 32 else IPv6Address(number)


@settings(max_examples=500, deadline=None)
@given(near_an_edge())
def test_what_is_reserved_is_what_the_stdlib_says(address: IPv4Address | IPv6Address) -> None:
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    this_network = address in ip_network("0.0.0.0/8")
    everybody = address == IPv4Address("255.255.255.255")
    named = address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified
    expected = named or this_network or everybody or mapped

    found = [what for low, high, _, what in inet.RESERVED[address.version] if low <= int(address) <= high]

    assert len(found) == expected


def test_an_excluded_subnet_cannot_be_requested() -> None:
    with pytest.raises(BadConfig, match="excluded"):
        parse(with_pool(exclude=["10.10.5.77"]), cni_args={"IP": "10.10.5.9"})


def test_the_subnet_around_a_gateway_address_cannot_be_requested() -> None:
    with pytest.raises(BadConfig, match="never leased"):
        parse(with_pool(gateway="10.10.5.1"), cni_args={"IP": "10.10.5.9"})


@pytest.mark.parametrize(
    ("cni_args", "sticky"),
    [
        ({"K8S_POD_NAMESPACE": "prod", "K8S_POD_NAME": "web-0"}, "prod/web-0"),
        ({"K8S_POD_NAME": "web"}, "/web"),
        ({"K8S_POD_NAMESPACE": "prod"}, ""),
        ({}, ""),
    ],
)
def test_sticky_is_by_pod_or_container_name(cni_args: dict[str, str], sticky: str) -> None:
    assert parse({"sticky": True}, cni_args=cni_args).sticky == sticky
    assert parse(cni_args=cni_args).sticky == ""


def test_a_pod_name_that_is_none_is_code_4() -> None:
    with pytest.raises(BadEnvironment, match="K8S_POD_NAME"):
        parse({"sticky": True}, cni_args={"K8S_POD_NAME": "../x"})


# through the door --------------------------------------------------------------------------------

LAN = {"subnet": "10.1.2.0/24", "prefixLength": 32, "gateway": "10.1.2.1"}


def test_an_annotation_with_the_lans_length_works_after_the_move(world: World) -> None:
    conf = world.conf(ipam=world.ipam(pools=[LAN]), runtimeConfig={"ips": ["10.1.2.11/24"]})

    added = world.call("ADD", conf, args="IgnoreUnknown=1;IP=10.1.2.11")

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.2.11/32"], added.text


def test_the_first_lease_of_a_lan_is_its_first_host(world: World) -> None:
    pools = [LAN | {"gateway": "10.1.2.254"}, {"subnet": "fd00:1::/64", "prefixLength": 128}]

    added = world.call("ADD", world.conf(ipam=world.ipam(pools=pools)))

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.2.1/32", "fd00:1::1/128"]


@pytest.mark.parametrize("asked", ["10.1.2.0", "10.1.2.255", "10.1.2.1", "224.0.0.5", "10.1.2.11;10.1.2.12"])
def test_a_refused_request_changes_nothing(world: World, asked: str) -> None:
    conf = world.conf(ipam=world.ipam(pools=[LAN]), args={"cni": {"ips": asked.split(";")}})
    before = (world.kernel.snapshot(), world.files())

    refused = world.call("ADD", conf)

    assert (refused.code, "args.cni.ips" in refused.text) == (7, True)
    assert (world.kernel.snapshot(), world.files()) == before
