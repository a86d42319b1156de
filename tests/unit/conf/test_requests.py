"""A pod asks, the operator decides: `allowRequests`, and a VLAN of the pod's own."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest

from cni_sriov.conf import requests
from cni_sriov.kernel.replies import Address
from tests.drop_in import known
from tests.unit.verbs.calls import NEW, attach, held
from tests.world import World

Json = dict[str, Any]
MAC = "02:00:00:00:00:09"
# (word, keys of the conf, CNI_ARGS, how the message names it): each way to ask, from CNI's CONVENTIONS.md (v1.3.0)
ASKED: list[tuple[str, Json, str, str]] = [
    ("mac", {}, f"MAC={MAC}", f'CNI_ARGS MAC "{MAC}"'),
    ("mac", {"args": {"cni": {"mac": MAC}}}, "", f'args.cni.mac "{MAC}"'),
    ("mac", {"runtimeConfig": {"mac": MAC}}, "", f'runtimeConfig.mac "{MAC}"'),
    ("mac", {"Args": {"CNI": {"Mac": MAC}}}, "", f'args.cni.mac "{MAC}"'),
    ("ips", {}, "IP=10.10.7.5", 'CNI_ARGS IP "10.10.7.5"'),
    ("ips", {"args": {"cni": {"ips": ["10.10.7.5"]}}}, "", 'args.cni.ips ["10.10.7.5"]'),
    ("ips", {"runtimeConfig": {"ips": ["10.10.7.5"]}}, "", 'runtimeConfig.ips ["10.10.7.5"]'),
    ("subnets", {}, "SUBNET=10.10.7.0/24", 'CNI_ARGS SUBNET "10.10.7.0/24"'),
    ("subnets", {"args": {"cni": {"subnets": ["10.10.7.0/24"]}}}, "", 'args.cni.subnets ["10.10.7.0/24"]'),
    ("bandwidth", {"runtimeConfig": {"bandwidth": {"egressRate": 1}}}, "", 'runtimeConfig.bandwidth {"egressRate": 1}'),
    ("bandwidth", {"runtimeConfig": {"bandwidth": {"IngressRate": 1}}}, "", "runtimeConfig.bandwidth"),
    ("vlan", {"args": {"cni": {"vlan": 5}}}, "", "args.cni.vlan 5"),
    ("vlan", {"args": {"cni": {"vlan": 0}}}, "", "args.cni.vlan 0"),
]  # fmt: skip
IDS = [f"{named}" for *_, named in ASKED]


@pytest.mark.parametrize(("word", "keys", "args", "named"), ASKED, ids=IDS)
@pytest.mark.parametrize("how", ["others", "none"])
def test_what_is_not_listed_is_refused_by_name(
    world: World, word: str, keys: Json, args: str, named: str, how: str
) -> None:
    allowed = [other for other in requests.REQUESTS if other != word] if how == "others" else []
    before = world.snapshot()

    refused = world.call(
        "ADD", world.conf(ipam=world.ipam(), allowRequests=allowed, vlan=9) | keys, args=args
    )

    assert (refused.code, world.snapshot()) == (7, before), refused.text
    assert f"read {named}" in refused.document["msg"]
    assert "allowRequests does not allow it" in refused.document["msg"]
    assert f'add "{word}"' in refused.document["details"]
    whence = {
        "CNI_ARGS": "the runtime's call",
        "args": '"cni-args" in the pod',
        "runtimeConfig": "--mac-address",
    }
    assert whence[re.split("[ .]", named)[0]] in refused.document["details"]


@pytest.mark.parametrize(("word", "keys", "args", "named"), ASKED, ids=IDS)
def test_what_is_listed_is_done_and_given_back(
    world: World, word: str, keys: Json, args: str, named: str
) -> None:
    known(world)
    before = world.snapshot()
    conf = world.conf(ipam=world.ipam(), allowRequests=[word]) | keys

    added = world.call("ADD", conf, args=args)

    assert added.code == 0, added.text
    vf = world.kernel.pfs[0].vfs[0]
    done = {
        "mac": added.document["interfaces"][0]["mac"] == MAC,
        "ips": added.document["ips"][0]["address"] == "10.10.7.5/24",
        "subnets": added.document["ips"][0]["address"].startswith("10.10.7."),
        "bandwidth": vf.state.max_tx_rate == ("egressRate" in named),
        "vlan": vf.state.vlan == (5 if "5" in named else 0),
    }
    assert done[word]
    assert [world.call(verb, conf, args=args).code for verb in ("CHECK", "DEL")] == [0, 0]
    assert world.snapshot() == before


def test_all_but_a_vlan_may_be_asked_where_nothing_is_said(world: World) -> None:
    for word, keys, args, _ in ASKED:
        reply = world.call("ADD", world.conf(ipam=world.ipam()) | keys, args=args)

        assert reply.code == (7 if word == "vlan" else 0), reply.text
        world.call("DEL", world.conf(ipam=world.ipam()))
    nothings: list[Any] = [None, "", []]
    for said in nothings:
        nothing = {"runtimeConfig": {"mac": said, "ips": said}, "args": {"cni": {"vlan": None}}}
        asked = world.conf(ipam=world.ipam(), allowRequests=[]) | nothing
        assert world.call("ADD", asked, args="MAC=;IP=").code == (7 if said == [] else 0)  # [] is no MAC
        world.call("DEL", asked)


WEAKEST_FIRST = ("conf", "CNI_ARGS", "args.cni", "runtimeConfig")


@pytest.mark.parametrize("sources", [pair for n in (1, 2, 4) for pair in combinations(WEAKEST_FIRST, n)])
def test_of_several_macs_the_strongest_ones_is_taken(world: World, sources: tuple[str, ...]) -> None:
    mac = {source: f"02:00:00:00:01:0{n}" for n, source in enumerate(WEAKEST_FIRST) if source in sources}
    conf = {
        "mac": mac.get("conf"),
        "args": {"cni": {"mac": mac.get("args.cni")}},
        "runtimeConfig": {"mac": mac.get("runtimeConfig")},
        "allowRequests": ["mac"],
    }

    added = world.call("ADD", world.conf(**conf), args=f"MAC={mac.get('CNI_ARGS', '')}")

    assert added.code == 0, added.text
    assert added.document["interfaces"][0]["mac"] == mac[sources[-1]]


@pytest.mark.parametrize(("keys", "args"), [
    ({"runtimeConfig": {"ips": ["10.1.0.5"]}}, ""), ({"args": {"cni": {"IPs": ["10.1.0.5"]}}}, ""), ({}, "IP=10.1.0.5/16"),
    ({"runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/16"}]]}}, ""), ({}, "GATEWAY=10.1.0.1"),
])  # fmt: skip
def test_a_request_for_another_ipam_is_judged_too(world: World, keys: Json, args: str) -> None:
    """It would get it, and act: host-local and static of containernetworking/plugins v1.9."""
    conf = world.conf(ipam={"type": "host-local"}, allowRequests=["mac"]) | keys

    refused = world.call("ADD", conf, args=args)

    assert (refused.code, world.files()) == (7, [])
    assert 'add "ips"' in refused.text


@pytest.mark.parametrize(
    ("keys", "vlan", "qos"), [({"vlan": 7}, 5, 0), ({}, 5, 0), ({"vlan": 7, "vlanQoS": 3}, 5, 3)]
)
def test_a_pods_vlan_takes_the_confs_place(world: World, keys: Json, vlan: int, qos: int) -> None:
    conf = world.conf(allowRequests=["vlan"], args={"cni": {"vlan": 5}}, **keys)

    assert world.call("ADD", conf).code == 0

    state = world.kernel.pfs[0].vfs[0].state
    assert (state.vlan, state.vlan_qos) == (vlan, qos)
    assert world.call("CHECK", conf).code == 0


@pytest.mark.parametrize(("asked", "keys", "words"), [
    (4095, {}, "read args.cni.vlan 4095: must be an integer in 0-4094"),
    (-1, {}, "read args.cni.vlan -1"), (True, {}, "read args.cni.vlan true"), ("5", {}, 'read args.cni.vlan "5"'), (5.0, {}, "read args.cni.vlan 5.0"),
    (0, {"vlan": 7, "vlanQoS": 3}, "vlanQoS: needs a vlan that is not 0"),
    (0, {"vlan": 7, "vlanProto": "802.1ad"}, "802.1ad: needs a vlan that is not 0"),
    (5, {"vlanQoS": 3}, "vlanQoS: needs a vlan"),
])  # fmt: skip
def test_a_pods_vlan_has_the_rules_of_the_confs(world: World, asked: Any, keys: Json, words: str) -> None:
    refused = world.call("ADD", world.conf(allowRequests=["vlan"], args={"cni": {"vlan": asked}}, **keys))

    assert (refused.code, words in refused.text) == (7, True), refused.text


@pytest.mark.parametrize(("allowed", "code"), [(["mac"], 7), (["ips"], 0), (None, 0)])
def test_under_another_main_plugin_it_stands_beside_ipam(
    world: World, allowed: list[str] | None, code: int
) -> None:
    conf: Json = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "ipam": world.ipam()}
    conf |= {"args": {"cni": {"ips": ["10.10.7.5"]}}} | (
        {} if allowed is None else {"allowRequests": allowed}
    )

    assert world.call("ADD", conf, door="host-subnet").code == code


@pytest.mark.parametrize("allowed", [["ips"], [], None])
def test_under_another_main_plugin_its_own_requests_are_its_own(
    world: World, allowed: list[str] | None
) -> None:
    """macvlan's MAC (plugins v1.9, plugins/main/macvlan), bandwidth's limit: not host-subnet's to forbid."""
    conf: Json = {"cniVersion": "1.0.0", "name": "n", "type": "macvlan", "ipam": world.ipam()}
    conf |= {"args": {"cni": {"vlan": 5}}, "runtimeConfig": {"mac": MAC, "bandwidth": {"egressRate": 1000}}}
    conf |= {} if allowed is None else {"allowRequests": allowed}

    added = world.call("ADD", conf, args=f"MAC={MAC}", door="host-subnet")

    assert added.code == 0, added.text


