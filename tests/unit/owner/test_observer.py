"""Who may not see the whole node takes nothing of others: in a pid namespace of its own, under a strange /sys."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl import gc
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.errors import KernelRefused, TryAgain
from cni_sriov.words.log import Log
from tests.world import BOOT_ID, FakeHost, World

POD, OTHER = "/run/netns/pod1", "/run/netns/other"
BLIND = "this process is in a pid namespace of its own"


@pytest.fixture
def conf(world: World) -> dict[str, Any]:
    return world.conf(ipam=world.ipam(), deviceID="0000:01:10.0", master=None)


@pytest.fixture
def dead(world: World, conf: dict[str, Any]) -> World:
    """A pod that died without a DEL; its VF is in the host."""
    world.kernel.add_pod(OTHER)
    assert world.call("ADD", conf).code == 0
    world.kernel.kill_netns(POD)
    world.kernel.blind_spot = BLIND
    return world


def files(world: World) -> list[str]:
    """All but what a refused ADD leaves for nobody."""
    return [name for name in world.files() if "c1" in name or "claims" in name or "leases" in name]


def test_an_add_takes_no_vf_of_the_dead_and_says_why(dead: World, conf: dict[str, Any]) -> None:
    before = files(dead)

    reply = dead.call("ADD", conf, container="c2", netns=OTHER)

    assert (reply.code, files(dead)) == (11, before)
    assert f"what is dead was not taken back, since {BLIND}" in reply.text

    dead.kernel.blind_spot = ""
    assert dead.call("ADD", conf, container="c2", netns=OTHER).code == 0, "who sees all takes it"


def test_a_free_vf_and_ones_own_need_no_more_than_they_are_told(dead: World, conf: dict[str, Any]) -> None:
    free = conf | {"deviceID": "0000:01:10.2"}
    assert [dead.call(verb, free, "c2", OTHER).code for verb in ("ADD", "CHECK", "DEL")] == [0, 0, 0]
    assert dead.call("DEL", conf, netns="").code == 0, "its own, whatever became of its pod"


@pytest.mark.parametrize("listed", [True, False])
def test_gc_refuses(dead: World, conf: dict[str, Any], listed: bool) -> None:
    before = files(dead)
    keep: dict[str, Any] = {"cni.dev/valid-attachments": []} if listed else {}

    reply = dead.call("GC", conf | keep | {"cniVersion": "1.1.0"})

    assert (reply.code, BLIND in reply.text, files(dead)) == (11, True, before)


def test_gc_of_host_subnet_refuses(dead: World) -> None:
    before = files(dead)

    reply = dead.call("GC", dead.conf(type="x", ipam=dead.ipam(), cniVersion="1.1.0"), door="host-subnet")

    assert (reply.code, BLIND in reply.text, files(dead)) == (11, True, before)


@pytest.mark.parametrize("dry_run", [True, False])
def test_sriovctl_gc_refuses(dead: World, dry_run: bool) -> None:
    before = files(dead)
    log = Log("none")
    host = FakeHost(dead.kernel, Ledger(str(dead.state_dir), log, str(dead.run_dir), BOOT_ID), log, False)

    with pytest.raises(TryAgain, match=BLIND):
        gc.run(host, dry_run)
    assert files(dead) == before


def test_leases_of_the_dead_stay(world: World) -> None:
    """One /24 alone: the second bridge finds the pool full."""
    pools = [{"subnet": "10.10.0.0/24", "prefixLength": 24}]
    conf = world.conf(type="bridge", ipam=world.ipam(pools=pools))
    world.kernel.add_pod(OTHER)
    assert world.call("ADD", conf, door="host-subnet").code == 0
    world.kernel.pods.pop(POD)
    world.kernel.blind_spot = BLIND
    before = files(world)

    assert world.call("ADD", conf, "c2", OTHER, door="host-subnet").code == 11
    assert files(world) == before

    world.kernel.blind_spot = ""
    assert world.call("ADD", conf, "c2", OTHER, door="host-subnet").code == 0


def test_under_a_strange_sys_no_vf_is_gone(world: World, conf: dict[str, Any]) -> None:
    """A DEL there would forget the VLAN of a VF that it does not see."""
    assert world.call("ADD", conf).code == 0
    devices = world.kernel.tree.root / "sys/bus/pci/devices"
    Path(devices).rename(devices.with_name("hidden"))
    world.kernel.hides_devices = True

    reply = world.call("DEL", conf)

    assert (reply.code, "not sysfs" in reply.text) == (5, True)
    assert [name for name in world.files() if name.startswith("run/claims")] != []

    devices.with_name("hidden").rename(devices)
    world.kernel.hides_devices = False
    assert world.call("DEL", conf).code == 0


def test_a_pf_that_is_not_shown_although_its_vf_is_keeps_the_record(world: World) -> None:
    """Else its VLAN would stay, and nobody would know of it."""
    conf = world.conf(vlan=100, trust="on")
    before = world.settled()
    assert world.call("ADD", conf).code == 0
    device = world.kernel.tree.device("0000:01:00.0")
    device.rename(world.root / "hidden")

    assert world.call("DEL", conf).code == 11
    assert [name for name in world.files() if name.startswith("run/claims")] != []

    (world.root / "hidden").rename(device)
    assert (world.call("DEL", conf).code, world.settled()) == (0, before)


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EIO, errno.EMFILE, errno.EACCES])
def test_what_cannot_be_seen_of_a_lease_holder_is_no_death(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pools = [{"subnet": "10.10.0.0/24", "prefixLength": 24}]
    conf = world.conf(type="bridge", ipam=world.ipam(pools=pools))
    world.kernel.add_pod(OTHER)
    assert world.call("ADD", conf, door="host-subnet").code == 0
    before = files(world)

    def refuse(_: FakeHost) -> None:
        raise KernelRefused("list processes", number)

    monkeypatch.setattr(FakeHost, "live_netns", refuse)
    assert world.call("ADD", conf, "c2", OTHER, door="host-subnet").code == 11
    assert files(world) == before
