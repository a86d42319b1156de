"""What an IPAM answers is done, all of it, or refused by name before anything changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ipam.test_delegate import HostLocal, conf
from tests.world import Reply, World

V4 = {"address": "10.1.0.5/16", "gateway": "10.1.0.1"}
V6 = {"address": "fd01::5/64", "gateway": "fd01::1"}


@pytest.fixture
def ipam(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "host-local").write_text("")
    (tmp_path / "bin" / "host-local").chmod(0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)


def add(world: World, ipam: HostLocal, answer: dict[str, Any], version: str = "1.1.0") -> Reply:
    ipam.said = json.dumps({"cniVersion": version} | answer)
    return world.call("ADD", conf(world, cniVersion=version))


def kernel_routes(world: World) -> list[tuple[Any, ...]]:
    return [
        (r.route.dst, r.route.gw, r.table, r.route.scope, r.route.priority, r.route.mtu, r.route.advmss)
        for r in world.pod_link().routes
    ]


def test_a_route_is_put_where_it_was_told_with_all_that_was_told(world: World, ipam: HostLocal) -> None:
    """The issue's case: 10.96.0.0/12 of table 100 took the pod's service traffic from eth0."""
    routes: list[dict[str, Any]] = [
        {"dst": "10.96.0.0/12", "table": 100, "mtu": 1400, "advmss": 1360, "priority": 7},
        {"dst": "10.97.0.0/16", "table": 4294967295, "scope": 253},
        {"dst": "10.98.0.0/16", "gw": "10.1.0.9", "scope": 0},
        {"dst": "fd00:9::/48", "table": 255},
    ]
    added = add(world, ipam, {"ips": [V4, V6], "routes": routes})

    assert added.code == 0, added.text
    assert kernel_routes(world) == [
        ("10.96.0.0/12", "10.1.0.1", 100, 0, 7, 1400, 1360),
        ("10.97.0.0/16", "", 4294967295, 253, 0, 0, 0),
        ("10.98.0.0/16", "10.1.0.9", 254, 0, 0, 0, 0),
        ("fd00:9::/48", "fd01::1", 255, 0, 1024, 0, 0),
    ]
    assert added.document["routes"] == [
        routes[0] | {"gw": "10.1.0.1"},
        routes[1],
        {"dst": "10.98.0.0/16", "gw": "10.1.0.9"},
        routes[3] | {"gw": "fd01::1"},
    ]
    checked = conf(world, cniVersion="1.1.0", prevResult=added.document)
    assert world.call("CHECK", checked).code == 0
    assert world.call("DEL", checked).code == 0


@pytest.mark.parametrize("version", ["0.4.0", "1.0.0"])
def test_before_1_1_0_the_result_still_tells_a_table(world: World, ipam: HostLocal, version: str) -> None:
    route = {"dst": "10.96.0.0/12", "table": 100, "mtu": 1400, "priority": 7}

    added = add(world, ipam, {"ips": [V4], "routes": [route]}, version)

    assert added.document["routes"] == [{"dst": "10.96.0.0/12", "gw": "10.1.0.1", "table": 100}]
    assert kernel_routes(world) == [("10.96.0.0/12", "10.1.0.1", 100, 0, 7, 1400, 0)]


@pytest.mark.parametrize(
    ("gateways", "route", "gw", "scope"),
    [  # ipam.ConfigureIface: the first gateway of the family, also for a route outside its subnet
        (["10.1.0.1"], {}, "10.1.0.1", 0),
        (["10.1.0.1"], {"gw": "10.1.0.7"}, "10.1.0.7", 0),
        (["10.1.0.1"], {"gw": None, "scope": None}, "10.1.0.1", 0),
        (["10.1.0.1"], {"gw": "0.0.0.0"}, "", 253),
        (["10.1.0.1"], {"scope": 200}, "10.1.0.1", 200),
        (["10.1.0.1"], {"scope": 253}, "", 253),
        (["10.1.0.1"], {"scope": 254}, "", 254),
        (["fd01::1"], {}, "", 253),
        ([""], {}, "", 253),
        (["0.0.0.0"], {}, "", 253),
        ([""], {"scope": 0}, "", 0),
        ([""], {"scope": 200}, "", 200),
        (["", "10.1.0.2"], {}, "10.1.0.2", 0),
        (["10.1.0.3", "10.1.0.2"], {}, "10.1.0.3", 0),
    ],
)
def test_next_hop_and_scope_of_a_route(
    world: World, ipam: HostLocal, gateways: list[str], route: dict[str, Any], gw: str, scope: int
) -> None:
    ips = [{"address": f"10.1.0.{n}/16", "gateway": hop} for n, hop in enumerate(gateways, 50)]

    added = add(world, ipam, {"ips": ips, "routes": [{"dst": "10.99.0.0/16"} | route]})

    assert added.code == 0, added.text
    assert [(found[1], found[3]) for found in kernel_routes(world)] == [(gw, scope)]


@pytest.mark.parametrize(
    ("told", "masked"),
    [("10.99.7.5/16", "10.99.0.0/16"), ("fd00:9::5/64", "fd00:9::/64"), ("FD00:9::/64", "fd00:9::/64")],
)
def test_host_bits_of_a_destination_are_masked(world: World, ipam: HostLocal, told: str, masked: str) -> None:
    added = add(world, ipam, {"ips": [V4, V6], "routes": [{"dst": told}]})

    assert [found[0] for found in kernel_routes(world)] == [masked]
    assert [route["dst"] for route in added.document["routes"]] == [masked]
    assert world.call("CHECK", conf(world, cniVersion="1.1.0", prevResult=added.document)).code == 0


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"scope": 255}, "routes[0].scope 255"),
    ({"mtu": 65521}, "routes[0].mtu 65521"),
    ({"advmss": 65496}, "routes[0].advmss 65496"),
    ({"gw": "fd01::1"}, "routes[0].gw"),
    ({"gw": "10.1.0.1", "scope": 253}, "routes[0].scope 253"),
    ({"gw": "x"}, "routes[0].gw"),
    ({"type": "blackhole"}, 'routes[0].type "blackhole"'),
    ({"onlink": True}, "routes[0].onlink true"),
]
REFUSED: list[tuple[dict[str, Any], str]] = [
    *[
        ({"routes": [{"dst": "10.9.0.0/16", key: bad}]}, f"routes[0].{key} {json.dumps(bad)}")
        for key in ("table", "mtu", "advmss", "priority", "scope")
        for bad in (-1, "100", True, 1.5, [1], 4294967296)
    ],
    *[({"routes": [{"dst": "10.9.0.0/16"} | more]}, words) for more, words in BAD_FIELDS],
    ({"routes": [{"gw": "10.1.0.1"}]}, "routes[0].dst null"),
    ({"routes": [{"dst": "10.9.0.0"}]}, "routes[0].dst"),
    ({"routes": [{"dst": "10.9.0.0/16"}, 7]}, "routes[1] 7"),
    ({"routes": {"dst": "10.9.0.0/16"}}, "routes {"),
    *[({"ips": [{"address": bad}]}, json.dumps(bad)) for bad in (
        "0.0.0.0/8", "127.0.0.1/8", "224.0.0.9/4", "255.255.255.255/32", "10.1.0.5/0",
        "::/64", "::1/128", "ff02::1/64", "fd01::5/0", "::ffff:10.1.0.5/120", "10.1.0.5", "10.1.0.5/33",
    )],
    ({"ips": [V4, {"address": "10.1.0.5/24"}]}, "10.1.0.5 twice"),
    ({"ips": [V6, {"address": "FD01:0::5/128"}]}, "fd01::5 twice"),
    ({"ips": [V4 | {"gateway": "x"}]}, '"x"'),
    ({"ips": [V4 | {"gateway": 7}]}, "ips[0].gateway 7"),
    ({"ips": [V4 | {"interface": 0}, V6 | {"interface": 1}]}, "the interfaces [0, 1]"),
    ({"ips": [7]}, "ips[0] 7"),
    ({"ips": []}, "no addresses"),
    ({"dns": {"nameservers": "10.0.0.1"}}, 'dns.nameservers "10.0.0.1"'),
    ({"dns": {"search": [5]}}, "dns.search [5]"),
    ({"dns": {"domain": 5}}, "dns.domain 5"),
    ({"dns": []}, "dns []"),
    ({"cniVersion": "9.9.9"}, 'cniVersion "9.9.9"'),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_done_is_refused_by_name_before_the_pod_is_touched(
    world: World, ipam: HostLocal, answer: dict[str, Any], words: str
) -> None:
    before, effects = world.snapshot(), len(world.kernel.effects)

    refused = add(world, ipam, {"ips": [V4]} | answer)

    assert (refused.code, words in refused.text) == (5, True), refused.text
    assert ipam.verbs == ["ADD", "DEL"]
    done = world.kernel.effects[effects:]
    assert [what for what in done if what.startswith(("add address", "add route", "announce"))] == []
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "more", [{"cniVersion": ""}, {"cniVersion": None}, {"cniVersion": "0.4.0"}, {"cniVersion": "1.0.0"}]
)
def test_an_answer_of_another_version_is_read_as_that(
    world: World, ipam: HostLocal, more: dict[str, Any]
) -> None:
    """libcni takes an answer without a version for the conf's (containernetworking/cni, pkg/invoke/exec.go, 1.3)."""
    added = add(
        world,
        ipam,
        {"ips": [V4 | {"version": "4"}], "routes": [{"dst": "10.96.0.0/12", "table": 100}]} | more,
    )

    assert (added.code, added.document["cniVersion"]) == (0, "1.1.0")
    assert [route[2] for route in kernel_routes(world)] == [100]


