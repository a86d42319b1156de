"""What the plugins before us say is judged as a whole before it is used."""

from __future__ import annotations

from typing import Any

import pytest

from cni_sriov.wire import prevresult
from cni_sriov.words.errors import BadConfig
from tests.world import World


def settled(prev: Any, version: str = "1.0.0") -> Any:
    conf = {"cniVersion": version, "prevResult": prev}
    prevresult.settle(conf)
    return conf.get("prevResult")


@pytest.mark.parametrize(
    ("prev", "said"),
    [
        ({"interfaces": {}}, "prevResult.interfaces {}: must be a list of objects"),
        ({"ips": [5]}, "prevResult.ips [5]: must be a list of objects"),
        ({"routes": "x"}, 'prevResult.routes "x": must be a list of objects'),
        ({"ips": [{}]}, "prevResult.ips.address null: must be a string"),
        ({"ips": [{"address": "10.0.0.1"}]}, 'prevResult.ips.address: "10.0.0.1" has no /prefix-length'),
        ({"ips": [{"address": "10.0.0.256/24"}]}, "prevResult.ips.address"),
        ({"ips": [{"address": ""}]}, "prevResult.ips.address"),
        ({"ips": [{"address": "10.0.0.1/24", "gateway": "10.0.0.1/24"}]}, "prevResult.ips.gateway"),
        ({"ips": [{"address": "10.0.0.1/24", "gateway": 5}]}, "prevResult.ips.gateway 5: must be a string"),
        (
            {"ips": [{"address": "10.0.0.1/24", "interface": "0"}]},
            'prevResult.ips.interface "0": must be an integer of 64 bits',
        ),
        (
            {"ips": [{"address": "10.0.0.1/24", "interface": 0.0}]},
            "prevResult.ips.interface 0.0: must be an integer of 64 bits",
        ),
        ({"ips": [{"address": "10.0.0.1/24", "interface": True}]}, "prevResult.ips.interface true"),
        (
            {"ips": [{"address": "10.0.0.1/24", "interface": 1 << 63}]},
            "prevResult.ips.interface 9223372036854775808",
        ),
        ({"interfaces": [{"name": 5}]}, "prevResult.interfaces.name 5: must be a string"),
        ({"interfaces": [{"name": "a", "mac": []}]}, "prevResult.interfaces.mac []: must be a string"),
        ({"interfaces": [{"name": "a", "mtu": "1500"}]}, 'prevResult.interfaces.mtu "1500"'),
        ({"interfaces": [{"Sandbox": {}}]}, "prevResult.interfaces.sandbox {}: must be a string"),
        ({"routes": [{"dst": "0.0.0.0"}]}, 'prevResult.routes.dst: "0.0.0.0" has no /prefix-length'),
        ({"routes": [{"dst": "0.0.0.0/0", "gw": "x"}]}, "prevResult.routes.gw"),
        ({"routes": [{"dst": "0.0.0.0/0", "table": "main"}]}, 'prevResult.routes.table "main"'),
        ({"dns": {"nameservers": "10.0.0.1"}}, 'prevResult.dns.nameservers "10.0.0.1": must be a list'),
        ({"dns": {"search": [5]}}, "prevResult.dns.search [5]: must be a string"),
        ({"ip4": {"ip": "10.0.0.1"}}, "prevResult.ip4.ip"),
        ({"ip4": {"ip": "10.0.0.1/24", "gateway": "no"}}, "prevResult.ip4.gateway"),
        ({"ip4": {"ip": "10.0.0.1/24", "routes": [{"dst": "x"}]}}, "prevResult.ip4.routes.dst"),
        ({"ips": [{"address": "10.0.0.1/24"}, {"Address": 5}]}, "prevResult.ips.address 5: must be a string"),
        ({"dns": []}, "prevResult.dns []: must be an object"),
        ({"ip4": "10.0.0.1/24"}, 'prevResult.ip4 "10.0.0.1/24": must be an object'),
        ({"ip6": {"gateway": "fd00::1"}}, "prevResult.ip6.ip null: must be a string"),
        (
            {"ip6": {"ip": "fd00::2/64", "routes": [None]}},
            "prevResult.ip6.routes [null]: must be a list of objects",
        ),
    ],
)
def test_what_cannot_be_one_is_named(prev: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as caught:
        settled(prev)
    assert caught.value.msg.startswith(f"read {said}")


@pytest.mark.parametrize("prev", [None, "", {}])
def test_nothing_is_none(prev: Any) -> None:
    assert settled(prev) is None


@pytest.mark.parametrize("prev", [{"ip4": {}, "ips": None}, {"IPs": [], "routes": None, "dns": None}])
def test_what_is_empty_in_it_is_nothing(prev: dict[str, Any]) -> None:
    assert settled(prev) == {"cniVersion": "1.0.0", "ips": [], "routes": []}


def test_what_nobody_knows_is_passed_on() -> None:
    prev = {"ips": [{"address": "10.0.0.1/24", "more": 1}], "other": [5]}
    assert settled(prev) == prev | {"cniVersion": "1.0.0", "routes": []}


# what the library's types take, and so do we: pkg/types of containernetworking/cni v1.3.0
TAKEN: list[dict[str, Any]] = [
    {"ips": [{"address": "::ffff:10.0.0.1/120", "gateway": ""}]},
    {"ips": [{"address": "10.0.0.1/24", "interface": -1}]},
    {"ips": [{"address": "10.0.0.1/24", "interface": None, "gateway": None}]},
    {"interfaces": [{}, {"name": "", "mac": "", "mtu": -1, "sandbox": ""}]},
    {
        "routes": [
            {},
            {"dst": "10.0.0.7/8", "gw": "", "mtu": 99999999, "scope": 255, "table": -1, "priority": 0},
        ]
    },
    {"dns": {"nameservers": ["no address"], "domain": "", "search": []}},
]


@pytest.mark.parametrize("prev", TAKEN)
def test_what_the_library_takes_is_taken(prev: dict[str, Any]) -> None:
    assert settled(prev) is not None


@pytest.mark.parametrize(("verb", "code"), [("ADD", 7), ("CHECK", 0), ("DEL", 0)])
def test_it_stops_no_verb_of_what_is_there(world: World, verb: str, code: int) -> None:
    conf = world.conf(prevResult={"ips": [{"address": "10.0.0.1"}]})
    if verb != "ADD":
        assert world.call("ADD", world.conf()).code == 0

    assert world.call(verb, conf).code == code
    told = "prevResult.ips.address" in (world.log_file.read_text() if world.log_file.exists() else "")
    assert told == (verb == "CHECK"), "DEL does not look at it"
