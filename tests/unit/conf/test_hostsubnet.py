"""The `ipam` object of type host-subnet: good and bad, and what is made of it."""

from typing import Any

import pytest

from cni_sriov.words.domain import Route
from cni_sriov.words.errors import BadConfig, BadEnvironment
from cni_sriov.words.inet import parse_address, parse_prefix
from cni_sriov.words.lease import LeaseDir
from tests.unit.conf.ipam_conf import POOL, POOL6, parse, wanted, with_pool
from tests.world import World


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
