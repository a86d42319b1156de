"""A container's VPP: in through the front door, out by starting a VPP (tests/vpp/grammar.py, tests/vpp/cli.py) on what is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.conf import netconf
from cni_sriov.state.ledger import Ledger
from cni_sriov.vf import vppcontainer
from cni_sriov.vf.host import Host
from cni_sriov.vf.pod import InPod
from cni_sriov.words.domain import Attachment, IpamResult, IPConfig, Link, Request
from cni_sriov.words.lease import Lease
from cni_sriov.words.log import Log
from tests.pages import ROOT, blocks
from tests.unit import dpdk
from tests.vpp.cli import Vpp
from tests.vpp.grammar import Startup
from tests.world import FakeHost, World

POD = "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0"
KILLED = 9


@pytest.fixture
def node(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=3)
    world.kernel.add_pod("/run/netns/pod1")
    world.kernel.add_pod("/run/netns/pod2")
    return dpdk.furnish(world)


def conf(node: World, **keys: Any) -> dict[str, Any]:
    """`vpp` alone asks for a driver for user space."""
    keys.setdefault("vpp", node.vpp_conf())
    return node.conf(ipam=node.ipam(onlink=True, routes=[{"dst": "0.0.0.0/0"}]), **keys)


def files_of(node: World, container: str = "c1") -> dict[str, str]:
    directory = node.vpp_dir / container
    return {path.name: path.read_text() for path in directory.iterdir()} if directory.is_dir() else {}


def started(files: dict[str, str]) -> Vpp:
    vpp = Vpp(Startup.parse(files["startup.conf"]))
    vpp.execute(files["start.exec"])
    return vpp


def addresses(vpp: Vpp) -> dict[str, list[str]]:
    return {
        name: [str(a) for a in interface.addresses]
        for name, interface in vpp.interfaces.items()
        if interface.addresses
    }


def test_vpp_has_the_vf_and_its_lease_and_delete_leaves_nothing(node: World) -> None:
    before = node.settled()

    added = node.call("ADD", conf(node, mtu=1400))

    assert added.code == 0, added.text
    files = files_of(node)
    vpp = started(files)
    assert Startup.parse(files["startup.conf"]).devices == {"0000:01:10.0": {"name": "net1"}}
    assert addresses(vpp) == {"net1": [added.document["ips"][0]["address"]]} == {"net1": ["10.10.0.2/24"]}
    assert (vpp.interfaces["net1"].mtu, vpp.taps["tap0"].ifname, vpp.taps["tap0"].default) == (
        1400,
        "net1",
        ["10.10.0.2"],
    )
    assert vpp.routes == {
        "10.10.0.0/16": {"net1"},
        "0.0.0.0/0": {"10.10.0.1 net1"},
        "10.10.0.3/32": {"10.10.0.3 tap0"},
    }
    assert node.call("CHECK", conf(node, mtu=1400)).code == 0
    assert node.call("DEL", node.conf(), netns="").code == 0, "a conf that says nothing of VPP"
    assert (node.settled(), list(node.vpp_dir.iterdir())) == (before, [])


def test_the_file_path_is_of_the_pods_names(node: World) -> None:
    where = node.vpp_conf(directory=f"{node.vpp_dir}/{{namespace}}/{{pod}}")

    assert node.call("ADD", conf(node, vpp=where), args=POD).code == 0
    assert set(files_of(node, "default/web-0")) == {"startup.conf", "start.exec", "again.exec", "tap.ip"}
    assert node.call("DEL", node.conf(), netns="").code == 0
    assert list(node.vpp_dir.iterdir()) == []


@pytest.mark.parametrize(
    "args", ["", "K8S_POD_NAMESPACE=..;K8S_POD_NAME=x", "K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=x"]
)
def test_no_word_of_a_pod_leads_out_of_it(node: World, args: str) -> None:
    before = node.settled(), len(node.kernel.effects)

    reply = node.call(
        "ADD", conf(node, vpp=node.vpp_conf(directory=f"{node.vpp_dir}/{{namespace}}")), args=args
    )

    assert (reply.code, (node.settled(), len(node.kernel.effects))) == (7, before), reply.text


@pytest.mark.parametrize("ifname", ["tap0", "del", "net1.5"])
def test_an_interface_that_vpp_would_take_for_a_word_is_refused(node: World, ifname: str) -> None:
    before = node.settled(), len(node.kernel.effects)

    assert node.call("ADD", conf(node), ifname=ifname).code == 7
    assert (node.settled(), len(node.kernel.effects)) == before


@pytest.mark.parametrize("first", ["net1", "net2"])
def test_two_vfs_of_one_container_have_one_vpp_and_two_disjoint_subnets(node: World, first: str) -> None:
    """The notes' "conflicts with": what tests/vpp/cli.py answers where two subnets overlap."""
    before = node.settled()
    replies = [node.call("ADD", conf(node), ifname=name) for name in ("net1", "net2")]
    assert [reply.code for reply in replies] == [0, 0], replies[1].text

    vpp = started(files_of(node))
    assert addresses(vpp) == {"net1": ["10.10.0.2/24"], "net2": ["10.10.1.2/24"]}
    assert {name: tap.ifname for name, tap in vpp.taps.items()} == {"tap0": "net1", "tap1": "net2"}
    assert [node.call("CHECK", conf(node), ifname=name).code for name in ("net1", "net2")] == [0, 0]

    second = {"net1": "net2", "net2": "net1"}[first]
    assert node.call("DEL", node.conf(), ifname=first, netns="").code == 0
    assert list(addresses(started(files_of(node)))) == [second]
    assert node.call("CHECK", conf(node), ifname=second).code == 0
    assert node.call("DEL", node.conf(), ifname=second, netns="").code == 0
    assert (node.settled(), list(node.vpp_dir.iterdir())) == (before, [])


