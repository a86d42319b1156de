"""The star test and its twin: whatever effect of ADD or DEL fails, or whenever the process dies, nothing is left.

The number of effects is found by running, never written down; a floor guards against an ADD that does less.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.unit import dpdk
from tests.unit.one_port import link_of, vf_of
from tests.world import World

WHEN = ["before", "after"]
ROUTES = [{"dst": "10.99.0.0/16"}]


class Way(Enum):
    """How the VF gets to its container: its netdev, or the driver for user space that ADD binds, or had before."""

    NETDEV, BOUND, AHEAD = range(3)


@pytest.fixture(scope="module", params=Way)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


def a_world(root: Path, way: Way) -> World:
    """The VF has an admin MAC, a VLAN and an altname already: a baseline that is not the default."""
    world = World(root)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0", numvfs=2)
    world.kernel.add_pod("/run/netns/pod1")
    netlink = world.kernel.netlink
    ifindex = netlink.ifindex("enp1s0f0")
    netlink.add_altname(netlink.ifindex("enp1s0f0v0"), "sriov0")
    netlink.set_vf_mac(ifindex, 0, "02:00:00:00:bb:01")
    netlink.set_vf_vlan(ifindex, 0, 7, 3)
    if way is not Way.NETDEV:
        dpdk.furnish(world)
    if way is Way.AHEAD:
        for vf in world.kernel.pfs[0].vfs:
            dpdk.ahead(world, vf)
    return world


def full_conf(world: World, way: Way) -> dict[str, Any]:
    """Everything that ADD can change, and a lease of each family."""
    pools = [
        {"subnet": "10.10.0.0/16", "prefixLength": 24},
        {"subnet": ["fd00:10::/48"], "prefixLength": 64, "gateway": "none"},
    ]
    own = {"mtu": 1400, "txqueuelen": 500, "promisc": True, "allmulti": True}
    return plain_conf(
        world,
        way,
        vlan=100,
        vlanQoS=2,
        mac="02:00:00:00:aa:01",
        spoofchk="off",
        trust="on",
        max_tx_rate=100,
        **(own if way is Way.NETDEV else {}),
        **({"vpp": world.vpp_conf()} if way is Way.BOUND else {}),
        runtimeConfig={"CNIDeviceInfoFile": f"{world.devinfo_dir}/c1_net1"},
        ipam=world.ipam(pools=pools, routes=ROUTES, onlink=True),
    )


def plain_conf(world: World, way: Way, **keys: Any) -> dict[str, Any]:
    own = {} if way is Way.NETDEV else {"driver": "vfio-pci", "vfioOwner": "1000:36"}
    return world.conf(**own, **keys)


def soil(world: World) -> None:
    """What a container may leave on its netdev: what a message puts back and what only a new netdev ends. A program that is
    trusted may set an address of its own.
    """
    vf = vf_of(world)
    if vf.link is not None:
        vf.link.traits |= {"ifalias": "was here", "features": "1", "rings": "rx 80 tx 80"}
    elif vf.state.trust:
        vf.state.mac = "02:00:00:00:ee:01"


def soiled_world(root: Path, way: Way) -> tuple[World, dict[str, Any]]:
    """A VF that is golden to this node, and then lost its Record: with all that a container made of it. It is UP."""
    world = a_world(root, way)
    if way is not Way.AHEAD:
        link_of(world).is_up = True
    plain = plain_conf(world, way, master=None, deviceID="0000:01:10.0")
    assert [world.call(verb, plain).code for verb in ("ADD", "DEL")] == [0, 0]
    before = world.snapshot()
    netlink, link = world.kernel.netlink, vf_of(world).link
    netlink.set_vf_vlan(netlink.ifindex("enp1s0f0"), 0, 99)
    vf_of(world).state.trust = True
    if link is not None:
        link.mtu = 1300
        soil(world)
    return world, before


def count_effects(verbs: list[str], root: Path, way: Way) -> int:
    """Effects of the last verb, after the others have run."""
    world = a_world(root, way)
    for verb in verbs[:-1]:
        assert world.call(verb, full_conf(world, way)).code == 0
        soil(world)
    before = len(world.kernel.effects)
    assert world.call(verbs[-1], full_conf(world, way)).code == 0
    return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def add_effects(way: Way, tmp_path_factory: pytest.TempPathFactory) -> int:
    return count_effects(["ADD"], tmp_path_factory.mktemp("count"), way)


@pytest.fixture(scope="module")
def putting_right(way: Way, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Effects of an ADD that finds a VF which is not golden."""
    world, _ = soiled_world(tmp_path_factory.mktemp("count"), way)
    before = len(world.kernel.effects)
    assert world.call("ADD", full_conf(world, way)).code == 0
    return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def del_effects(way: Way, tmp_path_factory: pytest.TempPathFactory) -> int:
    return count_effects(["ADD", "DEL"], tmp_path_factory.mktemp("count"), way)


def test_the_star_has_its_points(way: Way, add_effects: int, del_effects: int) -> None:
    adding, deleting = {Way.NETDEV: (20, 10), Way.BOUND: (9, 10), Way.AHEAD: (5, 5)}[way]
    assert (add_effects >= adding, del_effects >= deleting) == (True, True), (add_effects, del_effects)