def test_an_answer_by_family_to_a_newer_conf(world: World, ipam: HostLocal) -> None:
    ip4 = {"ip": "10.1.0.5/16", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]}

    added = add(world, ipam, {"cniVersion": "0.2.0", "ip4": ip4, "ip6": {"ip": "fd01::5/64"}})

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.5/16", "fd01::5/64"]
    assert [route[:2] for route in kernel_routes(world)] == [("0.0.0.0/0", "10.1.0.1")]


def test_both_forms_in_one_answer_are_read_once_and_whole(world: World, ipam: HostLocal) -> None:
    """One that serves old and new readers says the same twice; what only the old form has is not dropped."""
    said = {"ips": [{"address": "10.1.0.5/16"}], "ip4": {"ip": "10.1.0.5/16"}, "ip6": {"ip": "fd01::5/64"}}

    added = add(world, ipam, said)

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.5/16", "fd01::5/64"]


def test_keys_are_read_in_any_case_and_nulls_as_absent(world: World, ipam: HostLocal) -> None:
    """As Go's JSON reader does; the host-local of plugins 0.8 wrote its routes' keys as it pleased."""
    answer = {
        "IPs": [{"Address": "10.1.0.5/16", "Gateway": "10.1.0.1"}],
        "Routes": [{"Dst": "10.96.0.0/12", "GW": None, "Table": 100}],
        "DNS": {"Nameservers": ["10.0.0.1"], "Search": None},
        "interfaces": None,
    }
    added = add(world, ipam, answer)

    assert added.code == 0, added.text
    assert [route[:3] for route in kernel_routes(world)] == [("10.96.0.0/12", "10.1.0.1", 100)]
    assert added.document["dns"] == {"nameservers": ["10.0.0.1"]}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"ips": [V4], "IPs": [V6]}, 'has "ips" and "IPs" with different values'),
        ({"ips": [V4 | {"Address": "10.1.0.9/16"}]}, 'read ips[0]: has "address" and "Address"'),
        ({"ips": [V4], "routes": [{"dst": "10.96.0.0/12", "table": 5, "Table": 6}]}, "read routes[0]"),
        ({"ips": [V4], "dns": {"domain": "a", "Domain": "b"}}, "read dns"),
    ],
)
def test_two_spellings_with_different_values_are_refused(
    world: World, ipam: HostLocal, answer: dict[str, Any], says: str
) -> None:
    before = world.snapshot()

    refused = add(world, ipam, answer)

    assert (refused.code, says in refused.text, world.snapshot()) == (5, True, before), refused.text


