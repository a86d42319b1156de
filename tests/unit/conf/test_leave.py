"""Who may override what the configuration says: each way to ask, each `allowRequests`, each verb.

The rows' expectations are written out by issue 10, class 7, not computed: a pod asks, the operator decides.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.unit.conf.test_requests import ASKED, IDS
from tests.unit.verbs.calls import attach
from tests.world import World

Json = dict[str, Any]
PINNED, MAC = "02:00:00:00:0b:01", "02:00:00:00:00:09"
WAYS: dict[str, tuple[Json, str]] = {
    "CNI_ARGS": ({}, f"MAC={MAC}"),
    "args.cni": ({"args": {"cni": {"mac": MAC}}}, ""),
    "runtimeConfig": ({"runtimeConfig": {"mac": MAC}}, ""),
    "runtimeConfig in another spelling": ({"runtimeConfig": {"MAC": MAC.upper().replace(":", "-")}}, ""),
}
LEAVES: dict[str, tuple[Json, bool]] = {
    "nothing said": ({}, False),
    "null": ({"allowRequests": None}, False),
    "another capability": ({"capabilities": {"ips": True}}, False),
    "the capability refused": ({"capabilities": {"mac": False}}, False),
    "the capability null": ({"capabilities": {"mac": None}}, False),
    "the capability, but not the word": ({"capabilities": {"mac": True}, "allowRequests": ["ips"]}, False),
    "nothing allowed": ({"allowRequests": []}, False),
    "the word": ({"allowRequests": ["mac"]}, True),
    "the word among others": ({"allowRequests": ["ips", "mac"]}, True),
    "the capability": ({"capabilities": {"mac": True}}, True),
}


@pytest.mark.parametrize(("way", "leave"), list(product(WAYS, LEAVES)))
def test_a_pinned_mac_is_overridden_only_by_leave(world: World, way: str, leave: str) -> None:
    (keys, args), (said, may) = WAYS[way], LEAVES[leave]
    conf = world.conf(mac=PINNED) | keys | said
    before = world.snapshot()

    added = world.call("ADD", conf, args=args)

    if may:
        assert added.document["interfaces"][0]["mac"] == MAC, added.text
        return
    assert (added.code, world.snapshot()) == (7, before), added.text
    assert MAC in added.text.lower().replace("-", ":"), "it names what was asked"
    assert "allowRequests" in added.text


@pytest.mark.parametrize("way", WAYS)
def test_who_asks_for_the_pinned_mac_asks_for_nothing(world: World, way: str) -> None:
    keys, args = WAYS[way]

    added = world.call("ADD", world.conf(mac=MAC.upper(), allowRequests=[]) | keys, args=args)

    assert added.document["interfaces"][0]["mac"] == MAC, added.text


@pytest.mark.parametrize("way", WAYS)
def test_without_a_pinned_mac_a_pod_may_ask_as_before(world: World, way: str) -> None:
    keys, args = WAYS[way]

    assert world.call("ADD", world.conf() | keys, args=args).document["interfaces"][0]["mac"] == MAC


@pytest.mark.parametrize("verb", ["CHECK", "DEL", "GC", "STATUS"])
@pytest.mark.parametrize(("word", "keys", "args"), [row[:3] for row in ASKED], ids=IDS)
def test_no_other_verb_refuses_what_is_asked(
    world: World, verb: str, word: str, keys: Json, args: str
) -> None:
    plain = world.conf(cniVersion="1.1.0", ipam=world.ipam(), mac=PINNED)
    attach(world, "c1", mac=PINNED)
    asking = plain | keys | {"allowRequests": []}
    if verb == "GC":
        asking |= {"cni.dev/valid-attachments": []}

    reply = world.call(verb, asking, "c1", "/run/netns/c1", args=args)

    assert reply.code == 0, (word, reply.text)


VF, OTHER = "0000:01:10.0", "0000:01:10.2"
DEVICE: list[tuple[str, Json, str, int]] = [
    ("the device plugin's, which Multus puts into the conf too", {"deviceID": VF}, VF, 0),
    ("in another spelling", {"deviceID": "01:10.0".rjust(12, "0").replace("00000", "0000:", 1)}, VF, 0),
    ("where the conf means none", {}, VF, 0),
    ("over deviceID", {"deviceID": VF}, OTHER, 7),
    ("over pciBusID", {"pciBusID": VF}, OTHER, 7),
    ("over master", {"master": "enp1s0f0"}, OTHER, 7),
    ("over pf", {"pf": {"names": ["enp1s0f0"]}}, OTHER, 7),
]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "asked", "code"), [row[1:] for row in DEVICE], ids=[row[0] for row in DEVICE]
)
@pytest.mark.parametrize("allowed", [None, [], ["mac"], ["deviceID"]])
def test_a_vf_of_a_pods_own_choice_can_be_forbidden(
    world: World, keys: Json, asked: str, code: int, allowed: list[str] | None
) -> None:
    """Multus passes a pod's `deviceID` on where the manifest has no resourceName (multus-cni 95a0932, pkg/types/conf.go)."""
    conf = world.conf(master=None, allowRequests=allowed, runtimeConfig={"deviceID": asked}) | keys

    added = world.call("ADD", conf)

    assert added.code == (code if allowed in ([], ["mac"]) else 0), added.text
    if added.code:
        assert "runtimeConfig.deviceID" in added.text
        assert world.files() == []
    else:
        assert world.pod_link().pci_address == asked