def every(effects: int) -> list[tuple[int, str]]:
    return [(k, when) for k in range(effects) for when in WHEN]


def test_failed_add_leaves_no_trace(tmp_path: Path, way: Way, add_effects: int) -> None:
    """Some effects are best effort (announcing, clearing an admin MAC that may not be there): the log tells, the ADD
    goes on, and then DEL must leave no trace.
    """
    failed = 0
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        world.kernel.fail_effect(k, when)

        reply = world.call("ADD", full_conf(world, way))

        if reply.code == 0:
            assert "injected" in world.log_file.read_text(), f"effect {k} {when} failed unseen"
            assert world.call("DEL", full_conf(world, way)).code == 0
        failed += reply.code != 0
        assert world.snapshot() == before, f"effect {k} {when}: {reply.text}"
    assert failed >= add_effects // 2


def test_delete_after_crash_leaves_no_trace(tmp_path: Path, way: Way, add_effects: int) -> None:
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        crash(world, way, "ADD", k, when)

        reply = world.call("DEL", full_conf(world, way), netns="")

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def test_add_after_crash_succeeds_and_its_delete_leaves_no_trace(
    tmp_path: Path, way: Way, add_effects: int
) -> None:
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        crash(world, way, "ADD", k, when)

        replies = [world.call("ADD", full_conf(world, way)), world.call("DEL", full_conf(world, way))]

        assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {[r.text for r in replies]}"
        assert world.snapshot() == before, f"effect {k} {when}"


def test_another_add_takes_back_what_a_crash_left(tmp_path: Path, way: Way, add_effects: int) -> None:
    """Both VFs are needed: the one that the dead ADD claimed must be reclaimed, as it was."""
    for k, when in every(add_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        crash(world, way, "ADD", k, when)
        world.kernel.add_pod("/run/netns/pod2")
        world.kernel.add_pod("/run/netns/pod3")
        plain = plain_conf(world, way)

        codes = [
            world.call("ADD", plain, "c2", "/run/netns/pod2").code,
            world.call("ADD", plain, "c3", "/run/netns/pod3").code,
            world.call("DEL", plain, "c2", "/run/netns/pod2").code,
            world.call("DEL", plain, "c3", "/run/netns/pod3").code,
        ]

        assert codes == [0, 0, 0, 0], f"effect {k} {when}"
        del world.kernel.pods["/run/netns/pod2"], world.kernel.pods["/run/netns/pod3"]
        assert world.settled() == settled(before), f"effect {k} {when}"


def test_a_vf_that_is_not_golden_is_golden_whatever_fails(
    tmp_path: Path, way: Way, putting_right: int
) -> None:
    """What the ADD that puts it right could not finish, its DEL or the next ADD does."""
    for k, when in every(putting_right):
        world, before = soiled_world(tmp_path / f"{k}{when}", way)
        world.kernel.fail_effect(k, when)

        world.call("ADD", full_conf(world, way))
        replies = [world.call("DEL", full_conf(world, way)), world.call("ADD", plain_conf(world, way))]
        replies.append(world.call("DEL", plain_conf(world, way)))

        assert [reply.code for reply in replies] == [0, 0, 0], (
            f"effect {k} {when}: {[r.text for r in replies]}"
        )
        assert world.settled() == settled(before), f"effect {k} {when}"


def test_a_vf_that_is_not_golden_is_golden_whenever_the_process_dies(
    tmp_path: Path, way: Way, putting_right: int
) -> None:
    for k, when in every(putting_right):
        world, before = soiled_world(tmp_path / f"{k}{when}", way)
        crash(world, way, "ADD", k, when)

        replies = [world.call("ADD", full_conf(world, way)), world.call("DEL", full_conf(world, way))]

        assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {[r.text for r in replies]}"
        assert world.settled() == settled(before), f"effect {k} {when}"


def settled(snapshot: dict[str, Any]) -> dict[str, Any]:
    """As World.settled has it."""
    for vf in snapshot["kernel"]["vfs"].values():
        vf["mac"] = vf["mac"] if vf["admin_mac"] else ""
    return snapshot


def test_failed_delete_is_finished_by_the_next(tmp_path: Path, way: Way, del_effects: int) -> None:
    for k, when in every(del_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        assert world.call("ADD", full_conf(world, way)).code == 0
        soil(world)
        world.kernel.fail_effect(k, when)

        world.call("DEL", full_conf(world, way))
        reply = world.call("DEL", full_conf(world, way))

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def test_killed_delete_is_finished_by_the_next(tmp_path: Path, way: Way, del_effects: int) -> None:
    for k, when in every(del_effects):
        world = a_world(tmp_path / f"{k}{when}", way)
        before = world.snapshot()
        assert world.call("ADD", full_conf(world, way)).code == 0
        soil(world)
        crash(world, way, "DEL", k, when)

        reply = world.call("DEL", full_conf(world, way), netns="")

        assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def crash(world: World, way: Way, verb: str, k: int, when: str) -> None:
    world.kernel.crash_at(k, when)
    with pytest.raises(Crash):
        world.call(verb, full_conf(world, way))
    world.kernel.restart()
