"""The `ipam` object of type host-subnet: good and bad, and what is made of it."""

from typing import Any

import pytest

from cni_sriov import poolconf
from cni_sriov.domain import Route
from cni_sriov.errors import BadConfig, BadEnvironment
from cni_sriov.inet import parse_address, parse_prefix

POOL: dict[str, Any] = {"subnet": "10.10.0.0/16", "prefixLength": 24}
POOL6: dict[str, Any] = {"subnet": ["fd00:10::/48"], "prefixLength": 64}


def parse(ipam: dict[str, Any] | None = None, **sources: Any) -> poolconf.IpamConf:
    conf = {"type": "host-subnet", "pools": [POOL, POOL6]} | (ipam or {})
    return poolconf.parse(
        conf, sources.get("runtime_config", {}), sources.get("args_cni", {}), sources.get("cni_args", {})
    )


def with_pool(**keys: Any) -> dict[str, Any]:
    return {"pools": [{key: value for key, value in (POOL | keys).items() if value is not None}]}


def test_defaults() -> None:
    conf = parse()

    assert (conf.scope, conf.data_dir) == ("default", "/var/lib/cni/host-subnet")
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
        ({"pools": ["10.0.0.0/8"]}, "ipam.pools[0] '10.0.0.0/8'"),
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
        (with_pool(prefixLength=True), "prefixLength True"),
        (with_pool(prefixLength=24.0), "prefixLength 24.0"),
        (with_pool(prefixLength="24"), "prefixLength '24'"),
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
        ({"scope": ""}, "ipam.scope ''"),
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
        ({"sticky": "yes"}, "ipam.sticky 'yes'"),
        ({"allowHostOverlap": None}, "ipam.allowHostOverlap None"),
        ({"routes": ["0.0.0.0/0"]}, "ipam.routes[0]"),
        ({"routes": [{}]}, "ipam.routes[0].dst"),
        ({"routes": [{"dst": "10.0.0.1/8"}]}, "host bits"),
        ({"routes": [{"dst": "0.0.0.0/0", "gw": "fd00::1"}]}, "family"),
        ({"routes": [{"dst": "0.0.0.0/0", "priority": -1}]}, "priority"),
        ({"routes": [{"dst": "0.0.0.0/0", "priority": True}]}, "priority"),
        ({"routes": [{"dst": "::/0"}], "pools": [POOL]}, "no pool is IPv6"),
        ({"dns": []}, "ipam.dns []"),
        ({"dns": {"nameservers": "1.1.1.1"}}, "ipam.dns.nameservers"),
        ({"dns": {"search": [1]}}, "ipam.dns.search"),
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
        ({"args_cni": {"ips": ["10.10.6.9/24"]}, "cni_args": {"IP": "10.10.5.9"}}, "10.10.6.0/24"),
        ({"runtime_config": {"ips": ["10.10.7.9"]}, "args_cni": {"ips": ["10.10.6.9"]}}, "10.10.7.0/24"),
        ({"args_cni": {"subnets": ["10.10.8.0/24"]}}, "10.10.8.0/24"),
        ({"cni_args": {"SUBNET": "10.10.8.0/24"}}, "10.10.8.0/24"),
        ({"args_cni": {"subnets": ["10.10.9.0/24"]}, "cni_args": {"SUBNET": "10.10.8.0/24"}}, "10.10.9.0/24"),
        ({"cni_args": {"SUBNET": "10.10.8.0/24", "IP": "10.10.8.77"}}, "10.10.8.0/24"),
        ({"runtime_config": {"ips": []}, "cni_args": {"IP": "10.10.5.9"}}, "10.10.5.0/24"),
    ],
)
def test_a_request_finds_its_subnet(sources: dict[str, Any], wanted: str) -> None:
    assert parse(**sources).pools[0].wanted == parse_prefix(wanted)


def test_a_requested_address_is_the_one_given() -> None:
    conf = parse(cni_args={"IP": "10.10.5.9/24,fd00:10::7"})

    assert [pool.wanted_address for pool in conf.pools] == [
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
    ],
)
def test_a_request_that_no_pool_can_grant_is_code_7(sources: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse(**sources)

    assert said in str(caught.value)


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