@pytest.mark.parametrize(
    "master", ["enp1s0f0", "lan", "enp1s0f0np0-the-port-at-the-left", "nowhere", "\0", "\ud800", 5]
)
def test_a_pool_may_be_cut_from_the_lan_of_macvlans_master_by_whatever_name(
    world: World, master: Any
) -> None:
    pf = world.kernel.pfs[0].link
    pf.altnames += ["lan", "enp1s0f0np0-the-port-at-the-left"]
    found = world.kernel.host.find(pf.name)
    assert found is not None
    pf.addresses.append(Address("10.10.0.1/24", found[0]))
    conf: Json = {
        "cniVersion": "1.0.0",
        "name": "n",
        "type": "macvlan",
        "master": master,
        "ipam": world.ipam(),
    }

    added = world.call("ADD", conf, door="host-subnet")

    subnet = "10.10.0." if master in {pf.name, *pf.altnames} else "10.10.1."
    assert added.code == 0, added.text
    assert added.document["ips"][0]["address"].startswith(subnet)


def test_what_runs_is_not_judged_again(world: World) -> None:
    """The operator took his leave back: the attachment stays what it is."""
    asked = {"args": {"cni": {"vlan": 5, "mac": MAC}}}
    assert world.call("ADD", world.conf(allowRequests=["vlan", "mac"]) | asked).code == 0

    assert world.call("CHECK", world.conf(allowRequests=[]) | asked).code == 0
    assert world.call("DEL", world.conf(allowRequests=[]) | asked).code == 0