def test_two_networks_of_one_container_that_differ_about_its_vpp_are_refused(node: World) -> None:
    assert node.call("ADD", conf(node, vpp=node.vpp_conf(mainCore=1))).code == 0
    before = node.settled()

    cores = node.call("ADD", conf(node, vpp=node.vpp_conf(mainCore=2)), ifname="net2")
    taps = node.call("ADD", conf(node, vpp=node.vpp_conf(tap={"name": "net1"})), ifname="net2")

    assert (cores.code, taps.code) == (7, 102), taps.text
    assert "mainCore 2" in cores.text
    assert node.settled() == before
    assert list(addresses(started(files_of(node)))) == ["net1"]


def test_a_directory_of_another_container_is_refused_until_that_is_gone(node: World) -> None:
    """One VPP would take the VFs of both."""
    shared = conf(node, vpp=node.vpp_conf(directory=str(node.vpp_dir)))
    assert node.call("ADD", shared).code == 0
    before = node.settled()

    refused = node.call("ADD", shared, "c2", "/run/netns/pod2")

    assert (refused.code, node.settled()) == (11, before)
    assert "those of c1/net1" in refused.text
    assert node.call("DEL", node.conf(), netns="").code == 0
    assert node.call("ADD", shared, "c2", "/run/netns/pod2").code == 0


def test_an_interface_that_is_there_is_no_name_for_a_tap(node: World) -> None:
    """VPP would make a second queue of it."""
    node.kernel.add_link(node.kernel.pods["/run/netns/pod1"], "eth0")

    reply = node.call("ADD", conf(node, vpp=node.vpp_conf(tap={"name": "eth0"})))

    assert (reply.code, files_of(node)) == (102, {}), reply.text


def test_check_names_a_file_that_is_not_as_it_was_written(node: World) -> None:
    assert node.call("ADD", conf(node)).code == 0
    (node.vpp_dir / "c1/startup.conf").write_text("unix { }")

    reply = node.call("CHECK", conf(node))

    assert (reply.code, "c1/startup.conf is not as it was written" in reply.text) == (107, True)


@pytest.mark.parametrize("verb", ["GC", "a second ADD"])
def test_whoever_gives_the_vf_back_removes_the_files(node: World, verb: str) -> None:
    assert node.call("ADD", conf(node, cniVersion="1.1.0")).code == 0
    node.kernel.kill_netns("/run/netns/pod1")
    node.kernel.add_pod("/run/netns/pod1")

    if verb == "GC":
        reply = node.call("GC", node.conf(cniVersion="1.1.0") | {"cni.dev/valid-attachments": []}, "", "", "")
    else:
        reply = node.call("ADD", node.conf(cniVersion="1.1.0"))

    assert (reply.code, files_of(node)) == (0, {}), reply.text


