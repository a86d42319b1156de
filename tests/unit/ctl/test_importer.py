"""`sriovctl import host-local`: host-local's store becomes leases, all of it or nothing; afterwards DEL, CHECK and GC."""

from __future__ import annotations

import os
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest

from tests.drop_in import SriovCni, known
from tests.unit.ctl.import_node import POOL, Node
from tests.unit.ipam.test_delegate import HostLocal


def test_each_address_becomes_the_lease_of_who_has_it(node: Node) -> None:
    for n in (2, 3, 9):
        node.hold(f"10.1.0.{n}", f"c{n}")

    run = node.run()

    assert run.status == 0, run.err
    assert run.out.splitlines()[0] == "3 leased, 0 leased before"
    assert f"rm -r {node.network}" in run.out
    assert node.leases() == {f"10.1.0.{n}/32": f"c{n}/net1" for n in (2, 3, 9)}
    assert sorted(os.listdir(node.network)) == [
        "10.1.0.2",
        "10.1.0.3",
        "10.1.0.9",
        "last_reserved_ip.0",
        "lock",
    ]


def test_it_may_be_run_again(node: Node) -> None:
    node.hold("10.1.0.2", "c2")
    assert node.run().status == 0
    node.hold("10.1.0.3", "c3")

    run = node.run("--json")

    assert [item["done"] for item in run.document["items"]] == [True, False]
    assert len(node.leases()) == 2
    assert node.run().out.startswith("nothing leased, 2 leased before")


def test_a_dry_run_writes_nothing(node: Node) -> None:
    node.hold("10.1.0.2", "c2")
    before = node.world.files()

    run = node.run("--dry-run")

    assert "1 would be leased" in run.out
    assert (node.world.files(), node.leases()) == (before, {})


def test_dual_stack_is_one_attachment(node: Node) -> None:
    node.set(POOL, {"subnet": "fd00:1::/64", "prefixLength": 128})
    node.hold("10.1.0.2", "c2")
    node.hold("fd00:1::2", "c2", last=1)

    run = node.run("--json")

    (item,) = run.document["items"]
    assert item["addresses"] == ["10.1.0.2/32", "fd00:1::2/128"]
    assert node.bridge("DEL", "c2").code == 0
    assert node.leases() == {}


