"""What is attached and leased, gathered from a node that the product itself brought there, and by hand."""

from __future__ import annotations

import json
import os
from errno import EACCES
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.doctor import state
from cni_sriov.decide import doctor, rules_state
from cni_sriov.decide.facts import Facts
from cni_sriov.decide.facts_state import State
from cni_sriov.decide.trouble import Trouble
from cni_sriov.kernel.files import Files
from cni_sriov.leases.holding import Holding
from cni_sriov.words.errors import KernelRefused
from cni_sriov.words.failures import Failures
from tests.unit import dpdk
from tests.unit.ctl import taps
from tests.unit.ctl.tool import attach, host, sriovctl
from tests.unit.one_port import OTHERS, link_of, vf_of
from tests.world import FakeHost, World

VF, SECOND = "0000:01:10.0", "0000:01:10.2"


def look(world: World, wanted: str = "") -> tuple[State, list[str]]:
    def is_dead(holding: Holding) -> bool:
        return holding.boot_id != world.boot_id or holding.netns not in world.kernel.pods

    failures = Failures()
    found = state.look(
        host(world), Files(str(world.root)), failures, wanted, is_dead, str(world.root / "default-data")
    )
    return found, failures.told


def troubles(world: World) -> list[Trouble]:
    found, unseen = look(world)
    assert unseen == []
    return doctor.diagnose(Facts(state=found), rules_state.RULES)


def rules(world: World) -> list[tuple[str, str]]:
    return [(one.rule, one.subject) for one in troubles(world)]


def test_a_healthy_node(world: World) -> None:
    assert rules(world) == []
    attach(world)
    assert rules(world) == []
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    assert rules(world) == []


def test_a_look_changes_nothing(world: World) -> None:
    """Neither what is dead nor the file of a lock: who holds it is told by that."""
    attach(world)
    vf_of(world).state.vlan = 7
    before, world_before = files_of(world), world.snapshot()

    look(world)

    assert (files_of(world), world.snapshot()) == (before, world_before)


def files_of(world: World) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for top in (world.run_dir, world.state_dir, world.data_dir):
        for path in sorted(top.rglob("*")):
            told = path.lstat()
            text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (told.st_mode, told.st_ino, told.st_mtime_ns, text)
    return found


def test_one_mac_on_two_vfs(world: World) -> None:
    second = world.kernel.pfs[0].vfs[1].link
    assert second is not None
    attach(world)
    second.mac = world.pod_link().mac

    (found,) = troubles(world)

    assert (found.rule, found.subject) == ("same-mac", second.mac)
    assert "enp1s0f0v1 address 02:" in found.remedy


def test_the_ports_of_a_bond_of_the_host(world: World) -> None:
    other = world.kernel.add_pf("enp1s0f1", "0000:01:00.1")
    first = world.kernel.pfs[0].link
    other.link.mac = first.mac
    assert rules(world) == [("same-mac", first.mac)]

    for name in ("enp1s0f0", "enp1s0f1"):
        (world.root / f"kernel/sys/class/net/{name}/upper_bond0").mkdir()

    assert rules(world) == []


def test_vfs_that_went_below_a_container(world: World) -> None:
    attach(world)
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)

    assert ("record-without-vf", VF) in rules(world)

    world.kernel.change_numvfs(world.kernel.pfs[0], 7)
    (found,) = [one for one in troubles(world) if one.rule == "record-without-vf"]
    assert "a new one has its address" in found.why
    assert sriovctl(world, "gc").status == 0
    assert rules(world) == []


def test_a_container_that_died_without_a_word(world: World) -> None:
    attach(world)
    world.kernel.kill_netns("/run/netns/pod1")

    assert rules(world) == [("dead-attachment", VF)]

    assert sriovctl(world, "gc").status == 0
    assert rules(world) == []


def test_a_lease_of_another_plugins_container_that_died(world: World) -> None:
    conf = world.conf(type="bridge", ipam=world.ipam())
    assert world.call("ADD", conf, door="host-subnet").code == 0
    assert rules(world) == []
    world.kernel.kill_netns("/run/netns/pod1")

    assert rules(world) == [("lease-without-attachment", "10.10.0.0/24")]

    assert sriovctl(world, "gc").status == 0
    assert rules(world) == []


def test_a_running_add_is_not_dead(world: World) -> None:
    """Its lock tells, and is not waited for."""
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    said = json.loads(claim.read_text()) | {"status": "in-progress"}
    for path in (claim, world.state_dir / "c1@net1"):
        path.write_text(json.dumps(said))
    there = host(world)
    with there.ledger.attachment_lock(there.ledger.claims()[0].attachment, "ADD"):
        assert rules(world) == []
    (found,) = troubles(world)
    assert (found.rule, "its ADD died" in found.why) == ("dead-attachment", True)


def test_a_netns_that_a_mount_alone_keeps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attach(world)
    inode = world.kernel.pods["/run/netns/pod1"].identity[1]
    mounts = ["/run/netns/pod1", "/run/netns/pod1", "/proc/7/root/run/netns/pod1"]
    kept: dict[int, list[str]] = {inode: mounts}
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: kept)

    (found,) = troubles(world)

    assert found.rule == "netns-without-process"
    assert found.remedy.splitlines()[1:] == ["ip netns del pod1", "sriovctl gc"]
    kept[0] = ["12"]  # a process that is shown to nobody may be in there
    assert rules(world) == []