@pytest.mark.parametrize(
    "fault",
    [
        {"driver": "kernel"},
        {"vpp": {}},
        {"ipam": {"type": "host-subnet", "pools": [{"subnet": "10.10.0.0/16", "prefixLength": 30}]}},
        {"ipam": None},
    ],
    ids=["driver", "directory", "no room", "no lease"],
)
def test_what_cannot_be_is_code_7_and_changes_nothing(node: World, fault: dict[str, Any]) -> None:
    before = node.settled()
    asked = {key: value for key, value in (conf(node) | fault).items() if value is not None}
    if asked.get("ipam", {}).get("pools"):
        asked["ipam"]["dataDir"] = str(node.data_dir)

    reply = node.call("ADD", asked)

    assert (reply.code, node.settled()) == (7, before), reply.text


# killed at each change of a file ----------------------------------------------------------------------------------------


CHANGES = ("open", "write", "rename", "unlink", "mkdir", "rmdir", "fchmod")


def killed(act: Callable[[], object], k: int) -> bool:
    """In a process of its own, which ends right before its k-th change of a file; False: it came to its end before."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
    try:
        left = [k]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*args: Any, **keys: Any) -> Any:
                if call is not plain_open or args[1] & os.O_CREAT:
                    if not left[0]:
                        os._exit(KILLED)
                    left[0] -= 1
                return call(*args, **keys)

            return called

        plain_open = os.open
        for name in CHANGES:
            setattr(os, name, counted(getattr(os, name)))
        act()
        os._exit(0)
    finally:
        os._exit(1)


class Attached:
    """An attachment that has a VF, and what ADD and DEL do for VPP's files alone."""

    def __init__(self, node: World, ifname: str) -> None:
        self.node = node
        self.attachment = Attachment("c1", ifname)
        asked = conf(node)
        self.conf = netconf.parse(asked, {})
        plain = {key: value for key, value in asked.items() if key != "vpp"} | {"driver": "vfio-pci"}
        assert node.call("ADD", plain, ifname=ifname).code == 0

    def host(self) -> Host:
        log = Log("none", "", {})
        ledger = Ledger(str(self.node.state_dir), log, str(self.node.run_dir), self.node.boot_id)
        return FakeHost(self.node.kernel, ledger, log, False, request=Request(attachment=self.attachment))

    def leave(self) -> None:
        host = self.host()
        record = host.ledger.find(self.attachment)
        assert record is not None
        netns = host.open_path("/run/netns/pod1")
        ips = [IPConfig(lease.address, lease.gateway, 0) for lease in record.leases]
        found = IpamResult(ips, [], {}, [Lease(**lease.to_json()) for lease in record.leases])
        given = InPod(host, netns, host.netlink_in(netns), Link(0, self.attachment.ifname))
        vppcontainer.leave(given, record, self.conf, found, [])

    def forget(self) -> None:
        host = self.host()
        record = host.ledger.find(self.attachment)
        assert record is not None
        vppcontainer.forget(host, record)


def left_over(node: World) -> list[str]:
    return [str(path) for path in node.vpp_dir.rglob("*")]


@pytest.mark.parametrize("has_other", [False, True], ids=["alone", "two"])
@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_killed_at_whatever_change_of_a_file_the_next_del_leaves_nothing_of_it(
    node: World, verb: str, has_other: bool
) -> None:
    node.vpp_dir.mkdir(mode=0o755)
    one = Attached(node, "net1")
    other = Attached(node, "net2") if has_other else None
    if other is not None:
        other.leave()
    expected = files_of(node)

    k = 0
    while True:
        if verb == "DEL":
            one.leave()
        if not killed(one.leave if verb == "ADD" else one.forget, k):
            break
        text = files_of(node).get("startup.conf", "")
        assert not text or Startup.parse(text).devices, "never half a file, nor one that takes every card"
        one.forget()
        assert files_of(node) == expected
        assert has_other or left_over(node) == []
        k += 1

    assert k > 8, "the number of changes is found by running"


