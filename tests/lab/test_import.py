"""The move from host-local to host-subnet, beside Debian's host-local: what it grants, what it answers, what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest

from tests import bundle

from .node import Node, Reply
from .ready import Lab

pytestmark = [pytest.mark.lab, pytest.mark.bundle]

OLD, NEW = "/usr/lib/cni/host-local", "/opt/cni/bin/host-subnet"
BASE = {"cniVersion": "1.0.0", "name": "lan", "type": "bridge"}
RESOLV = "/run/lab-resolv.conf"
RANGES = [
    [{"subnet": "10.1.2.0/28", "gateway": "10.1.2.1"}],
    [{"subnet": "fd00:1::/120", "gateway": "fd00:1::1"}],
]
POOLS = [
    {"subnet": "10.1.2.0/28", "prefixLength": 32, "gateway": "10.1.2.1"},
    {"subnet": "fd00:1::/120", "prefixLength": 128, "gateway": "fd00:1::1"},
]


def old(**keys: Any) -> dict[str, Any]:
    return BASE | {"ipam": {"type": "host-local", "ranges": RANGES, "resolvConf": RESOLV}} | keys


def new(**keys: Any) -> dict[str, Any]:
    return BASE | {"ipam": {"type": "host-subnet", "pools": POOLS, "resolvConf": RESOLV}} | keys


@pytest.fixture(scope="module")
def lan(saved_lab: Lab) -> Iterator[Node]:
    with saved_lab.restore(bundle.directory()) as vm:
        node = Node(vm)
        node.install()
        vm.put(RESOLV, "# a\nnameserver 192.0.2.1 x\nsearch a.example\nsearch b.example\noptions ndots:2\n")
        node.add_netns("c1", *[f"p{n}" for n in range(16)])
        yield node


def empty(lan: Node) -> None:
    lan.vm.run("rm -rf /var/lib/cni/networks/lan /var/lib/cni/results /run/cni-sriov/subnets")
    lan.vm.run("rm -rf /var/lib/cni/host-subnet")


def granted(reply: Reply) -> set[str]:
    return {str(ip_interface(address).ip) for address in reply.addresses} if reply.code == 0 else set()


REQUESTS: list[tuple[list[str], list[str], str]] = [  # runtimeConfig.ips, args.cni.ips, CNI_ARGS IP
    (["10.1.2.5"], [], ""),
    ([], ["10.1.2.5"], ""),
    ([], [], "10.1.2.5"),
    ([], [], "10.1.2.5/24"),
    (["10.1.2.5/28", "fd00:1::5/64"], [], ""),
    (["10.1.2.5"], ["fd00:1::5"], ""),
    (["fd00:1::5"], [], "10.1.2.5"),
    (["10.1.2.5", "10.1.2.5"], ["10.1.2.5/16"], "10.1.2.5"),
    (["10.1.2.5"], ["10.1.2.6"], ""),
    ([], ["10.1.2.5"], "10.1.2.6"),
    (["fd00:1::5", "10.1.2.5"], [], "fd00:1::6"),
    (["::ffff:10.1.2.5"], [], ""),
    (["10.1.2.14"], [], ""),
    (["10.1.2.0"], [], ""),
    (["10.1.2.1"], [], ""),
    (["10.1.2.15"], [], ""),
    (["10.1.2.16"], [], ""),
    (["10.1.2.5", "10.9.0.1"], [], ""),
    (["fd00:1::"], [], ""),
    (["fd00:1::1"], [], ""),
    (["fd00:1::fe"], [], ""),
]


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_a_request_is_granted_where_host_local_grants_it(
    lan: Node, asked: tuple[list[str], list[str], str]
) -> None:
    empty(lan)
    ips, args_ips, env = asked
    keys = {"runtimeConfig": {"ips": ips}, "args": {"cni": {"ips": args_ips}}}
    args = f"IgnoreUnknown=1;IP={env}" if env else ""

    theirs = lan.cni("ADD", old(**keys), plugin=OLD, args=args)
    ours = lan.cni("ADD", new(**keys), plugin=NEW, args=args)

    wanted = {str(ip_interface(text.replace("::ffff:", "")).ip) for text in [*ips, *args_ips, env] if text}
    assert (theirs.code == 0) == (ours.code == 0), f"{theirs.text}\n{ours.text}"
    if theirs.code == 0:
        assert wanted <= granted(theirs)
        assert wanted <= granted(ours)
        assert ours.document["dns"] == theirs.document["dns"] != {}
    else:
        assert ours.code == 7, ours.text


def test_its_store_is_imported_and_no_address_is_given_twice(lan: Node) -> None:
    empty(lan)
    had = {f"p{n}": granted(lan.cni("ADD", old(), f"p{n}", plugin=OLD)) for n in range(4)}
    store = "/var/lib/cni/networks/lan"
    lan.vm.run(f"printf p4 > {store}/10.1.2.6; printf p5 > {store}/10.1.2.7; : > {store}/10.1.2.8")
    said = {"kind": "cniCacheV1", "containerId": "p4", "ifName": "net1", "networkName": "lan"}
    lan.vm.run("mkdir -p /var/lib/cni/results")
    lan.vm.put("/var/lib/cni/results/lan-p4-net1", json.dumps(said))
    lan.vm.put("/run/new.conf", json.dumps(new()))

    done = lan.vm.run("/mnt/host/cni-sriov/sriovctl import host-local /run/new.conf --json", check=False)

    assert done.returncode == 0, done.stderr
    assert [entry["address"] for entry in json.loads(done.stdout)["skipped"]] == ["10.1.2.7", "10.1.2.8"]
    for container, addresses in had.items():
        assert len(addresses) == 2
        assert lan.cni("CHECK", new(), container, plugin=NEW).code == 0
    assert lan.cni("CHECK", new(), "p4", plugin=NEW).code == 0

    taken = {ip for addresses in had.values() for ip in addresses} | {"10.1.2.6", "10.1.2.7", "10.1.2.8"}
    one_family = new(ipam={"type": "host-subnet", "pools": POOLS[:1]})
    found: set[str] = set()
    for n in range(6, 12):
        added = granted(lan.cni("ADD", one_family, f"p{n}", plugin=NEW))
        assert added
        assert not added & (taken | found)
        found |= added
    hosts = {str(host) for host in ip_network("10.1.2.0/28").hosts()}
    assert found == hosts - taken - {"10.1.2.1"}
    full = lan.cni("ADD", one_family, "p12", plugin=NEW)
    assert full.code == 11, full.text
    for n in (*range(5), *range(6, 12)):
        assert lan.cni("DEL", new(), f"p{n}", plugin=NEW).code == 0
    leases = lan.vm.run("/mnt/host/cni-sriov/sriovctl leases --json").stdout
    assert {lease["address"] for lease in json.loads(leases)["leases"]} == {"10.1.2.7/32", "10.1.2.8/32"}
    empty(lan)