GUID = "c2:11:22:33:44:55:66:77"


@pytest.mark.parametrize("guid", [GUID, 5, ["x"], False])
def test_an_infiniband_guid_is_refused_by_add_and_by_nothing_else(world: World, guid: Any) -> None:
    """Code 2 is the specification's: "Error message must contain the key and value of the unsupported field"."""
    attach(world, "c1")
    before = world.snapshot()
    asking = world.conf(**NEW, ipam=world.ipam(), runtimeConfig={"infinibandGUID": guid})

    refused = world.call("ADD", asking, "c2")

    assert (refused.code, world.snapshot()) == (2, before), refused.text
    assert "runtimeConfig.infinibandGUID" in refused.document["msg"]
    assert json.dumps(guid) in refused.document["msg"]
    codes = [world.call(verb, asking, "c1", "/run/netns/c1").code for verb in ("STATUS", "CHECK", "DEL")]
    assert codes == [0, 0, 0]
    attach(world, "c3")
    assert world.call("GC", asking | {"cni.dev/valid-attachments": []}, "", "", "").code == 0
    assert held(world) == set()


RANGES = [[{"subnet": "10.99.0.0/24"}]]


def test_ip_ranges_are_refused_with_host_subnet_alone(world: World) -> None:
    before = world.snapshot()
    asking = world.conf(**NEW, ipam=world.ipam(), runtimeConfig={"ipRanges": RANGES})

    refused = world.call("ADD", asking)

    assert (refused.code, world.snapshot()) == (2, before), refused.text
    assert f"runtimeConfig.ipRanges {json.dumps(RANGES)}" in refused.document["msg"]
    assert world.call("ADD", world.conf(runtimeConfig={"ipRanges": RANGES})).code == 0, "layer 2 has none"
    assert world.call("DEL", asking).code == 0


@pytest.mark.parametrize("guid", ["", None])
def test_an_empty_guid_is_not_asked(world: World, guid: str | None) -> None:
    assert world.call("ADD", world.conf(runtimeConfig={"infinibandGUID": guid})).code == 0
