"""`sriovctl import host-local`: a file that does not say whose its address is costs only itself, and nobody else gets it."""

from __future__ import annotations

import json
import os

import pytest

from tests.unit.ctl.import_node import POOL, Node, old_form
from tests.unit.ipam.test_delegate import HostLocal


@pytest.mark.parametrize(
    "content", ["", "c1\r\nnet1\r\nmore", "../x\r\nnet1", "c1\r\na/b", "c1\r\n" + "x" * 16, "\0\xff"]
)
def test_a_file_that_does_not_say_whose_it_is_costs_only_itself(node: Node, content: str) -> None:
    """Its container may live: nobody else gets the address, whether it is searched or asked for."""
    node.hold("10.1.0.2", "c2")
    (node.network / "10.1.0.3").write_text(content)

    run = node.run()

    assert (run.status, run.out.splitlines()[0]) == (0, "1 leased, 0 leased before")
    assert "10.1.0.3 does not say whose it is" in run.out.replace("\n", " ")
    assert node.leases() == {"10.1.0.2/32": "c2/net1", "10.1.0.3/32": "host-local-10.1.0.3/unknown"}
    assert node.world.call("ADD", node.conf, "new").document["ips"][0]["address"] == "10.1.0.4/32"
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.3"]}}).code == 104


@pytest.mark.parametrize("make", ["directory", "symlink", "fifo"])
def test_what_is_no_file_costs_only_itself(node: Node, make: str) -> None:
    node.hold("10.1.0.2", "c2")
    path = node.network / "fd00:1::3"
    node.set(POOL, {"subnet": "fd00:1::/64", "prefixLength": 128})
    if make == "directory":
        path.mkdir()
    elif make == "symlink":
        path.symlink_to("/etc/hostname")
    else:
        os.mkfifo(path)

    run = node.run("--json")

    assert [entry["address"] for entry in run.document["skipped"]] == ["fd00:1::3"]
    assert node.leases() == {"10.1.0.2/32": "c2/net1", "fd00:1::3/128": "host-local-fd00-1--3/unknown"}


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_an_old_file_is_leased_to_its_container_without_an_interface(node: Node, end: str) -> None:
    node.hold("10.1.0.2", "c2")
    old_form(node, "10.1.0.3", "c3", end)

    run = node.run()

    assert (run.status, "10.1.0.3 names no interface of c3" in run.out.replace("\n", " ")) == (0, True)
    assert node.leases() == {"10.1.0.2/32": "c2/net1", "10.1.0.3/32": "c3/unknown"}
    valid = [{"containerID": "c2", "ifname": "net1"}, {"containerID": "c3", "ifname": "net1"}]
    assert node.bridge("GC", "", cniVersion="1.1.0", **{"cni.dev/valid-attachments": valid}).code == 0
    assert len(node.leases()) == 2, "a GC of the network must not free what a living container has"


def cache(node: Node, name: str, text: str) -> None:
    """libcni's, beside host-local's store: containernetworking/cni v1.3.0, libcni/api.go, cacheAdd."""
    results = node.store.parent / "results"
    results.mkdir(exist_ok=True)
    (results / name).write_text(text)


def of(container: str, ifname: str, network: str = "fast") -> str:
    kind = {"kind": "cniCacheV1", "containerId": container, "ifName": ifname, "networkName": network}
    return json.dumps(kind | {"config": "e30=", "result": {}})


def test_an_old_file_is_leased_to_the_interface_that_libcni_knows(node: Node) -> None:
    old_form(node, "10.1.0.3", "c3")
    old_form(node, "10.1.0.4", "c4")
    cache(node, "fast-c3-eth0", of("c3", "eth0"))
    # before 2019 only the name says it
    cache(node, "fast-c4-net1", json.dumps({"cniVersion": "0.3.1", "ips": []}))
    cache(node, "fast-c4-5-net1", of("c4-5", "net1"))
    cache(node, "slow-c3-net7", of("c3", "net7", "slow"))
    cache(node, "fast-c3-net8", of("c3-net8", "x", "fast"))

    run = node.run("--json")

    assert run.document["skipped"] == []
    assert node.leases() == {"10.1.0.3/32": "c3/eth0", "10.1.0.4/32": "c4/net1"}


def test_an_old_file_of_a_container_with_two_interfaces_is_neithers(node: Node) -> None:
    old_form(node, "10.1.0.3", "c3")
    old_form(node, "10.1.0.4", "c3")
    cache(node, "fast-c3-net1", of("c3", "net1"))
    cache(node, "fast-c3-net2", of("c3", "net2"))
    assert node.run().status == 0

    assert node.leases() == {"10.1.0.3/32": "c3/unknown", "10.1.0.4/32": "c3/unknown"}
    assert node.bridge("DEL", "c3").code == 0
    assert len(node.leases()) == 2