def test_a_key_is_folded_as_in_the_conf(world: World, ipam: HostLocal) -> None:
    """The long s is an s to Go's reader."""
    added = add(world, ipam, {"ip\u017f": [{"addre\u017fs": "10.1.0.5/16"}], "routes": None})

    assert added.document.get("ips", [{}])[0].get("address") == "10.1.0.5/16", added.text


def test_interfaces_of_an_answer_say_nothing_of_ours(world: World, ipam: HostLocal) -> None:
    """The field's plugins put their own in their place (host-device.go, sriov-cni's cni.go)."""
    ips = [V4 | {"interface": 3}, V6 | {"interface": 3}]

    added = add(world, ipam, {"interfaces": [{"name": "other"}], "ips": ips})

    assert [entry["name"] for entry in added.document["interfaces"]] == ["net1"]
    assert [ip["interface"] for ip in added.document["ips"]] == [0, 0]


def test_addresses_are_told_as_the_kernel_writes_them(world: World, ipam: HostLocal) -> None:
    added = add(world, ipam, {"ips": [{"address": "FD01:0:0::5/64", "gateway": "FD01:0::1"}]})

    assert added.document["ips"] == [{"address": "fd01::5/64", "gateway": "fd01::1", "interface": 0}]


def test_two_addresses_of_a_family_do_not_fit_an_old_result(world: World, ipam: HostLocal) -> None:
    before = world.snapshot()

    refused = add(world, ipam, {"ips": [V4, {"address": "10.2.0.5/16"}]}, "0.2.0")

    assert (refused.code, ipam.verbs, world.snapshot()) == (1, ["ADD", "DEL"], before)


