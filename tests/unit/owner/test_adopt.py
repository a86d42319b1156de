"""Attachments that sriov-cni made: DEL, CHECK, GC, reclaim and status work on its files, on the fake kernel."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.drop_in import POD, VERSIONS, SriovCni
from tests.fakes import Crash
from tests.unit.adopted import SETTINGS
from tests.unit.ipam.test_delegate import HostLocal
from tests.world import Reply, World

OTHER = "/run/netns/pod2"


def kernel(world: World) -> dict[str, Any]:
    return world.kernel.snapshot()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("netns", [POD, ""], ids=["netns", "no netns"])
def test_delete_gives_back_what_it_took(world: World, old: SriovCni, version: str, netns: str) -> None:
    before = world.settled()["kernel"]
    conf = old.add(version=version, **SETTINGS)
    assert world.settled()["kernel"] != before

    replies = [world.call("DEL", conf, netns=netns).code for _ in range(2)]

    after = world.settled()["kernel"]
    if version == "oldest" and not netns:  # it recorded none, and the runtime tells none
        assert "was made anew" in world.log_file.read_text()
        after["pods"] = before["pods"]  # nobody was in there
    assert (replies, after, old.files()) == ([0, 0], before, [])
    assert not [name for name in world.files() if "@" in name or "claims" in name]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("udev", [False, True])
def test_delete_after_the_netns_died(world: World, old: SriovCni, version: str, udev: bool) -> None:
    before = kernel(world)
    conf = old.add(version=version, **SETTINGS)
    world.kernel.udev = udev
    world.kernel.kill_netns(POD)
    world.kernel.add_pod(POD)

    assert world.call("DEL", conf, netns="").code == 0

    assert (kernel(world), old.files()) == (before, [])


def test_the_path_of_its_netns_is_another_pods_by_now(world: World, old: SriovCni) -> None:
    before = kernel(world)
    conf = old.add(**SETTINGS)
    world.kernel.kill_netns(POD)
    world.kernel.add_pod(POD)
    assert (world.state_dir / "pci/0000:01:10.0").read_text() == POD

    assert world.call("DEL", conf).code == 0
    assert (kernel(world), old.files()) == (before, [])


def test_delete_that_is_killed_anywhere_is_finished_by_the_next(world: World, old: SriovCni) -> None:
    before = kernel(world)
    for when in ("before", "after"):
        for k in range(100):
            conf = old.add(**SETTINGS)
            world.kernel.crash_at(k, when)
            try:
                world.call("DEL", conf)
                break
            except Crash:
                world.kernel.restart()
            assert world.call("DEL", conf, netns="").code == 0
            assert (kernel(world), old.files()) == (before, []), f"{when} effect {k}"
        world.kernel.restart()
        assert k > 5
        assert (kernel(world), old.files()) == (before, [])


def test_a_late_delete_leaves_the_next_owner_alone(world: World, old: SriovCni) -> None:
    """sriov-cni lost a DEL and gave the VF to c2: two files name it, and the older has nothing to say."""
    conf = old.add("c1", vlan=5)
    world.kernel.kill_netns(POD)
    world.kernel.add_pod(POD)
    link = world.kernel.pfs[0].vfs[0].link
    assert link is not None
    netlink = world.kernel.netlink
    netlink.set_name(netlink.ifindex(link.name), link.home_name)
    age(old.directory / "c1-net1", 30)
    old.add("c2", OTHER, vlan=7)
    there = kernel(world)

    assert [world.call("DEL", conf, "c1", netns).code for netns in ("", POD)] == [0, 0]

    assert (kernel(world), old.files()) == (there, ["c2-net1", "pci/0000:01:10.0"])
    assert world.call("DEL", conf, "c2", OTHER).code == 0
    assert world.kernel.pfs[0].vfs[0].state.vlan == 5, "what sriov-cni took for the baseline"


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, time.time() - seconds))


def test_a_vf_that_is_ours_by_now_is_left_alone(world: World, old: SriovCni) -> None:
    old.add("c1", vlan=5)
    (world.state_dir / "pci/0000:01:10.0").unlink()
    text = (world.state_dir / "c1-net1").read_text()
    (world.state_dir / "c1-net1").unlink()
    world.kernel.kill_netns(POD)
    world.kernel.add_pod(POD)
    assert world.call("ADD", world.conf(vlan=9, deviceID="0000:01:10.0"), "c2", OTHER).code == 0
    (world.state_dir / "c1-net1").write_text(text)
    there = kernel(world)

    assert world.call("DEL", world.conf(), "c1", "").code == 0

    assert (kernel(world), old.files()) == (there, [])


def test_a_file_of_an_earlier_boot_frees_its_addresses_and_no_vf(
    world: World,
    old: SriovCni,
    host_local: HostLocal,
) -> None:
    conf = old.add(ipam={"type": "host-local", "subnet": "10.1.0.0/16"}, **SETTINGS)
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    age(world.state_dir / "c1-net1", time.time() - boot + 3600)
    (world.state_dir / "pci/0000:01:10.0").write_text("/run/netns/of-that-boot")
    there = kernel(world)

    assert world.call("DEL", conf, netns="").code == 0

    assert (kernel(world), old.files(), host_local.verbs) == (there, [], ["DEL"])


def test_one_that_is_older_than_the_boot_by_a_clock_that_was_set_is_of_this_boot_if_its_netns_lives(
    world: World, old: SriovCni
) -> None:
    """Without a battery the clock begins in 1970, and NTP sets it when sriov-cni has attached already."""
    before = kernel(world)
    conf = old.add(**SETTINGS)
    age(world.state_dir / "c1-net1", time.time() - 3600)

    assert world.call("DEL", conf, netns="").code == 0

    assert (kernel(world), old.files()) == (before, [])


def test_the_vf_is_gone(world: World, old: SriovCni) -> None:
    conf = old.add(**SETTINGS)
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)

    assert world.call("DEL", conf).code == 0
    assert old.files() == []


def test_the_netdev_is_nowhere_to_be_found(world: World, old: SriovCni) -> None:
    """A process holds the netns, and no path leads there: its driver brings it home."""
    before = world.settled()["kernel"]
    conf = old.add(**SETTINGS)
    world.kernel.pods.pop(POD)

    assert world.call("DEL", conf, netns="").code == 0

    assert (world.settled()["kernel"]["vfs"], old.files()) == (before["vfs"], [])
    assert world.settled()["kernel"]["host"] == before["host"]


def test_what_the_driver_does_not_report_is_not_set(world: World, old: SriovCni) -> None:
    """Go's netlink says link state auto, trust off where the driver says nothing; a driver that refuses would fail DEL."""
    conf = old.add(vlan=100)
    vf = world.kernel.pfs[0].vfs[0]
    vf.state.link_state = vf.state.trust = None
    there = len(world.kernel.effects)

    assert world.call("DEL", conf).code == 0
    assert not [
        effect for effect in world.kernel.effects[there:] if "link_state" in effect or "trust" in effect
    ]