def test_a_vf_in_a_netns_that_nobody_recorded(world: World) -> None:
    link = link_of(world)
    kernel = world.kernel
    there = kernel.add_pod("/run/netns/other")
    (index,) = [index for index, one in kernel.host.links.items() if one is link]
    kernel.move(kernel.host, index, there, "eth5")
    pid = there.pid
    (world.root / f"proc/{pid}").mkdir(parents=True)
    (world.root / f"proc/{pid}/comm").write_text("sleep\n")

    (found,) = troubles(world)

    assert (found.rule, found.subject) == ("vf-of-nobody", VF)
    assert f"as eth5 in the network namespace /run/netns/other, with sleep (pid {pid})" in found.why
    assert found.remedy.splitlines()[-1] == "nsenter --net=/run/netns/other ip link set dev eth5 netns 1"


def test_a_netns_that_cannot_be_entered_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    link, kernel = link_of(world), world.kernel
    there = kernel.add_pod("/run/netns/other")
    (index,) = [index for index, one in kernel.host.links.items() if one is link]
    kernel.move(kernel.host, index, there, "eth5")

    def refuse(self: FakeHost, netns: object) -> Any:
        raise KernelRefused("enter netns", EACCES)

    monkeypatch.setattr(FakeHost, "netlink_in", refuse)
    found, unseen = look(world)

    assert [(one.pci, one.path) for one in found.away] == [(VF, "")]
    assert (len(unseen), unseen[0].startswith("network namespaces: /run/netns/pod1: enter netns")) == (
        1,
        True,
    )


def test_a_damaged_claim_record_and_golden_baseline(world: World) -> None:
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    claim.write_text("{")
    (world.state_dir / "c1@net1").write_text("{")
    (world.run_dir / "golden" / SECOND).write_text("{")

    found = {one.subject: one for one in troubles(world) if one.rule == "unreadable-state"}

    assert set(found) == {str(claim), f"{world.state_dir}/c1@net1", f"{world.run_dir}/golden/{SECOND}"}
    assert found[str(claim)].remedy.splitlines()[-1] == f"sriovctl gc --forget {claim}"
    assert (
        found[f"{world.run_dir}/golden/{SECOND}"].remedy.splitlines()[-1]
        == f"sriovctl baseline --take {SECOND}"
    )


def test_a_lease_that_went_below_a_container(world: World) -> None:
    attach(world)
    for path in world.data_dir.rglob("*"):
        if path.is_file() or path.is_symlink():
            path.unlink()

    assert rules(world) == [("lease-lost", "c1/net1")]


def test_a_data_directory_that_is_gone(world: World) -> None:
    attach(world)
    os.rename(world.data_dir, world.root / "away")

    found = troubles(world)

    assert {(one.rule, one.subject) for one in found} == {
        ("directory-gone", str(world.data_dir)),
        ("lease-lost", "c1/net1"),
    }
    os.rename(world.root / "away", world.data_dir)
    assert rules(world) == []


def test_a_state_directory_that_is_gone_while_its_records_are_needed(world: World) -> None:
    attach(world)
    os.rename(world.state_dir, world.root / "away")

    assert rules(world) == [("directory-gone", str(world.state_dir))]

    world.state_dir.mkdir(mode=0o700)
    assert rules(world) == []
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    world.state_dir.rmdir()
    assert rules(world) == []


def test_a_free_vf_that_somebody_changed(world: World) -> None:
    attach(world)
    assert world.call("DEL", world.conf(ipam=world.ipam())).code == 0
    link_of(world).mtu = 1400

    (found,) = troubles(world)

    assert (found.rule, found.subject, "mtu 1400" in found.why) == ("vf-changed", VF, True)
    assert sriovctl(world, "baseline", "--take", VF).status == 0
    assert rules(world) == []


def test_of_one_pf_alone(world: World) -> None:
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1")
    attach(world)

    assert [one.vf for one in look(world, "0000:01:00.0")[0].held] == [VF]
    assert look(world, "0000:01:00.1")[0].held == []


def test_what_cannot_be_seen_is_told_and_hides_nothing_else(world: World) -> None:
    attach(world)
    link_of(world)
    world.kernel.blind_spot = "this process is in a pid namespace of its own"

    found, unseen = look(world)

    assert (len(unseen), unseen[0].startswith("what is dead: take back what is dead: this process")) == (
        1,
        True,
    )
    assert [one.owner for one in found.held] == ["c1/net1"]


def test_a_second_network_in_another_directory(world: World, tmp_path: Path) -> None:
    world.kernel.add_pod(OTHERS)
    keys = world.ipam(dataDir=str(tmp_path / "elsewhere"))
    assert world.call("ADD", world.conf(name="two", ipam=keys), "c2", OTHERS).code == 0

    assert rules(world) == []


def test_who_has_a_vf_open_and_a_tap_that_vpp_has_still(world: World) -> None:
    dpdk.furnish(world)
    attach(world, driver="vfio-pci")
    dpdk.hold(world)
    taps.attach(world, "c2", "released")

    found, unseen = look(world)

    held = {one.owner: one for one in found.held}
    assert (held["c1/net1"].open_in, held["c1/net1"].where) == (["dpdk-testpmd (pid 77)"], "enp1s0f0 vf 0")
    assert (held["c2/net1"].vf, held["c2/net1"].where) == ("", f"a tap of VPP at {taps.SOCKET}")
    assert held["c2/net1"].file == str(world.run_dir / "claims/+c2@net1")
    assert unseen == []
