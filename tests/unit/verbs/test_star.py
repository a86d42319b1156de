"""The star test and its twin: whatever effect of ADD or DEL fails, or whenever the process dies, nothing is left.

The number of effects is found by running, never written down; a floor guards against an ADD that does less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.unit.one_port import link_of, vf_of
from tests.world import World

WHEN = ["before", "after"]
ROUTES = [{"dst": "10.99.0.0/16"}]


def a_world(root: Path) -> World:
    """The VF has an admin MAC, a VLAN and an altname already: a baseline that is not the default."""
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=2)
    world.kernel.add_pod("/run/netns/pod1")
    netlink = world.kernel.netlink
    ifindex = netlink.ifindex("enp1s0f0")
    netlink.add_altname(netlink.ifindex("enp1s0f0v0"), "sriov0")
    netlink.set_vf_mac(ifindex, 0, "02:00:00:00:bb:01")
    netlink.set_vf_vlan(ifindex, 0, 7, 3)
    return world


def full_conf(world: World) -> dict[str, Any]:
    """Everything that ADD can change, and a lease of each family."""
    pools = [
        {"subnet": "10.10.0.0/16", "prefixLength": 24},
        {"subnet": ["fd00:10::/48"], "prefixLength": 64, "gateway": "none"},
    ]
    return world.conf(
        vlan=100,
        vlanQoS=2,
        mac="02:00:00:00:aa:01",
        spoofchk="off",
        trust="on",
        max_tx_rate=100,
        mtu=1400,
        txqueuelen=500,
        promisc=True,
        allmulti=True,
        runtimeConfig={"CNIDeviceInfoFile": f"{world.devinfo_dir}/c1_net1"},
        ipam=world.ipam(pools=pools, routes=ROUTES, onlink=True),
    )


def soil(world: World) -> None:
    """What a container may leave on its netdev: what a message puts back and what only a new netdev ends."""
    link_of(world).traits |= {"ifalias": "was here", "features": "1", "rings": "rx 80 tx 80"}


def soiled_world(root: Path) -> tuple[World, dict[str, Any]]:
    """A VF that is golden to this node, and then lost its Record: with all that a container made of it. It is UP."""
    world = a_world(root)
    link_of(world).is_up = True
    plain = world.conf(master=None, deviceID="0000:01:10.0")
    assert [world.call(verb, plain).code for verb in ("ADD", "DEL")] == [0, 0]
    before = world.snapshot()
    netlink, link = world.kernel.netlink, link_of(world)
    netlink.set_vf_vlan(netlink.ifindex("enp1s0f0"), 0, 99)
    vf_of(world).state.trust, link.mtu = True, 1300
    soil(world)
    return world, before


def count_effects(verbs: list[str], root: Path) -> int:
    """Effects of the last verb, after the others have run."""
    world = a_world(root)
    for verb in verbs[:-1]:
        assert world.call(verb, full_conf(world)).code == 0
        soil(world)
    before = len(world.kernel.effects)
    assert world.call(verbs[-1], full_conf(world)).code == 0
    return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def add_effects(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count_effects(["ADD"], tmp_path_factory.mktemp("count"))


@pytest.fixture(scope="module")
def putting_right(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Effects of an ADD that finds a VF which is not golden."""
    world, _ = soiled_world(tmp_path_factory.mktemp("count"))
    before = len(world.kernel.effects)
    assert world.call("ADD", full_conf(world)).code == 0
    return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def del_effects(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count_effects(["ADD", "DEL"], tmp_path_factory.mktemp("count"))


def test_the_star_has_its_points(add_effects: int, del_effects: int) -> None:
    assert (add_effects >= 20, del_effects >= 10) == (True, True)


def every(effects: int) -> list[tuple[int, str]]:
    return [(k, when) for k in range(effects) for when in WHEN]


def test_failed_add_leaves_no_trace(tmp_path: Path, add_effects: int) -> None:
    """Some effects are best effort (announcing, clearing an admin MAC that may not be there): the log tells, the ADD
    goes on, and then DEL must leave no trace.
    """
    failed = 0
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        world.kernel.fail_effect(k, when)

        reply = world.call("ADD", full_conf(world))

        if reply.code == 0:
            assert "injected" in world.log_file.read_text(), f"effect {k} {when} failed unseen"
            assert world.call("DEL", full_conf(world)).code == 0
        failed += reply.code != 0
        assert world.snapshot() == before, f"effect {k} {when}: {reply.text}"
    assert failed >= add_effects // 2


def test_delete_after_crash_leaves_no_trace(tmp_path: Path, add_effects: int) -> None:
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        crash(world, "ADD", k, when)

        reply = world.call("DEL", full_conf(world), netns="")

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def test_add_after_crash_succeeds_and_its_delete_leaves_no_trace(tmp_path: Path, add_effects: int) -> None:
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        crash(world, "ADD", k, when)

        replies = [world.call("ADD", full_conf(world)), world.call("DEL", full_conf(world))]

        assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {[r.text for r in replies]}"
        assert world.snapshot() == before, f"effect {k} {when}"


def test_another_add_takes_back_what_a_crash_left(tmp_path: Path, add_effects: int) -> None:
    """Both VFs are needed: the one that the dead ADD claimed must be reclaimed, as it was."""
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        crash(world, "ADD", k, when)
        world.kernel.add_pod("/run/netns/pod2")
        world.kernel.add_pod("/run/netns/pod3")
        plain = world.conf()

        codes = [
            world.call("ADD", plain, "c2", "/run/netns/pod2").code,
            world.call("ADD", plain, "c3", "/run/netns/pod3").code,
            world.call("DEL", plain, "c2", "/run/netns/pod2").code,
            world.call("DEL", plain, "c3", "/run/netns/pod3").code,
        ]

        assert codes == [0, 0, 0, 0], f"effect {k} {when}"
        del world.kernel.pods["/run/netns/pod2"], world.kernel.pods["/run/netns/pod3"]
        assert world.snapshot() == before, f"effect {k} {when}"


def test_a_vf_that_is_not_golden_is_golden_whatever_fails(tmp_path: Path, putting_right: int) -> None:
    """What the ADD that puts it right could not finish, its DEL or the next ADD does."""
    for k, when in every(putting_right):
        world, before = soiled_world(tmp_path / f"{k}{when}")
        world.kernel.fail_effect(k, when)

        world.call("ADD", full_conf(world))
        replies = [world.call("DEL", full_conf(world)), world.call("ADD", world.conf())]
        replies.append(world.call("DEL", world.conf()))

        assert [reply.code for reply in replies] == [0, 0, 0], (
            f"effect {k} {when}: {[r.text for r in replies]}"
        )
        assert world.settled() == settled(before), f"effect {k} {when}"


def test_a_vf_that_is_not_golden_is_golden_whenever_the_process_dies(
    tmp_path: Path, putting_right: int
) -> None:
    for k, when in every(putting_right):
        world, before = soiled_world(tmp_path / f"{k}{when}")
        crash(world, "ADD", k, when)

        replies = [world.call("ADD", full_conf(world)), world.call("DEL", full_conf(world))]

        assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {[r.text for r in replies]}"
        assert world.settled() == settled(before), f"effect {k} {when}"


def settled(snapshot: dict[str, Any]) -> dict[str, Any]:
    """As World.settled has it."""
    for vf in snapshot["kernel"]["vfs"].values():
        vf["mac"] = vf["mac"] if vf["admin_mac"] else ""
    return snapshot


def test_failed_delete_is_finished_by_the_next(tmp_path: Path, del_effects: int) -> None:
    for k, when in every(del_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        assert world.call("ADD", full_conf(world)).code == 0
        soil(world)
        world.kernel.fail_effect(k, when)

        world.call("DEL", full_conf(world))
        reply = world.call("DEL", full_conf(world))

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def test_killed_delete_is_finished_by_the_next(tmp_path: Path, del_effects: int) -> None:
    for k, when in every(del_effects):
        world = a_world(tmp_path / f"{k}{when}")
        before = world.snapshot()
        assert world.call("ADD", full_conf(world)).code == 0
        soil(world)
        crash(world, "DEL", k, when)

        reply = world.call("DEL", full_conf(world), netns="")

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def crash(world: World, verb: str, k: int, when: str) -> None:
    world.kernel.crash_at(k, when)
    with pytest.raises(Crash):
        world.call(verb, full_conf(world))
    world.kernel.restart()