def test_ipv4_addresses_of_a_foreign_ipam_are_announced(world: World, ipam: HostLocal) -> None:
    """They come after UP, when arp_notify has spoken. One in the subnet of another goes by packet, or is logged."""
    ips = [V4, V6, {"address": "10.2.0.5/16"}, {"address": "10.1.0.6/16"}]

    assert add(world, ipam, {"ips": ips}).code == 0

    assert world.pod_link().announced == ["10.1.0.5", "10.2.0.5"]
    assert "announcement failed" in world.log_file.read_text(), "the fake has no packets"


def test_our_own_addresses_are_announced_too(world: World) -> None:
    """arp_notify speaks at UP, when a VF has no carrier yet."""
    assert world.call("ADD", world.conf(ipam=world.ipam())).code == 0
    assert world.pod_link().announced == ["10.10.0.2"]


def test_an_announcement_that_fails_is_logged_and_no_more(world: World) -> None:
    effects = len(world.kernel.effects)
    assert world.call("ADD", world.conf(ipam=world.ipam())).code == 0
    number = next(
        n for n, what in enumerate(world.kernel.effects[effects:]) if what.startswith("announce 10.10.0.2")
    )
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    world.kernel.fail_effect(number, "before")

    assert world.call("ADD", world.conf(ipam=world.ipam())).code == 0

    assert "announcement failed" in world.log_file.read_text()


@pytest.mark.parametrize("own", [True, False])
def test_ipv6_addresses_outlive_a_link_that_goes_down(world: World, ipam: HostLocal, own: bool) -> None:
    pools = [{"subnet": "fd00:10::/48", "prefixLength": 64}]
    added = (
        world.call("ADD", world.conf(ipam=world.ipam(pools=pools)))
        if own
        else add(world, ipam, {"ips": [V6]})
    )
    pod = world.kernel.pods["/run/netns/pod1"]
    found = pod.find("net1")
    assert (added.code, found is not None) == (0, True)
    assert found is not None
    before = [address.address for address in found[1].addresses]

    with_pod = world.kernel.pod_netlink(world.kernel.open_netns("/run/netns/pod1"))
    with_pod.set_down(found[0])

    assert [address.address for address in found[1].addresses] == before
    assert before


