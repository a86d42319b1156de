"""The star test and its twin through the door of podman 5: whatever effect of setup or teardown fails, or whenever the
process dies there. podman makes no second call for what failed, so what is left is for the next setup of anybody.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import podman
from tests.fakes import Crash
from tests.podman import Told, call, exec_call
from tests.unit.verbs.test_star import Way, a_world, every, settled
from tests.world import World

Json = dict[str, Any]
ONE, TWO, THREE = (f"/run/netns/pod{number}" for number in (1, 2, 3))
POOLS = [
    {"subnet": "10.10.0.0/16", "prefixLength": 24},
    {"subnet": ["fd00:10::/48"], "prefixLength": 64, "gateway": "none"},
]


def full(world: World) -> Json:
    """All that a network can change of a VF that has a netdev, and a lease of each family."""
    options = podman.options(world, vlan="100", vlanQoS="2", spoofchk="off", trust="on", max_tx_rate="100")
    options |= {"mtu": "1400", "promisc": "true", "ipam.onlink": "true", "ipam.pools": json.dumps(POOLS)}
    told = call(world, "create", podman.asked_network("fast", options))
    assert told.exit_code == 0, told.error
    return podman.kept_network(told.document)


def asked(world: World, container: str = "c1") -> Json:
    wishes: Json = {"static_mac": "02:00:00:00:aa:01"} if container == "c1" else {}
    return exec_call(full(world), container, **wishes)


def setup(world: World, container: str = "c1", netns: str = ONE) -> Told:
    return call(world, "setup", asked(world, container), netns)


def teardown(world: World, container: str = "c1", netns: str = ONE) -> Told:
    return call(world, "teardown", asked(world, container), netns)


def count(root: Path, verb: str) -> int:
    """Effects of that verb, in peace."""
    world = a_world(root, Way.NETDEV)
    if verb == "teardown":
        assert setup(world).exit_code == 0
    before = len(world.kernel.effects)
    assert (setup(world) if verb == "setup" else teardown(world)).exit_code == 0
    return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def setting_up(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count(tmp_path_factory.mktemp("count"), "setup")


@pytest.fixture(scope="module")
def tearing_down(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count(tmp_path_factory.mktemp("count"), "teardown")


def test_the_star_has_its_points(setting_up: int, tearing_down: int) -> None:
    assert (setting_up >= 20, tearing_down >= 10) == (True, True), (setting_up, tearing_down)


def take_both(world: World, where: str) -> None:
    """Two other containers want both VFs, and are gone again: then nothing may be left of the first."""
    for number, netns in ((2, TWO), (3, THREE)):
        world.kernel.add_pod(netns)
        told = setup(world, f"c{number}", netns)
        assert told.exit_code == 0, f"{where}: {told.error}"
    for number, netns in ((2, TWO), (3, THREE)):
        assert teardown(world, f"c{number}", netns).exit_code == 0
        del world.kernel.pods[netns]


def test_a_setup_that_fails_leaves_no_trace(tmp_path: Path, setting_up: int) -> None:
    """Best effort goes on and is logged: then the teardown leaves none."""
    failed = 0
    for k, when in every(setting_up):
        world = a_world(tmp_path / f"{k}{when}", Way.NETDEV)
        before = world.snapshot()
        world.kernel.fail_effect(k, when)

        told = setup(world)

        if told.exit_code == 0:
            assert "injected" in world.log_file.read_text(), f"effect {k} {when} failed unseen"
            assert teardown(world).exit_code == 0
        else:
            assert told.document.keys() == {"error"}
        failed += told.exit_code != 0
        assert world.snapshot() == before, f"effect {k} {when}: {told.error}"
    assert failed >= setting_up // 2


def crash(world: World, verb: str, k: int, when: str) -> None:
    document = asked(world)
    world.kernel.crash_at(k, when)
    with pytest.raises(Crash):
        call(world, verb, document)
    world.kernel.restart()


def test_after_a_killed_setup_the_container_starts_in_another_netns(tmp_path: Path, setting_up: int) -> None:
    """The former netns may be mounted still."""
    for k, when in every(setting_up):
        world = a_world(tmp_path / f"{k}{when}", Way.NETDEV)
        before = world.snapshot()
        crash(world, "setup", k, when)
        world.kernel.add_pod(TWO)

        told = setup(world, netns=TWO)

        assert told.exit_code == 0, f"effect {k} {when}: {told.error}"
        assert [link.name for link in world.kernel.pods[ONE].links.values()] == ["lo"], f"effect {k} {when}"
        assert teardown(world, netns=TWO).exit_code == 0
        del world.kernel.pods[TWO]
        assert world.snapshot() == before, f"effect {k} {when}"


def test_after_a_killed_setup_others_get_what_it_had(tmp_path: Path, setting_up: int) -> None:
    for k, when in every(setting_up):
        world = a_world(tmp_path / f"{k}{when}", Way.NETDEV)
        before = world.snapshot()
        crash(world, "setup", k, when)

        take_both(world, f"effect {k} {when}")

        assert world.settled() == settled(before), f"effect {k} {when}"


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_teardown_never_fails_and_what_it_leaves_others_get(
    tmp_path: Path, tearing_down: int, is_killed: bool
) -> None:
    """podman removes the netns then, whatever came of it. A killed process answers nothing, and podman has lost it, too."""
    for k, when in every(tearing_down):
        world = a_world(tmp_path / f"{k}{when}", Way.NETDEV)
        before = world.snapshot()
        assert setup(world).exit_code == 0
        if is_killed:
            crash(world, "teardown", k, when)
        else:
            document = asked(world)
            world.kernel.fail_effect(k, when)
            told = call(world, "teardown", document)
            assert (told.exit_code, told.document) == (0, None), f"effect {k} {when}"
        world.kernel.kill_netns(ONE)

        take_both(world, f"effect {k} {when}")

        world.kernel.add_pod(ONE)
        assert world.settled() == settled(before), f"effect {k} {when}"