def test_its_ipam_is_asked_with_the_conf_of_the_call(
    world: World, old: SriovCni, host_local: HostLocal
) -> None:
    """Its cache has the type alone; sriov-cni too sends what it gets."""
    conf = old.add(ipam={"type": "host-local", "subnet": "10.1.0.0/16"}, vlan=5)

    assert world.call("CHECK", conf).code == 0
    assert world.call("DEL", conf, args="IgnoreUnknown=1;K8S_POD_NAME=web").code == 0

    assert host_local.verbs == ["CHECK", "DEL"]
    sent = host_local.calls[-1]
    assert sent["conf"]["ipam"] == conf["ipam"]
    assert sent["env"]["CNI_NETNS"] == POD
    assert "K8S_POD_NAME=web" in sent["env"]["CNI_ARGS"]


def test_a_failing_ipam_fails_the_delete_and_keeps_the_files(
    world: World, old: SriovCni, host_local: HostLocal
) -> None:
    conf = old.add(ipam={"type": "host-local", "subnet": "10.1.0.0/16"}, vlan=5)
    host_local.fails["DEL"] = json.dumps({"cniVersion": "0.4.0", "code": 11, "msg": "busy"})

    assert world.call("DEL", conf).code == 11
    assert old.files() == ["c1-net1", "pci/0000:01:10.0"]
    del host_local.fails["DEL"]
    assert world.call("DEL", conf).code == 0
    assert old.files() == []


def check(world: World, conf: dict[str, Any], **result: Any) -> Reply:
    return world.call("CHECK", conf | {"prevResult": {"cniVersion": conf["cniVersion"], **result}})


@pytest.mark.parametrize("version", VERSIONS)
def test_check_finds_nothing_wrong_and_changes_nothing(world: World, old: SriovCni, version: str) -> None:
    conf = old.add(version=version, **SETTINGS)
    before = world.snapshot()

    reply = check(world, conf)

    assert reply.code == 0, reply.text
    assert {k: v for k, v in world.snapshot().items() if k == "kernel"} == {"kernel": before["kernel"]}
    assert old.files() == [
        f for f in ["c1-net1", "pci/0000:01:10.0"] if version != "oldest" or "pci" not in f
    ]


def test_check_names_each_drift(world: World, old: SriovCni) -> None:
    conf = old.add(**SETTINGS)
    vf = world.kernel.pfs[0].vfs[0]
    vf.state.vlan, vf.state.spoofchk = 7, True
    assert vf.link is not None
    vf.link.is_up = False
    there = {"address": "10.1.0.9/16", "version": "4", "interface": 0}

    reply = check(world, conf, interfaces=[{"name": "net1", "sandbox": POD}], ips=[there])

    assert reply.code == 107
    for word in ("vlan 7", "spoofchk on", "is down", "10.1.0.9/16 is missing"):
        assert word in reply.text
