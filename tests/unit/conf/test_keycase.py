"""Keys in any case, and null: what Go's encoding/json makes of them, and so every other reader of the same text.

The rows are what real callers send, with repository, version and file where it comes from. Through the doors where a
door shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cni_sriov.conf import hostsubnet, requests
from cni_sriov.conf.keycase import Folded, Known
from cni_sriov.wire import cni as wire
from tests.drop_in import known
from tests.fakes import FakeVf
from tests.world import Reply, World

Json = dict[str, Any]
VF = "0000:01:10.0"
DNS = {"nameservers": ["10.0.0.53"]}
TREE = Known(
    {"vlan": None, "mac": None, "pf": Known({"names": None}), "pools": Known({"subnet": None})}, ["mac"]
)


def vf_of(world: World, address: str = VF) -> FakeVf:
    return next(vf for pf in world.kernel.pfs for vf in pf.vfs if vf.pci_address == address)


def dns_of(reply: Reply) -> Any:
    return reply.document["dns"]


# pure ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raw", "conf"), [
    ({"vlan": 5}, {"vlan": 5}),
    ({"Vlan": 5, "PF": {"NAMES": ["a"]}}, {"vlan": 5, "pf": {"names": ["a"]}}),
    ({"vlan": None, "mac": None, "pf": {"names": None}}, {"pf": {}}),
    ({"mac": "", "vlan": ""}, {"vlan": ""}),
    ({"Pools": [{"Subnet": "a"}, {"subnet": None}, 7, None]}, {"pools": [{"subnet": "a"}, {}, 7, None]}),
    ({"pf": [1], "pools": "x"}, {"pf": [1], "pools": "x"}),
    ({"other": None, "Other": {"Vlan": 1}}, {"other": None, "Other": {"Vlan": 1}}),
    ({"Vlan": 5, "vlan": 5}, {"vlan": 5}),
    ({"Vlan": None, "vlan": 5}, {"vlan": 5}),
    ({"vlan": None, "VLAN": 5}, {"vlan": 5}),
    # encoding/json compares by rune (foldName, go1.21): the long s and the Kelvin sign fold, and nothing grows
    ({"pool\u017f": []}, {"pools": []}),
    ({"ma\u00e7": "x", "vlan\u0131": 1}, {"ma\u00e7": "x", "vlan\u0131": 1}),
])  # fmt: skip
def test_known_keys_are_folded_and_nulls_are_gone(raw: Json, conf: Json) -> None:
    before = json.dumps(raw)

    folded = Folded(raw, TREE)

    assert (folded.conf, folded.clashes) == (conf, [])
    assert json.dumps(raw) == before, "what is handed on to another IPAM stays as it came"


@pytest.mark.parametrize(("raw", "taken"), [
    ({"Vlan": 5, "vlan": 6}, 6), ({"vlan": 6, "VLAN": 5}, 6), ({"Vlan": 5, "VLAN": 6}, 6), ({"Vlan": 1, "vlan": True}, True),
])  # fmt: skip
def test_of_two_spellings_the_exact_one_is_taken(raw: Json, taken: Any) -> None:
    folded = Folded(raw, TREE)

    assert folded.conf == {"vlan": taken}
    assert [path for path, *_ in folded.clashes] == ["vlan"]


def test_what_is_spelled_otherwise_is_told() -> None:
    assert Folded({"Vlan": 1, "pf": {"Names": []}}, TREE).respelled == [
        ("vlan", "Vlan"),
        ("pf.names", "Names"),
    ]


# as callers send it --------------------------------------------------------------------------------------------------

# containerd/go-cni v1.1.13: BandWidth and DNS of types.go have no JSON tags; namespace_opts.go puts them into runtimeConfig
GO_BANDWIDTH = {"IngressRate": 0, "IngressBurst": 0, "EgressRate": 10_000_000, "EgressBurst": 4294967295}
GO_DNS = {"Servers": ["192.0.2.53"], "Searches": None, "Options": None}
NO_GO_DNS = {"Servers": None, "Searches": None, "Options": None}
Look = Callable[[World, Reply], Any]
SENT: list[tuple[str, Json, Look, Any]] = [
    ("go-cni bandwidth", {"runtimeConfig": {"bandwidth": GO_BANDWIDTH}}, lambda w, r: vf_of(w).state.max_tx_rate, 10),
    ("go-cni bandwidth of nothing", {"runtimeConfig": {"bandwidth": dict.fromkeys(GO_BANDWIDTH, 0)}}, lambda w, r: vf_of(w).state.max_tx_rate, 0),
    ("go-cni dns", {"dns": DNS, "runtimeConfig": {"dns": GO_DNS}}, lambda w, r: dns_of(r), {"nameservers": ["192.0.2.53"]}),
    ("go-cni dns of nothing", {"dns": DNS, "runtimeConfig": {"dns": NO_GO_DNS}}, lambda w, r: dns_of(r), DNS),
    ("empty dns", {"dns": DNS, "runtimeConfig": {"dns": {"servers": [], "searches": []}}}, lambda w, r: dns_of(r), DNS),
    # types.NetConf of containernetworking/cni v1.3.0 and sriov-cni's (pkg/types/types.go, 1b7acc5): any case
    ("sriov-cni's fields", {"Vlan": 100, "VlanQoS": 3, "SpoofChk": "off", "MAC": "02:00:00:00:00:09", "LogLevel": "debug"},
     lambda w, r: (vf_of(w).state.vlan, vf_of(w).state.vlan_qos, vf_of(w).state.spoofchk, w.pod_link().mac), (100, 3, False, "02:00:00:00:00:09")),
    ("DNS", {"DNS": {"Nameservers": ["10.0.0.53"]}}, lambda w, r: dns_of(r), DNS),
    ("Master", {"master": None, "Master": "enp1s0f0"}, lambda w, r: r.code, 0),
    ("DeviceID", {"master": None, "DeviceID": "0000:01:10.4"}, lambda w, r: vf_of(w, "0000:01:10.4").link is w.pod_link(), True),
    ("RuntimeConfig", {"RuntimeConfig": {"Mac": "02:00:00:00:00:09"}}, lambda w, r: w.pod_link().mac, "02:00:00:00:00:09"),
    ("Args", {"Args": {"CNI": {"MAC": "02:00:00:00:00:09"}}}, lambda w, r: w.pod_link().mac, "02:00:00:00:00:09"),
    ("pf", {"master": None, "PF": {"Names": ["enp1s0f0"]}}, lambda w, r: r.code, 0),
    ("Name and CNIVersion", {"name": None, "cniVersion": None, "Name": "fast", "CNIVersion": "1.0.0"}, lambda w, r: r.document["cniVersion"], "1.0.0"),
    ("what is not asked leaves the conf's", {"master": None, "deviceID": "0000:01:10.4", "mac": "02:00:00:00:00:09", "runtimeConfig": {"deviceID": None, "mac": ""}},
     lambda w, r: (vf_of(w, "0000:01:10.4").link is w.pod_link(), w.pod_link().mac), (True, "02:00:00:00:00:09")),
    # libcni (v1.3.0, libcni/conf.go) puts "" where the conf has none
    ('cniVersion ""', {"cniVersion": ""}, lambda w, r: r.document["cniVersion"], "0.1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "look", "value"), [row[1:] for row in SENT], ids=[row[0] for row in SENT])
def test_it_does_what_was_asked(world: World, keys: Json, look: Look, value: Any) -> None:
    known(world)
    before = world.snapshot()
    conf = world.conf(**keys)

    added = world.call("ADD", conf)

    assert added.code == 0, added.text
    assert look(world, added) == value
    assert world.call("DEL", conf).code == 0
    assert world.snapshot() == before


def test_the_state_directory_in_another_case_is_found_again(world: World) -> None:
    conf = world.conf() | {"StateDir": str(world.root / "other"), "stateDir": None}

    assert world.call("ADD", conf).code == 0

    assert (world.root / "other" / "c1@net1").exists()
    assert world.call("DEL", conf).code == 0
    assert not (world.root / "other" / "c1@net1").exists()


IPAM = {"Type": "host-subnet", "Pools": [{"Subnet": "10.10.0.0/16", "PrefixLength": 24, "GateWay": "last", "exclude": None}],
        "Routes": [{"Dst": "10.99.0.0/16", "GW": None}], "OnLink": None, "DNS": {"Search": ["a"], "domain": None}}  # fmt: skip


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_host_subnets_keys_too_through_both_doors(world: World, door: str) -> None:
    conf = world.conf(IPAM=IPAM | {"DataDir": str(world.data_dir)}, RuntimeConfig={"IPs": ["10.10.7.5"]})
    before = world.snapshot()

    added = world.call("ADD", conf, door=door)

    assert added.code == 0, added.text
    (ip,) = added.document["ips"]
    assert (ip["address"], ip["gateway"]) == ("10.10.7.5/24", "10.10.7.254")
    assert [route["dst"] for route in added.document["routes"]] == ["10.99.0.0/16"]
    assert added.document["dns"] == {"search": ["a"]}
    assert world.call("CHECK", conf, door=door).code == 0
    assert world.call("DEL", conf, door=door).code == 0
    assert world.snapshot() == before


NOT_ASKED: list[Any] = [None, ""]
EMPTY: list[Json] = [
    *[{"runtimeConfig": {key: value}} for key in requests.RUNTIME.keys for value in NOT_ASKED],
    *[{"runtimeConfig": {"bandwidth": {"egressRate": value}}} for value in (*NOT_ASKED, 0)],
    *[{"runtimeConfig": {"dns": {"servers": value}}} for value in (*NOT_ASKED, [])],
    *[{"runtimeConfig": {key: []}} for key in ("ips", "ipRanges")],
    *[{"args": {"cni": {key: value}}} for key in requests.ARGS.keys for value in NOT_ASKED],
    {"runtimeConfig": None}, {"args": None}, {"args": {"cni": None}}, {"capabilities": None},
    {"vlan": None, "mac": None, "mtu": None, "spoofchk": None, "trust": None, "deviceID": None, "pf": None, "prevResult": None},
]  # fmt: skip


@pytest.mark.parametrize("keys", EMPTY, ids=str)
def test_what_says_nothing_asks_for_nothing(world: World, keys: Json) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    conf = world.conf(ipam=world.ipam(dns={"search": ["b"]}), dns=DNS) | keys
    plain = world.call(
        "ADD", world.conf(ipam=world.ipam(dns={"search": ["b"]}), dns=DNS), "c0", "/run/netns/pod2"
    ).document

    added = world.call("ADD", conf)

    assert added.code == 0, added.text
    assert (added.document["dns"], plain["dns"]) == (DNS, DNS)
    assert added.document["interfaces"][0].keys() == plain["interfaces"][0].keys()
    assert [world.call(verb, conf).code for verb in ("CHECK", "DEL")] == [0, 0]
    assert world.call("ADD", conf, door="host-subnet").code == 0


@pytest.mark.parametrize("args", ["MAC=", "IP=", "SUBNET=", "IP=,", "MAC=;IP=;SUBNET="])
def test_nor_does_an_empty_value_in_cni_args(world: World, args: str) -> None:
    assert world.call("ADD", world.conf(ipam=world.ipam()), args=args).code == 0


# both spellings ------------------------------------------------------------------------------------------------------

CLASHES: list[tuple[Json, str, str]] = [
    ({"vlan": 5, "Vlan": 6}, "configuration", '"vlan" and "Vlan"'),
    ({"runtimeConfig": {"mac": "02:00:00:00:00:01", "MAC": "02:00:00:00:00:02"}}, "runtimeConfig", '"mac" and "MAC"'),
    ({"Name": "other"}, "configuration", '"name" and "Name"'),
    ({"pf": {"names": ["a"], "NAMES": ["b"]}}, "pf", '"names" and "NAMES"'),
    ({"runtimeConfig": {"bandwidth": {"egressRate": 1, "EgressRate": 2}}}, "runtimeConfig.bandwidth", '"egressRate" and "EgressRate"'),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "where", "spellings"), CLASHES, ids=[row[2] for row in CLASHES])
def test_two_spellings_with_different_values_are_code_7_for_add_alone(
    world: World, keys: Json, where: str, spellings: str
) -> None:
    world.kernel.add_pod("/run/netns/pod2")
    good = world.conf()
    assert world.call("ADD", good).code == 0
    before = world.snapshot()
    both = world.conf(cniVersion="1.1.0") | keys

    refused = world.call("ADD", both, "c2", "/run/netns/pod2")

    assert (refused.code, world.snapshot()) == (7, before), refused.text
    assert f"read {where}: has {spellings} with different values" in refused.document["msg"]
    assert world.call("STATUS", both).code == 7
    assert world.call("CHECK", both | {"pf": None}).code == 0
    keep = [{"containerID": "c1", "ifname": "net1"}]
    assert world.call("GC", both | {"cni.dev/valid-attachments": keep}, "", "", "").code == 0
    assert world.call("CHECK", good).code == 0, "GC kept it"
    assert world.call("DEL", both).code == 0
    assert not world.kernel.pods["/run/netns/pod1"].find("net1")


def test_two_spellings_with_one_value_are_fine(world: World) -> None:
    assert world.call("ADD", world.conf(Vlan=5, vlan=5)).code == 0
    assert vf_of(world).state.vlan == 5


def test_another_plugins_own_keys_are_not_ours_to_judge(world: World) -> None:
    """bridge reads `vlan`, and ours as its IPAM does not."""
    conf = {"cniVersion": "1.0.0", "name": "n", "type": "bridge", "vlan": 5, "Vlan": 6, "ipam": world.ipam()}

    assert world.call("ADD", conf, door="host-subnet").code == 0


# what is passed on ---------------------------------------------------------------------------------------------------


def test_the_raw_conf_stays_as_it_came() -> None:
    given = {"Name": "n", "cniVersion": "", "IPAM": {"Type": "static", "Addresses": None}, "vlan": None}
    env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/a", "CNI_IFNAME": "net1"}

    request = wire.parse_request(env, json.dumps(given))

    assert json.dumps(request.raw) == json.dumps(given)
    assert request.conf == {"name": "n", "cniVersion": "0.1.0", "ipam": {"type": "static", "Addresses": None}}


def test_prev_result_is_passed_through(world: World) -> None:
    prev = {"cniVersion": "1.0.0", "Interfaces": [{"name": None}], "ips": None}
    env = {"CNI_COMMAND": "CHECK", "CNI_CONTAINERID": "c1", "CNI_NETNS": "/a", "CNI_IFNAME": "net1"}

    request = wire.parse_request(env, json.dumps(world.conf(PrevResult=prev)))

    assert request.conf["prevResult"] == prev


@pytest.mark.parametrize("door", ["sriov", "host-subnet"])
def test_the_log_tells_a_spelling(world: World, door: str) -> None:
    conf = world.conf(ipam=world.ipam(OnLink=False, Sticky=None), logLevel=None, LogLevel="debug")
    assert world.call("ADD", conf, door=door).code == 0

    lines = [line for line in world.log_file.read_text().splitlines() if "spelled" in line]
    assert [line.partition(" ")[2] for line in lines] == [
        f'level=debug verb=ADD containerID=c1 ifname=net1 msg="a key is spelled otherwise" key={key} spelling={spelling}'
        for key, spelling in (("logLevel", "LogLevel"), ("ipam.onlink", "OnLink"))
    ]


def test_tables_know_no_key_twice() -> None:
    assert hostsubnet.IPAM.name_of("PREFIXLENGTH") == ""
    assert hostsubnet.POOL.name_of("PREFIXLENGTH") == "prefixLength"
