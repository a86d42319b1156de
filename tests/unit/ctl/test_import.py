"""`sriovctl import host-local`: host-local's store becomes leases, all of it or nothing; afterwards DEL, CHECK and GC."""

from __future__ import annotations

import fcntl
import io
import json
import os
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import hostlocal
from cni_sriov.doors import cni
from tests.drop_in import POD, SriovCni, known
from tests.unit.ctl.tool import Run, sriovctl
from tests.unit.ipam.test_delegate import HostLocal
from tests.world import Reply, World

POOL: dict[str, Any] = {"subnet": "10.1.0.0/16", "prefixLength": 32, "gateway": "10.1.0.1"}


class Node:
    """A network with host-local's store, and the configuration that it is to have."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.root / "networks"
        self.network = self.store / "fast"
        self.network.mkdir(parents=True)
        self.file = world.root / "new.conf"
        self.set()

    def set(self, *pools: dict[str, Any], **keys: Any) -> None:
        self.conf = self.world.conf(ipam=self.world.ipam(pools=list(pools) or [POOL]), **keys)
        self.file.write_text(json.dumps(self.conf))

    def hold(self, address: str, container: str, ifname: str = "net1", last: int | None = 0) -> None:
        """As plugins/ipam/host-local/backend/disk/backend.go writes it."""
        (self.network / "lock").touch()
        (self.network / address).write_bytes(f"{container}\r\n{ifname}".encode())
        if last is not None:
            (self.network / f"last_reserved_ip.{last}").write_text(address)

    def run(self, *argv: str) -> Run:
        return sriovctl(self.world, "import", "host-local", str(self.file), "--store", str(self.store), *argv)

    def leases(self) -> dict[str, str]:
        found = sriovctl(self.world, "leases", "--json").document["leases"]
        return {lease["address"]: f"{lease['containerID']}/{lease['ifname']}" for lease in found}

    def bridge(self, verb: str, container: str, **keys: Any) -> Reply:
        """The door of host-subnet under a main plugin that is not ours."""
        env = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_IFNAME": "net1",
            "CNI_PATH": "/x",
            "CNI_NETNS": POD,
        }
        out = io.StringIO()

        def write(fd: int, text: str) -> None:
            if fd == 1:
                out.write(text)

        conf = self.conf | {"type": "bridge"} | keys
        code = cni.main(
            env,
            lambda: json.dumps(conf),
            write,
            self.world._host,  # noqa: SLF001 # as World.call, but for the other door
            "host-subnet",
        )
        return Reply(code, out.getvalue())


@pytest.fixture
def node(world: World) -> Node:
    return Node(world)


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


def old_form(node: Node, address: str, container: str, end: str = "") -> None:
    """As host-local before v0.8 wrote it: plugins/ipam/host-local/backend/disk/backend.go, Reserve."""
    (node.network / address).write_text(container + end)


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


def test_another_spelling_of_an_address_is_no_second_one(node: Node) -> None:
    node.set({"subnet": "fd00:1::/64", "prefixLength": 128})
    node.hold("FD00:1::2", "c1")
    node.hold("fd00:1::2", "c2", last=None)
    node.hold("fd00_1__3", "c3", last=None)  # GetEscapedPath on Windows

    run = node.run("--json")

    (skipped,) = run.document["skipped"]
    assert (skipped["file"], skipped["reason"]) == (
        f"{node.network}/FD00:1::2",
        "is another file for fd00:1::2",
    )
    assert node.leases() == {"fd00:1::2/128": "c2/net1", "fd00:1::3/128": "c3/net1"}


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


def test_what_host_local_did_not_make_is_passed_over(node: Node) -> None:
    node.hold("10.1.0.2", "c2")
    (node.network / "notes.txt").write_text("x")
    (node.network / "10.1.0.300").write_text("x")
    assert node.run().status == 0


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


def test_host_locals_lock_is_waited_for(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.hold("10.1.0.2", "c2")
    monkeypatch.setattr(hostlocal, "_LOCK_WAIT_S", 0.05)
    with (node.network / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = node.run()
    assert "held for more than" in run.err
    assert node.run().status == 0


def test_no_such_network_names_those_that_are(node: Node) -> None:
    run = node.run("--network", "slow")
    assert (run.status, "networks in" in run.err, "fast" in run.err) == (1, True, True)


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


@pytest.fixture
def host_local(world: World, tmp_path: Path) -> HostLocal:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/host-local").touch(mode=0o755)
    world.cni_path = str(tmp_path / "bin")
    return HostLocal(world)


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
