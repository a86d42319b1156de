"""Attachments to the host's VPP: a tap in the pod, the gateway of its lease on VPP's side, and all of it back again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeLink
from tests.unit.verbs.calls import NEW, foreign
from tests.vpp.world import TAP, VppWorld

POD = "/run/netns/pod1"
DUAL = [
    {"subnet": "10.10.0.0/16", "prefixLength": 24},
    {"subnet": "fd00:10::/48", "prefixLength": 64, "gateway": "last"},
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VppWorld]:
    with VppWorld(tmp_path) as world:
        yield world


# ADD and DEL ----------------------------------------------------------------------------------------------------------


def test_add_connects_the_pod_to_vpp_and_del_leaves_no_trace(world: VppWorld) -> None:
    before = world.snapshot()
    conf = world.conf(**NEW, ipam=world.ipam(pools=DUAL, routes=[{"dst": "0.0.0.0/0"}]), mtu=1400)

    reply = world.call("ADD", conf)

    link, tap = world.pod_link(), world.node.port(TAP)
    assert reply.document["interfaces"] == [{"name": "net1", "mac": link.mac, "mtu": 1400, "sandbox": POD}]
    assert [ip["address"] for ip in reply.document["ips"]] == ["10.10.0.2/24", "fd00:10::1/64"]
    assert sorted(address.address for address in link.addresses) == ["10.10.0.2/24", "fd00:10::1/64"]
    assert [(found.route.dst, found.route.gw) for found in link.routes] == [("0.0.0.0/0", "10.10.0.1")]
    assert (link.kind, link.mtu, link.is_up) == ("tun", 1400, True)
    assert [str(address) for address in tap.addresses] == ["10.10.0.1/24", "fd00:10::ffff:ffff:ffff:ffff/64"]
    assert (tap.mtu, tap.up) == (1400, True)

    assert world.call("DEL", conf, netns="").code == 0
    assert world.snapshot() == before


def test_without_an_mtu_both_sides_have_the_same(world: VppWorld) -> None:
    """VPP's own default for a tap is 9000."""
    world.add()
    assert (world.pod_link().mtu, world.node.port(TAP).mtu) == (1500, 1500)


def test_the_mac_that_was_asked(world: VppWorld) -> None:
    reply = world.add(mac="02:00:00:00:aa:01")
    assert (world.pod_link().mac, reply.document["interfaces"][0]["mac"]) == ("02:00:00:00:aa:01",) * 2


def test_there_is_no_pci_device_for_a_device_info_file(world: VppWorld) -> None:
    """Multus names one for every attachment of such a network; one that says nothing would be taken for an answer."""
    path = world.devinfo_dir / "cni/fast-c1_net1"
    before = world.snapshot()
    conf = world.conf(runtimeConfig={"CNIDeviceInfoFile": str(path)})

    assert [world.call(verb, conf).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]

    assert (path.parent.exists(), world.snapshot()) == (False, before)


def test_layer_2_alone(world: VppWorld) -> None:
    reply = world.add(ipam=None)
    assert (reply.document["ips"], world.node.port(TAP).addresses, world.node.port(TAP).up) == ([], [], True)


def test_two_pods_have_disjoint_subnets(world: VppWorld) -> None:
    world.add("c1")
    world.add("c2", "/run/netns/pod2")
    held = {str(address) for port in world.node.ports.values() for address in port.addresses}
    assert held == {"10.10.0.1/24", "10.10.1.1/24"}


def test_a_tag_is_of_its_attachment_alone(world: VppWorld) -> None:
    """Containers whose names begin alike, and an interface of the longest name: VPP keeps 63 bytes."""
    long, name = "c" * 100, "n" * 15
    for n in range(2):
        world.kernel.add_pod(f"/run/netns/long{n}")
        assert world.call("ADD", world.conf(), f"{long}{n}", f"/run/netns/long{n}", name).code == 0
    tags = [port.tag for port in world.node.ports.values() if port.tag]

    assert (len(set(tags)), max(map(len, tags))) == (2, 63)
    assert world.call("DEL", world.conf(), f"{long}0", ifname=name).code == 0
    assert [port.tag for port in world.node.ports.values() if port.tag] == tags[1:]


def test_a_netns_path_that_vpp_could_not_take(world: VppWorld) -> None:
    """It has 64 bytes, and cuts a longer one without a word."""
    path = f"/run/netns/{'n' * 80}"
    world.kernel.add_pod(path)
    assert world.call("ADD", world.conf(), netns=path).code == 0
    assert world.kernel.pods[path].has("net1")


