"""podman's network as a configuration: what becomes of each of its fields, and the sentence where one cannot be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet, netconf, podman
from cni_sriov.words.errors import BadConfig
from tests.podman import asked_network, kept_network

MASTER = {"master": "enp1s0f0"}


def conf_of(creating: bool = True, options: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    notes: list[str] = []
    conf = podman.read(asked_network("fast", MASTER | (options or {}), **keys), notes, creating)
    assert notes == []
    netconf.parse(conf, {})
    if "ipam" in conf:
        hostsubnet.parse(conf["ipam"])
    return conf


def pools(**keys: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = conf_of(**keys)["ipam"]["pools"]
    return found


def refusal(options: dict[str, str] | None = None, **keys: Any) -> str:
    with pytest.raises(BadConfig) as error:
        conf_of(options=options, **keys)
    assert error.value.details, "it says no remedy"
    return str(error.value)


# pools -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subnet", "length"),
    [("10.10.0.0/16", 24), ("10.10.0.0/23", 24), ("fd00:10::/48", 64), ("fd00:10::/63", 64)],
)
def test_a_subnet_is_a_pool_of_what_is_usual(subnet: str, length: int) -> None:
    assert pools(subnets=[{"subnet": subnet}]) == [{"subnet": subnet, "prefixLength": length}]


@pytest.mark.parametrize("subnet", ["10.10.0.0/24", "10.10.0.0/28", "fd00:10::/64"])
def test_a_subnet_that_is_no_larger_than_a_lease_needs_a_word(subnet: str) -> None:
    assert "-o prefixLength=" in refusal(subnets=[{"subnet": subnet}])


def test_how_long_leases_are() -> None:
    both = [{"subnet": "10.10.0.0/16"}, {"subnet": "fd00:10::/48"}]

    def lengths(said: str) -> list[int]:
        return [pool["prefixLength"] for pool in pools(options={"prefixLength": said}, subnets=both)]

    assert lengths("29,80") == [29, 80]
    assert pools(options={"prefixLength": "32"}, subnets=both[:1])[0]["prefixLength"] == 32
    assert "2 lengths for 1 pools" in refusal({"prefixLength": "29,80"}, subnets=both[:1])
    with pytest.raises(BadConfig, match='read option prefixLength "x": must be an integer'):
        conf_of(options={"prefixLength": "x"}, subnets=both)
    with pytest.raises(BadConfig, match=r"ipam.pools\[1\].prefixLength 24: must be 48-128"):
        conf_of(options={"prefixLength": "24"}, subnets=both)


def test_a_gateway_that_was_asked_for_is_the_next_hop_of_all() -> None:
    asked = [{"subnet": "10.10.0.0/16", "gateway": "10.10.0.1"}]

    (pool,) = pools(subnets=asked)

    assert pool["gateway"] == "10.10.0.1"
    (read,) = hostsubnet.parse(conf_of(subnets=asked)["ipam"]).pools
    assert read.gateway == "address"


def test_one_that_podman_added_afterwards_is_nobodys() -> None:
    """What was created is what counts: the pools are in the options."""
    network = asked_network("fast", MASTER, subnets=[{"subnet": "10.10.0.0/16"}])
    kept = kept_network(podman.completed(network, podman.read(network, [], creating=True)))
    assert kept["subnets"][0]["gateway"] == "10.10.0.1"

    assert podman.read(kept, [])["ipam"]["pools"] == [{"subnet": "10.10.0.0/16", "prefixLength": 24}]


@pytest.mark.parametrize(
    ("start", "end", "exclude"),
    [
        ("10.10.5.1", "10.10.5.255", ["10.10.0.0-10.10.4.255", "10.10.6.0-10.10.255.255"]),
        ("10.10.0.1", "10.10.5.255", ["10.10.6.0-10.10.255.255"]),
        ("10.10.5.0", None, ["10.10.0.0-10.10.4.255"]),
        (None, "10.10.5.255", ["10.10.6.0-10.10.255.255"]),
        ("10.10.0.0", "10.10.255.255", None),
    ],
)
def test_a_range_leaves_out_what_is_beyond(
    start: str | None, end: str | None, exclude: list[str] | None
) -> None:
    lease_range = {"start_ip": start, "end_ip": end}

    (pool,) = pools(subnets=[{"subnet": "10.10.0.0/16", "lease_range": lease_range}])

    assert pool.get("exclude") == exclude


def test_a_range_of_single_addresses_is_kept_as_it_is() -> None:
    asked = [{"subnet": "10.10.0.0/16", "lease_range": {"start_ip": "10.10.5.7", "end_ip": "10.10.5.9"}}]

    (pool,) = pools(options={"prefixLength": "32"}, subnets=asked)

    assert pool["exclude"] == ["10.10.0.0-10.10.5.6", "10.10.5.10-10.10.255.255"]


def test_a_range_that_holds_no_whole_lease_is_refused() -> None:
    asked = [{"subnet": "10.10.0.0/16", "lease_range": {"start_ip": "10.10.5.10", "end_ip": "10.10.5.99"}}]

    assert "no /24 of 10.10.0.0/16 can ever be leased" in refusal(subnets=asked)


def test_a_range_of_another_subnet_is_refused() -> None:
    asked = [{"subnet": "10.10.0.0/16", "lease_range": {"start_ip": "10.11.0.1", "end_ip": None}}]

    assert "10.11.0.1 is not in 10.10.0.0/16" in refusal(subnets=asked)


def test_short_forms_are_pools_too() -> None:
    said = {"pool": "10.10.0.0/16, fd00:10::/48", "prefixLength": "28,64", "gateway": "none"}

    assert pools(options=said) == [
        {"subnet": "10.10.0.0/16", "prefixLength": 28, "gateway": "none"},
        {"subnet": "fd00:10::/48", "prefixLength": 64, "gateway": "none"},
    ]


def test_a_pool_that_is_written_out_is_taken_as_it_is() -> None:
    written = '[{"subnet": ["10.10.0.0/16", "10.11.0.0/16"], "prefixLength": 24, "gateway": "last"}]'

    (pool,) = pools(options={"ipam.pools": written})

    assert pool == {"subnet": ["10.10.0.0/16", "10.11.0.0/16"], "prefixLength": 24, "gateway": "last"}
    assert "given twice" in refusal({"ipam.pools": written}, subnets=[{"subnet": "10.12.0.0/16"}])
    assert "given twice" in refusal({"ipam.pools": written, "pool": "10.12.0.0/16"})


def test_a_pool_may_be_shared() -> None:
    shared = {"subnet": "10.10.0.0/16", "prefixLength": 24, "blocks": {"cluster": "rack", "length": 20}}

    assert pools(options={"ipam.pools": json.dumps([shared])}) == [shared]


def test_nothing_of_pools_is_layer_2_alone() -> None:
    assert "ipam" not in conf_of()
    assert "there is no pool" in refusal({"prefixLength": "24"})
    assert "at least one pool" in refusal({"ipam.onlink": "true"})


def test_two_gateways_are_refused() -> None:
    asked = [{"subnet": "10.10.0.0/16", "gateway": "10.10.0.1"}]

    assert "--gateway says 10.10.0.1" in refusal({"gateway": "none"}, subnets=asked)


# the rest of a network -------------------------------------------------------------------------------------------------


def test_what_podman_says_by_itself_becomes_a_key() -> None:
    routes = [{"destination": "10.99.0.0/16", "gateway": "10.10.0.9", "metric": 50}]
    conf = conf_of(
        subnets=[{"subnet": "10.10.0.0/16"}], routes=routes, network_dns_servers=["192.0.2.1", "192.0.2.1"]
    )

    assert conf["ipam"]["routes"] == [{"dst": "10.99.0.0/16", "gw": "10.10.0.9", "priority": 50}]
    assert conf["dns"] == {"nameservers": ["192.0.2.1"]}
    assert (conf["type"], conf["name"]) == ("sriov", "fast")


def test_an_interface_of_the_host_is_the_master() -> None:
    network = asked_network("fast", None, network_interface="enp1s0f1")

    assert podman.read(network, [])["master"] == "enp1s0f1"
    assert "option master says" in refusal(network_interface="enp1s0f1")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"internal": True}, "internal"),
        ({"ipam_options": {"driver": "host-local"}}, "ipam_options.driver"),
        ({"ipam_options": {"driver": "dhcp"}}, "ipam_options.driver"),
        ({"ipv6_enabled": True}, "ipv6_enabled"),
        ({"ipv6_enabled": True, "subnets": [{"subnet": "10.10.0.0/16"}]}, "ipv6_enabled"),
        ({"routes": [{"destination": "10.99.0.0/16", "gateway": "10.10.0.9"}]}, "routes"),
        (
            {
                "subnets": [{"subnet": "10.10.0.0/16"}],
                "routes": [{"destination": "10.99.0.0/16", "route_type": "blackhole"}],
            },
            "route_type",
        ),
        ({"options": {"ipam.type": "dhcp"}}, "ipam.type"),
    ],
)
def test_what_a_vf_cannot_be_is_refused_in_a_sentence(keys: dict[str, Any], said: str) -> None:
    assert said in refusal(**keys)


def test_with_a_pool_of_ipv6_its_flag_is_right() -> None:
    assert pools(ipv6_enabled=True, subnets=[{"subnet": "fd00:10::/48"}])


@pytest.mark.parametrize(("name", "creating"), [("isolate", True), ("vlam", False)])
def test_an_unknown_option_is_noted(name: str, creating: bool) -> None:
    """That of a network which is there already, even if it looks like a key."""
    notes: list[str] = []
    podman.read(asked_network("fast", MASTER | {name: "1"}), notes, creating)

    assert notes == [f"option {name} is none of ours, and has no effect"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"maste": "enp1s0f0"}, "read option maste: there is no such key; master is one"),
        (MASTER | {"vlam": "100"}, "read option vlam: there is no such key; vlan is one"),
        (MASTER | {"poool": "10.10.0.0/16"}, "read option poool: there is no such key; pool is one"),
    ],
)
def test_what_is_almost_a_key_is_refused_while_somebody_is_there_to_mend_it(
    options: dict[str, str], said: str
) -> None:
    assert refusal(options=options).startswith(said)


@pytest.mark.parametrize(
    "keys", [{"options": {"a": 1}}, {"options": []}, {"subnets": {}}, {"subnets": ["x"]}, {"internal": "no"},
             {"subnets": [{"subnet": 7}]}, {"subnets": [{}]}, {"routes": [{}]}, {"routes": [7]},
             {"subnets": [{"subnet": "10.10.0.0/16", "lease_range": "x"}]}, {"network_dns_servers": "x"}],
)  # fmt: skip
def test_a_field_of_a_wrong_type_is_named(keys: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=next(iter(keys))):
        podman.read(asked_network("fast", None) | keys, [])


def test_for_a_teardown_whatever_can_be_read_is() -> None:
    network = {
        "name": 7,
        "options": {"stateDir": "/x", "vlan": "y", "ipam.dataDir": "/z", "a": 1, "pool": "x"},
    }
    notes: list[str] = []

    conf = podman.salvage(network, notes)

    assert (conf["stateDir"], conf["ipam"]) == ("/x", {"type": "host-subnet", "dataDir": "/z"})
    assert len(notes) == 1