def test_who_is_on_the_way_out_is_in_nobodys_file_any_more(node: World) -> None:
    """DEL died after it had said so, and another ADD writes the files."""
    for name in ("net1", "net2"):
        assert node.call("ADD", conf(node), ifname=name).code == 0
    for path in (node.state_dir / "c1@net1", node.run_dir / "claims/0000:01:00.0+0000:01:10.0"):
        raw = json.loads(path.read_text())
        raw["plane"]["vpp"]["gone"] = True
        path.write_text(json.dumps(raw))

    assert node.call("ADD", conf(node), ifname="net3").code == 0

    assert list(addresses(started(files_of(node)))) == ["net2", "net3"]
    assert [
        node.call("DEL", node.conf(), ifname=name, netns="").code for name in ("net1", "net2", "net3")
    ] == [0, 0, 0]
    assert left_over(node) == []


def test_two_networks_with_state_of_their_own_are_one_vpp(node: World, tmp_path: Path) -> None:
    other = conf(node, name="slow", stateDir=str(tmp_path / "other"))
    assert [node.call("ADD", conf(node)).code, node.call("ADD", other, ifname="net2").code] == [0, 0]

    assert list(addresses(started(files_of(node)))) == ["net1", "net2"]
    assert [node.call("DEL", conf(node), netns="").code, node.call("DEL", other, ifname="net2").code] == [
        0,
        0,
    ]
    assert left_over(node) == []


def test_another_containers_claim_that_cannot_be_read_is_not_in_the_way(node: World) -> None:
    assert node.call("ADD", conf(node)).code == 0
    (node.run_dir / "claims/0000:01:00.0+0000:01:10.4").write_text("{")

    assert node.call("ADD", conf(node), ifname="net2").code == 0
    assert list(addresses(started(files_of(node)))) == ["net1", "net2"]


def test_a_claim_of_the_container_that_cannot_be_read_is(node: World) -> None:
    """VPP would lose that VF at its next start."""
    assert node.call("ADD", conf(node)).code == 0
    path = node.run_dir / "claims/0000:01:00.0+0000:01:10.0"
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"format": 2}))
    before = files_of(node)

    reply = node.call("ADD", conf(node), ifname="net2")

    assert (reply.code, files_of(node)) == (11, before), reply.text


def test_the_files_of_the_page_are_those_that_are_written(node: World) -> None:
    page = blocks("docs/vpp.md")
    sample = (ROOT / "conf/60-sriov-vpp.conflist").read_text()
    plugin = json.loads(sample)["plugins"][0]
    where = plugin["vpp"]["directory"].replace("/run/vpp-of", str(node.vpp_dir))
    asked = plugin | {"vpp": plugin["vpp"] | {"directory": where}, "hugepages": None}
    asked["ipam"]["dataDir"] = str(node.data_dir)

    assert node.call("ADD", node.conf(**asked), args=POD).code == 0

    files = files_of(node, "default/web-0")
    assert next(block.text for block in page if block.language == "json") == sample
    texts = [block.text for block in page if block.language == "text"]
    assert texts[:2] == [files["startup.conf"], files["start.exec"]]
    assert "route replace 10.10.0.0/16 via 10.10.0.2 dev net1\n" in files["tap.ip"]


@pytest.mark.parametrize("name", ["startup.conf", ".tmp-startup.conf"])
def test_what_the_container_puts_in_the_way_keeps_no_vf(node: World, name: str) -> None:
    """It may be root in its directory, and make one where a file was."""
    for ifname in ("net1", "net2"):
        assert node.call("ADD", conf(node), ifname=ifname).code == 0
    inside = node.vpp_dir / "c1"
    inside.joinpath(name).unlink(missing_ok=True)
    inside.joinpath(name, "its").mkdir(parents=True)

    replies = [node.call("DEL", node.conf(), ifname=ifname, netns="") for ifname in ("net1", "net2")]

    assert [reply.code for reply in replies] == [0, 0], replies[0].text
    assert "VPP's files stay as they are" in node.log_file.read_text()
    assert [path.name for path in inside.iterdir()] == [name]
    assert (
        node.call("ADD", conf(node, vpp=node.vpp_conf(), master="enp1s0f0"), "c2", "/run/netns/pod2").code
        == 0
    )
