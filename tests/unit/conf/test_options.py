"""Options as podman has them, all strings: each key of the conf by the one table, and no key that the table has not."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from cni_sriov.conf import netconf, options
from cni_sriov.words.errors import BadConfig


def test_a_name_that_is_longer_than_any_key_costs_nothing() -> None:
    """Each place of it left out would be a square of its length, in bytes."""
    tracemalloc.start()
    assert options.near("v" * 100_000) == ""
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "text", "conf"),
    [
        ("master", "enp1s0f0", {"master": "enp1s0f0"}),
        ("vlan", "100", {"vlan": 100}),
        ("VLAN", "100", {"vlan": 100}),
        ("spoofchk", "off", {"spoofchk": "off"}),
        ("promisc", "true", {"promisc": True}),
        ("mac", "02:00:00:00:00:07", {"mac": "02:00:00:00:00:07"}),
        ("pf.names", "a,b", {"pf": {"names": ["a", "b"]}}),
        ("pf.vfs", "0-3,6", {"pf": {"vfs": "0-3,6"}}),
        ("pf", '{"names": ["a"]}', {"pf": {"names": ["a"]}}),
        ("allowRequests", "mac, ips", {"allowRequests": ["mac", "ips"]}),
        ("allowRequests", "[]", {"allowRequests": []}),
        ("hugepages.2Mi", "64", {"hugepages": {"2Mi": 64}}),
        ("vfioOwner", "1000:36", {"vfioOwner": "1000:36"}),
        ("ipam.onlink", "true", {"ipam": {"onlink": True}}),
        ("ipam.stickyLifetime", "12h", {"ipam": {"stickyLifetime": "12h"}}),
        ("ipam.stickyLifetime", "60", {"ipam": {"stickyLifetime": 60}}),
        ("ipam.routes", '[{"dst": "0.0.0.0/0"}]', {"ipam": {"routes": [{"dst": "0.0.0.0/0"}]}}),
        ("ipam.dns.search", "a.test,b.test", {"ipam": {"dns": {"search": ["a.test", "b.test"]}}}),
        ("vpp.tap.name", "tap0", {"vpp": {"tap": {"name": "tap0"}}}),
        ("capabilities", '{"mac": true}', {"capabilities": {"mac": True}}),
    ],
)
def test_a_word_is_what_its_key_admits(name: str, text: str, conf: dict[str, Any]) -> None:
    assert options.read({name: text}) == (conf, [])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("vlan", "5000", "read option vlan 5000: must be an integer in 0-4094"),
        ("vlan", "x", 'read option vlan "x": must be an integer in 0-4094'),
        ("vlan", "1.5", "read option vlan 1.5: must be an integer in 0-4094"),
        ("vlan", "true", "read option vlan true: must be an integer in 0-4094"),
        ("vlan", "", 'read option vlan "": must be an integer in 0-4094'),
        ("spoofchk", "true", 'must be "on" or "off"'),
        ("promisc", "on", "must be true or false"),
        ("allowRequests", "mac,all", "must be one of"),
        ("ipam.pools", "10.10.0.0", "must be a list"),
    ],
)
def test_a_word_that_its_key_does_not_admit_is_named(name: str, text: str, said: str) -> None:
    if name == "ipam.pools":  # a list of one word, which host-subnet refuses
        assert options.read({name: text})[0] == {"ipam": {"pools": [text]}}
        return
    with pytest.raises(BadConfig) as error:
        options.read({name: text})
    assert said in error.value.msg


@pytest.mark.parametrize(
    "name",
    [
        *(
            "isolate",
            "com.docker.network.driver.mtu",
            "",
            ".",
            "vlan.id",
            "pf.",
            "pf.name",
            "ipam.pools.subnet",
        ),
        *("runtimeConfig", "runtimeConfig.mac", "args", "prevResult", "cniVersion", "name", "type"),
    ],
)
def test_what_is_no_operators_key_is_told_and_left_out(name: str) -> None:
    """Of a call, of the envelope, of podman's other drivers."""
    assert options.read({name: "1"}) == ({}, [name])


def test_every_key_of_the_conf_that_an_operator_has_can_be_said() -> None:
    """With a value that its own parser takes, and no key is forgotten."""
    said = {
        "pf": '{"names": ["a"]}',
        "hugepages": '{"2Mi": 1}',
        "vpp": "{}",
        "dpdk": "{}",
        "ipam": "{}",
        "dns": "{}",
    }
    said |= dict.fromkeys(("deviceID", "pciBusID"), "0000:01:10.0")
    said |= dict.fromkeys(("stateDir", "logFile", "cniDir"), "/x") | {"deviceInfoDirs": "/x,/y"}
    said |= dict.fromkeys(("promisc", "allmulti", "pfUp", "acceptRA"), "true")
    said |= dict.fromkeys(("vlan", "vlanQoS", "txqueuelen", "min_tx_rate", "max_tx_rate"), "1")
    said |= {"announceWait": "1", "verifyTimeout": "1", "mtu": "1500", "mac": "02:00:00:00:00:01"}
    said |= {"spoofchk": "on", "trust": "off", "link_state": "auto", "vlanProto": "802.1ad", "master": "x"}
    said |= {"driver": "auto", "vfioOwner": "1:1", "crypto": "auto", "statusOnFull": "ok", "logLevel": "none"}
    said |= {"allowRequests": "mac", "capabilities": "{}"}

    conf, unknown = options.read(said)

    assert unknown == []
    assert set(conf) == set(netconf.SRIOV.keys) - {"runtimeConfig", "args", "prevResult"}
    assert netconf.SRIOV.read(conf, "").keys() >= conf.keys()


@pytest.mark.parametrize("order", [1, -1])
def test_a_part_stands_beside_the_whole_and_counts_before_it(order: int) -> None:
    """podman keeps options in no order."""
    said = {"ipam": '{"onlink": false, "sticky": true}', "ipam.onlink": "true"}

    conf, _ = options.read(dict(list(said.items())[::order]))

    assert conf == {"ipam": {"onlink": True, "sticky": True}}


def test_what_is_wrong_is_noted_where_nothing_may_fail() -> None:
    faults: list[str] = []

    assert options.read({"vlan": "x", "stateDir": "/x"}, faults) == ({"stateDir": "/x"}, [])
    assert len(faults) == 1