@pytest.mark.parametrize(
    ("addresses", "pool", "words"),
    [
        (["10.1.0.1", "10.1.0.2"], POOL | {"prefixLength": 30, "gateway": "none"}, "10.1.0.2 of c1/net1: 10.1.0.0/30 is that of 10.1.0.1 of c0/net1"),
        (["10.2.0.2"], POOL, "10.2.0.2 of c0/net1: it is outside every pool"),
        (["fd00::1"], POOL, "fd00::1 of c0/net1: it is outside every pool"),
        (["10.1.0.1"], POOL, "it is the gateway of"),
        (["10.1.4.1"], POOL | {"prefixLength": 24, "gateway": "first"}, "it is the gateway of"),
        (["10.1.4.0"], POOL | {"prefixLength": 24, "gateway": "last"}, "network or broadcast"),
        (["10.1.0.9"], POOL | {"prefixLength": 24}, "holds the gateway 10.1.0.1"),
        (["10.1.4.9"], POOL | {"exclude": ["10.1.4.0/24"]}, "is excluded"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_and_nothing_is_written(
    node: Node, addresses: list[str], pool: dict[str, Any], words: str
) -> None:
    node.set(pool)
    node.hold("10.1.200.2", "good")
    for n, address in enumerate(addresses):
        node.hold(address, f"c{n}")

    run = node.run()

    assert (run.status, words in run.err) == (1, True), run.err
    assert node.leases() == {}


def test_all_problems_are_told_at_once(node: Node) -> None:
    node.hold("10.2.0.2", "c1")
    node.hold("10.3.0.2", "c2")
    assert "2 problem(s)" in node.run().err


def test_the_network_and_broadcast_address_of_the_lan_are_never_leased(node: Node) -> None:
    node.set({"subnet": "10.1.2.0/24", "prefixLength": 32, "gateway": "10.1.2.1"})
    node.hold("10.1.2.7", "c7")
    node.hold("10.1.2.255", "c8")

    run = node.run()

    assert "10.1.2.255 of c8/net1: it is the network or broadcast address of 10.1.2.0/24" in run.err
    assert (run.status, node.leases()) == (1, {})


def test_after_the_move_the_pool_gives_the_hosts_of_the_lan(node: Node) -> None:
    """Each of them, but the gateway and who was there before."""
    node.set({"subnet": "10.1.2.0/28", "prefixLength": 32, "gateway": "10.1.2.1"}, type="bridge")
    node.hold("10.1.2.14", "c14")
    assert node.run().status == 0

    found = [node.bridge("ADD", f"new{n}") for n in range(12)]

    given = [ip_interface(reply.document["ips"][0]["address"]).ip for reply in found]
    assert sorted(given) == list(ip_network("10.1.2.0/28").hosts())[1:-1]


def test_a_lease_that_another_has_is_named(node: Node) -> None:
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.2"]}}).code == 0
    node.hold("10.1.0.2", "c2")
    node.hold("10.1.0.3", "c3")

    run = node.run()

    assert "10.1.0.2/32 of c2/net1: overlaps a lease" in run.err
    assert node.leases() == {"10.1.0.2/32": "other/net1"}


def test_the_last_of_them_fails_and_the_first_are_taken_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the lock somebody takes one."""
    node.hold("10.1.0.2", "c2")
    node.hold("10.1.0.3", "c3")
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.3"]}}).code == 0
    monkeypatch.setattr("cni_sriov.ctl.importer._taken", lambda *_: [])

    run = node.run()

    assert "taken meanwhile" in run.err
    assert node.leases() == {"10.1.0.3/32": "other/net1"}


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"plugins": 5}',
        "[]",
        "{",
        '{"cniVersion": "1.0.0", "name": "a", "type": "sriov", "master": "x"}',
    ],
)
def test_a_file_without_host_subnet(node: Node, text: str) -> None:
    node.file.write_text(text)
    assert node.run().status == 1


def test_an_add_gets_another_one_and_goes_on_where_host_local_was(node: Node) -> None:
    for n in (2, 3, 4):
        node.hold(f"10.1.0.{n}", f"c{n}")
    assert node.run().status == 0

    added = node.world.call("ADD", node.conf, "new")

    assert [ip["address"] for ip in added.document["ips"]] == ["10.1.0.5/32"]
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.3"]}}).code == 104


def test_delete_check_and_gc_under_another_main_plugin(node: Node) -> None:
    for n in (2, 3):
        node.hold(f"10.1.0.{n}", f"c{n}")
    assert node.run().status == 0

    assert node.bridge("CHECK", "c2").code == 0
    assert node.bridge("DEL", "c2").code == 0
    assert node.leases() == {"10.1.0.3/32": "c3/net1"}
    assert node.bridge("CHECK", "c2").code == 107
    valid = [{"containerID": "c3", "ifname": "net1"}]
    assert node.bridge("GC", "", cniVersion="1.1.0", **{"cni.dev/valid-attachments": valid}).code == 0
    assert len(node.leases()) == 1
    assert node.bridge("GC", "", cniVersion="1.1.0", **{"cni.dev/valid-attachments": []}).code == 0
    assert node.leases() == {}


def test_an_attachment_of_ours_whose_addresses_moved(node: Node, host_local: HostLocal) -> None:
    """Its record still says host-local: DEL frees both, CHECK wants the lease."""
    before = node.world.kernel.snapshot()
    old = node.world.conf(ipam={"type": "host-local", "subnet": "10.1.0.0/16"})
    assert node.world.call("ADD", old).code == 0
    node.hold("10.1.0.5", "c1")
    moved = node.world.call("CHECK", node.conf)
    assert (moved.code, "reservation" in moved.text) == (107, True)
    assert node.run().status == 0

    assert node.world.call("CHECK", node.conf).code == 0
    assert node.world.call("DEL", node.conf).code == 0

    assert (node.leases(), host_local.held) == ({}, set())
    assert node.world.kernel.snapshot()["pods"] == before["pods"]


def test_an_attachment_of_sriov_cni_whose_addresses_moved(node: Node) -> None:
    known(node.world)
    before = node.world.kernel.snapshot()
    SriovCni(node.world).add(ipam={"type": "host-local", "subnet": "10.1.0.0/16"}, vlan=5)
    node.hold("10.1.0.5", "c1")
    assert node.run().status == 0

    assert node.world.call("CHECK", node.conf).code == 0
    assert node.world.call("DEL", node.conf).code == 0

    assert (node.leases(), node.world.kernel.snapshot()) == ({}, before)