# (max_tx_rate of the conf, egressRate in bits/s, Mbit/s that the VF gets): CNI CONVENTIONS.md has bits, the key Mbit
RATES: list[tuple[int | None, Any, int]] = [
    (100, 10_000_000_000, 100), (100, 100_000_001, 100), (100, 100_000_000, 100), (100, 99_999_999, 100),
    (100, 99_000_000, 99), (100, 1, 1), (100, 0, 100), (100, None, 100), (1, 2_000_000, 1),
    (None, 1_000_000_000, 1000), (None, 1, 1), (None, 1_000_001, 2), (None, 0, 0),
    (0, 10_000_000, 10), (0, 0, 0), (1000, 4294967295000000, 1000),
]  # fmt: skip


@pytest.mark.parametrize("spelling", ["egressRate", "EgressRate"])
@pytest.mark.parametrize("allowed", [None, ["bandwidth"]])
@pytest.mark.parametrize(("limit", "asked", "given"), RATES)
def test_a_bandwidth_lowers_the_limit_and_never_raises_it(
    world: World, limit: int | None, asked: Any, given: int, allowed: list[str] | None, spelling: str
) -> None:
    bandwidth = {spelling: asked, "ingressRate": 5, "egressBurst": 1}
    conf = world.conf(max_tx_rate=limit, allowRequests=allowed, runtimeConfig={"bandwidth": bandwidth})

    added = world.call("ADD", conf)

    assert added.code == 0, added.text
    assert world.kernel.pfs[0].vfs[0].state.max_tx_rate == given
    is_cut = bool(limit and asked and asked > limit * 1_000_000)
    told = "bandwidth may be lowered, not raised" in world.log_file.read_text()
    assert told == is_cut, "it is told where a pod gets less than it asked for"
    assert world.call("CHECK", conf).code == 0


def test_less_than_the_guaranteed_rate_is_refused(world: World) -> None:
    conf = world.conf(
        min_tx_rate=50, max_tx_rate=100, runtimeConfig={"bandwidth": {"egressRate": 10_000_000}}
    )

    refused = world.call("ADD", conf)

    assert (refused.code, world.files()) == (7, [])
    assert "min_tx_rate 50: is more than max_tx_rate 10" in refused.text


HUGE = "9" * 4301  # CPython reads an integer of at most 4300 digits


@pytest.mark.parametrize(
    "where", ['"vlan": {}', '"unknown": {}', '"runtimeConfig": {{"bandwidth": {{"egressRate": {}}}}}']
)
def test_a_number_without_end_is_refused_in_words(world: World, where: str) -> None:
    text = '{"cniVersion": "1.0.0", "name": "fast", "type": "sriov", ' + where.format(HUGE) + "}"

    refused = world.call("ADD", text)

    assert (refused.code, "4300 digits" in refused.text, "sys." in refused.text) == (6, True, False), (
        refused.text
    )
    assert world.call("ADD", world.conf()).code == 0
    assert (world.call("DEL", text).code, world.files()) == (0, []), "by what is recorded"


@pytest.mark.parametrize("key", ["vlan", "mtu", "txqueuelen", "max_tx_rate", "announceWait", "verifyTimeout"])
@pytest.mark.parametrize("value", [10**40, -(10**40), 1 << 64, 1e308])
def test_a_huge_number_is_refused_by_name_and_cut(world: World, key: str, value: float) -> None:
    refused = world.call("ADD", world.conf(**{key: value}))

    assert (refused.code, f"read {key} " in refused.text) == (7, True)
    assert len(refused.text) < 400