def test_an_old_file_is_leased_to_the_vf_that_its_container_has(node: Node, host_local: HostLocal) -> None:
    old = node.world.conf(ipam={"type": "host-local", "subnet": "10.1.0.0/16"})
    assert node.world.call("ADD", old).code == 0
    old_form(node, "10.1.0.5", "c1")
    assert node.run("--json").document["skipped"] == []

    assert node.leases() == {"10.1.0.5/32": "c1/net1"}
    assert node.world.call("CHECK", node.conf).code == 0
    assert (node.world.call("DEL", node.conf).code, node.leases()) == (0, {})


def test_when_the_file_is_gone_or_says_it_the_import_is_run_again(node: Node) -> None:
    node.hold("10.1.0.2", "c2")
    for n in (3, 4, 5):
        old_form(node, f"10.1.0.{n}", "")
    assert node.run().status == 0
    assert len(node.leases()) == 4
    (node.network / "10.1.0.3").unlink()
    node.hold("10.1.0.4", "c4")

    dry = node.run("--dry-run")
    assert (dry.status, len(node.leases())) == (0, 4), dry.err
    run = node.run("--json")

    assert [entry["address"] for entry in run.document["skipped"]] == ["10.1.0.5"]
    assert node.leases() == {
        "10.1.0.2/32": "c2/net1",
        "10.1.0.4/32": "c4/net1",
        "10.1.0.5/32": "host-local-10.1.0.5/unknown",
    }


def test_the_second_address_of_an_attachment_comes_with_a_later_import(node: Node) -> None:
    node.set(POOL, {"subnet": "fd00:1::/64", "prefixLength": 128})
    node.hold("10.1.0.2", "c2")
    old_form(node, "fd00:1::2", "")
    assert node.run().status == 0
    node.hold("fd00:1::2", "c2", last=1)

    run = node.run()

    assert (run.status, node.leases()) == (0, {"10.1.0.2/32": "c2/net1", "fd00:1::2/128": "c2/net1"}), run.err
    assert node.run().out.startswith("nothing leased, 1 leased before")


def test_what_host_subnet_gave_is_not_taken_for_an_earlier_import(node: Node) -> None:
    node.set(POOL, {"subnet": "10.9.0.0/24", "prefixLength": 32})
    node.hold("10.9.0.7", "c1")
    node.hold("10.1.0.2", "c1")
    added = node.world.call("ADD", node.conf | {"ipam": node.world.ipam(pools=[POOL])})
    assert added.document["ips"][0]["address"] == "10.1.0.2/32"

    assert "c1/net1: it holds 10.1.0.2/32 by host-subnet already" in node.run().err


def test_an_import_that_fails_keeps_what_was_kept(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    old_form(node, "10.1.0.3", "")
    assert node.run().status == 0
    (node.network / "10.1.0.3").unlink()
    node.hold("10.1.0.4", "c4")
    assert node.bridge("ADD", "other", args={"cni": {"ips": ["10.1.0.4"]}}).code == 0
    monkeypatch.setattr("cni_sriov.ctl.importer._taken", lambda *_: [])

    assert "taken meanwhile" in node.run().err

    assert node.leases() == {"10.1.0.3/32": "host-local-10.1.0.3/unknown", "10.1.0.4/32": "other/net1"}


def test_a_skipped_address_that_nobody_can_get_needs_no_lease(node: Node) -> None:
    node.set(POOL | {"exclude": ["10.1.0.9"]})
    for address in ("10.2.0.2", "10.1.0.0", "10.1.255.255", "10.1.0.1", "10.1.0.9"):
        old_form(node, address, "c1")

    run = node.run("--json")

    assert {entry["address"]: entry["kept"] for entry in run.document["skipped"]} == {
        "10.2.0.2": "it is outside every pool",
        "10.1.0.0": "it is the network or broadcast address of 10.1.0.0/16",
        "10.1.255.255": "it is the network or broadcast address of 10.1.0.0/16",
        "10.1.0.1": "it is the gateway of 10.1.0.1/32",
        "10.1.0.9": "it is in 10.1.0.9/32, which is excluded by the pool's configuration",
    }
    assert node.leases() == {}


def test_a_skipped_address_in_anothers_subnet_needs_no_lease(node: Node) -> None:
    node.set(POOL | {"prefixLength": 29, "gateway": "none"})
    node.hold("10.1.0.2", "c2")
    old_form(node, "10.1.0.3", "")

    assert "10.1.0.0/29 is that of 10.1.0.2 of c2/net1" in node.run().out.replace("\n", " ")
    assert node.leases() == {"10.1.0.2/29": "c2/net1"}