def test_a_table_of_vpp_s(world: VppWorld) -> None:
    world.node.tables |= {(7, 4), (7, 6)}
    world.add(vpp=world.host(table=7))
    assert world.node.port(TAP).tables == {4: 7, 6: 7}


def test_a_table_that_is_not_there(world: VppWorld) -> None:
    before = world.snapshot()
    reply = world.call("ADD", world.conf(vpp=world.host(table=7)))
    assert (reply.code, "read vpp.table 7: VPP has no such table" in reply.text) == (7, True)
    assert world.snapshot() == before


@pytest.mark.parametrize("kind", ["tun", "veth"])
def test_a_name_that_is_taken(world: VppWorld, kind: str) -> None:
    """To that of a tap of its own VPP says yes, and makes a second queue of one device."""
    if kind == "tun":
        world.node.make_tap(0xFFFFFFFF, POD, "net1", bytes(6), 0, "somebody's")
    else:
        world.kernel.add_link(world.kernel.pods[POD], "net1", kind)
    before = world.snapshot()

    assert world.call("ADD", world.conf()).code == 102
    assert world.snapshot() == before


def test_a_second_add_is_refused(world: VppWorld) -> None:
    world.add()
    before = world.snapshot()
    world.kernel.pods[POD].links = {1: world.kernel.pods[POD].links[1]}  # the name is free
    reply = world.call("ADD", world.conf())
    assert (reply.code, "attached already, to VPP's tap" in reply.text) == (106, True)
    assert world.snapshot()["vpp"] == before["vpp"]