def test_a_runtime_that_disabled_ipv6_finds_it_enabled_on_lo_too(world: World, ipam: HostLocal) -> None:
    """ConfigureIface: local addresses are reached by way of lo."""
    sysctls = world.kernel.pods["/run/netns/pod1"].sysctls
    for name in ("lo", "net1"):
        sysctls["net", "ipv6", "conf", name, "disable_ipv6"] = "1"

    assert add(world, ipam, {"ips": [V4]}).code == 0
    assert sysctls["net", "ipv6", "conf", "lo", "disable_ipv6"] == "1", "an IPv4 address is no reason"
    assert world.call("DEL", conf(world)).code == 0
    assert add(world, ipam, {"ips": [V6]}).code == 0
    assert sysctls["net", "ipv6", "conf", "lo", "disable_ipv6"] == "0"


# CHECK ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["table", "priority", "mtu", "advmss"])
def test_check_holds_what_the_result_told_of_a_route(world: World, ipam: HostLocal, key: str) -> None:
    added = add(world, ipam, {"ips": [V4], "routes": [{"dst": "10.96.0.0/12", key: 100}]})
    asked = conf(world, cniVersion="1.1.0", prevResult=added.document)
    assert world.call("CHECK", asked).code == 0
    (route,) = world.pod_link().routes
    if key == "table":
        route.table = 101
    else:
        setattr(route.route, key, 101)

    drift = world.call("CHECK", asked)

    assert (drift.code, f"route 10.96.0.0/12 via 10.1.0.1 {key} 100 is missing" in drift.text) == (
        107,
        True,
    )


def test_check_lets_sbr_move_what_is_of_the_main_table(world: World, ipam: HostLocal) -> None:
    """sbr (containernetworking/plugins 1.9) moves the main table's routes alone, and passes prevResult on as it was."""
    added = add(
        world, ipam, {"ips": [V4], "routes": [{"dst": "10.96.0.0/12"}, {"dst": "10.97.0.0/16", "table": 254}]}
    )
    for route in world.pod_link().routes:
        route.table = 100

    assert world.call("CHECK", conf(world, cniVersion="1.1.0", prevResult=added.document)).code == 0


# host-subnet's own routes --------------------------------------------------------------------------------------------


def test_host_subnets_routes_take_the_same_fields(world: World) -> None:
    told = [
        {"dst": "10.96.3.0/12", "table": 100, "mtu": 1400, "advmss": 1360, "priority": 7},
        {"dst": "10.97.0.0/16", "scope": 253},
    ]
    given = world.conf(cniVersion="1.1.0", ipam=world.ipam(routes=told))

    added = world.call("ADD", given)

    assert kernel_routes(world) == [
        ("10.96.0.0/12", "10.10.0.1", 100, 0, 7, 1400, 1360),
        ("10.97.0.0/16", "", 254, 253, 0, 0, 0),
    ]
    assert added.document["routes"] == [told[0] | {"dst": "10.96.0.0/12", "gw": "10.10.0.1"}, told[1]]
    assert world.call("CHECK", given | {"prevResult": added.document}).code == 0
    assert world.call("DEL", given).code == 0


def test_a_main_plugin_is_told_each_field_of_host_subnets_routes(world: World) -> None:
    told = {"dst": "10.96.0.0/12", "scope": 200, "table": 100, "mtu": 1400, "advmss": 1360, "priority": 7}
    given = world.conf(cniVersion="1.1.0", ipam=world.ipam(routes=[told]))

    added = world.call("ADD", given, door="host-subnet")

    assert added.document["routes"] == [told | {"gw": "10.10.0.1"}]
