"""The pools of host-subnet: what can be one, which of its addresses can be had, and who is the gateway."""

from ipaddress import ip_network
from typing import Any

import pytest

from cni_sriov.words.errors import BadConfig
from cni_sriov.words.inet import parse_address
from tests.unit.conf.ipam_conf import POOL, POOL6, parse, wanted, with_pool


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


def test_two_pools_of_one_range_grant_two() -> None:
    pools = [POOL, POOL | {"prefixLength": 28}]

    assert wanted(parse({"pools": pools}, cni_args={"IP": "10.10.5.9,10.10.6.9"})) == [
        "10.10.5.9/24",
        "10.10.6.9/28",
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