def test_vpp_makes_it_elsewhere(world: VppWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container with paths of its own; its word is not taken for it."""
    world.kernel.add_pod("/run/netns/strange")
    make = world.node.make_tap
    monkeypatch.setattr(world.node, "make_tap", lambda n, _netns, *rest: make(n, "/run/netns/strange", *rest))
    before = world.snapshot()

    reply = world.call("ADD", world.conf())

    assert (reply.code, "does VPP run in a container" in reply.text) == (5, True)
    assert world.snapshot() == before


# what a conf may say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["master", "deviceID", "vlan", "trust", "max_tx_rate", "driver", "promisc"])
def test_what_only_a_vf_has_is_refused(world: VppWorld, key: str) -> None:
    values: dict[str, Any] = {
        "master": "enp1s0f0",
        "deviceID": "0000:01:10.0",
        "vlan": 100,
        "trust": "on",
        "max_tx_rate": 10,
    }
    values |= {"driver": "vfio-pci", "promisc": True}
    reply = world.call("ADD", world.conf(**{key: values[key]}))
    assert (reply.code, reply.text.startswith(f"read {key}: ")) == (7, True)


def test_what_a_caller_asks_for_and_a_tap_has_not(world: VppWorld) -> None:
    before = world.snapshot()
    bandwidth = {"bandwidth": {"egressRate": 10_000_000, "egressBurst": 1_000_000}}
    reply = world.call("ADD", world.conf(runtimeConfig=bandwidth))
    assert (reply.code, "set max_tx_rate as the caller asks" in reply.text) == (7, True)
    assert world.snapshot() == before


@pytest.mark.parametrize("gateway", ["none", "10.11.0.1"])
def test_a_lease_without_a_gateway_in_it_is_refused(world: VppWorld, gateway: str) -> None:
    pools = [{"subnet": "10.10.0.0/16", "prefixLength": 24, "gateway": gateway}]
    before = world.snapshot()
    reply = world.call("ADD", world.conf(ipam=world.ipam(pools=pools)))
    assert (reply.code, "read ipam.pools[0].gateway" in reply.text) == (7, True)
    assert world.snapshot() == before


# the lease is clear of what VPP has -----------------------------------------------------------------------------------


def hold(world: VppWorld, *addresses: str, table: int = 0) -> None:
    """The card's own, of the operator."""
    from ipaddress import ip_interface

    if table:
        world.node.tables |= {(table, 4), (table, 6)}
        world.node.set_table(1, 4, table)
    for address in addresses:
        world.node.add_address(1, ip_interface(address))


@pytest.mark.parametrize("overlap", [False, True])
def test_what_vpp_has_is_left_out(world: VppWorld, overlap: bool) -> None:
    """Whatever its interface and length, and whatever allowHostOverlap says of the host."""
    hold(world, "10.10.0.9/32", "10.10.2.1/23")
    for n in range(2):
        world.add(f"c{n}", f"/run/netns/p{n}", ipam=world.ipam(allowHostOverlap=overlap))
    leases = [str(port.addresses[0]) for port in world.node.ports.values() if port.tag]
    assert leases == ["10.10.1.1/24", "10.10.4.1/24"]


def test_another_table_is_no_obstacle(world: VppWorld) -> None:
    hold(world, "10.10.0.1/16", table=7)
    world.add()
    assert [str(address) for address in world.node.port(TAP).addresses] == ["10.10.0.1/24"]


def test_a_request_for_what_vpp_has(world: VppWorld) -> None:
    hold(world, "10.10.5.1/24")
    before = world.snapshot()
    reply = world.call("ADD", world.conf(args={"cni": {"ips": ["10.10.5.7"]}}))
    assert (reply.code, reply.text.partition(" (")[0].partition(" |")[0]) == (
        104,
        'args.cni.ips "10.10.5.7": 10.10.5.0/24 overlaps 10.10.5.1/24 of net1 in VPP',
    )
    assert world.snapshot() == before


def test_vpp_has_all_of_the_pool(world: VppWorld) -> None:
    hold(world, "10.0.0.1/8")
    reply = world.call("ADD", world.conf())
    assert (reply.code, "overlaps 10.0.0.1/8 of net1 in VPP" in reply.text) == (104, True)


def race(world: VppWorld, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else gives it to the card between our look and our turn."""
    make = world.node.make_tap

    def late(*told: Any) -> int:
        hold(world, address)
        return make(*told)

    monkeypatch.setattr(world.node, "make_tap", late)


@pytest.mark.parametrize(
    ("pools", "theirs", "ours"),
    [
        (DUAL[:1], "10.10.0.77/16", "10.10.0.1/24"),
        (DUAL, "fd00:10::7/64", "fd00:10::ffff:ffff:ffff:ffff/64"),
    ],
)
def test_a_conflict_that_came_meanwhile_is_told_in_vpp_s_words(
    world: VppWorld, monkeypatch: pytest.MonkeyPatch, pools: list[dict[str, Any]], theirs: str, ours: str
) -> None:
    race(world, theirs, monkeypatch)
    before = world.snapshot()

    reply = world.call("ADD", world.conf(ipam=world.ipam(pools=pools)))

    sentence = f"failed to add {ours} on tap0 which conflicts with {theirs} for interface net1"
    assert (reply.code, sentence in reply.text) == (104, True), reply.text
    world.node.ports[1].addresses.clear()
    assert world.snapshot() == before


# foreign IPAM ---------------------------------------------------------------------------------------------------------


def test_the_gateway_of_another_ipam(world: VppWorld, tmp_path: Path) -> None:
    before = world.snapshot()
    conf = foreign(world, tmp_path, {"address": "10.9.0.5/24", "gateway": "10.9.0.1"})
    assert world.call("ADD", conf).code == 0
    assert [str(address) for address in world.node.port(TAP).addresses] == ["10.9.0.1/24"]
    assert world.call("DEL", conf, netns="").code == 0
    assert world.snapshot() == before


def test_another_ipam_that_gives_no_gateway(world: VppWorld, tmp_path: Path) -> None:
    before = world.snapshot()
    reply = world.call("ADD", foreign(world, tmp_path, {"address": "10.9.0.5/24"}))
    assert (reply.code, "gave no gateway" in reply.text) == (7, True)
    assert world.snapshot() == before


def test_the_stand_in_is_no_better_than_vpp(world: VppWorld) -> None:
    """What the product must not rely on: a name that is taken is no error, and the tap of a dead netns stays."""
    first = world.node.make_tap(0xFFFFFFFF, POD, "eth1", bytes(6), 0, "")
    second = world.node.make_tap(0xFFFFFFFF, POD, "eth1", bytes(6), 0, "")
    found = world.kernel.pods[POD].find("eth1")
    assert (first, second) == (2, 3)
    assert found is not None
    assert isinstance(found[1], FakeLink)
    world.kernel.kill_netns(POD)
    assert sorted(world.node.ports) == [0, 1, 2, 3]


def test_a_network_that_went_to_host_subnet_since_leaves_no_claim(world: VppWorld, tmp_path: Path) -> None:
    """The last look, whether the container has it, must not take the claim again that DEL gave back."""
    before = world.snapshot()
    conf = foreign(world, tmp_path, {"address": "10.9.0.5/24", "gateway": "10.9.0.1"})
    assert world.call("ADD", conf).code == 0

    assert world.call("DEL", world.conf(), netns="").code == 0

    assert world.snapshot() == before
