"""The star test and its twin for attachments to the host's VPP: whatever effect fails, VPP's or the kernel's, or whenever the
process or VPP dies, nothing is left.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.vpp.world import VppWorld
from tests.world import Reply

WHEN = ["before", "after"]


def full(world: VppWorld) -> dict[str, Any]:
    pools = [
        {"subnet": "10.10.0.0/16", "prefixLength": 24},
        {"subnet": "fd00:10::/48", "prefixLength": 64},
    ]
    ipam = world.ipam(pools=pools, routes=[{"dst": "10.99.0.0/16"}])
    return world.conf(mtu=1400, mac="02:00:00:00:aa:01", vpp=world.host(table=7), ipam=ipam)


def a_world(root: Path) -> VppWorld:
    world = VppWorld(root)
    world.node.tables |= {(7, 4), (7, 6)}
    return world


def count(verbs: list[str], root: Path) -> int:
    with a_world(root) as world:
        for verb in verbs[:-1]:
            assert world.call(verb, full(world)).code == 0
        before = len(world.kernel.effects)
        assert world.call(verbs[-1], full(world)).code == 0
        return len(world.kernel.effects) - before


@pytest.fixture(scope="module")
def add_effects(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count(["ADD"], tmp_path_factory.mktemp("count"))


@pytest.fixture(scope="module")
def del_effects(tmp_path_factory: pytest.TempPathFactory) -> int:
    return count(["ADD", "DEL"], tmp_path_factory.mktemp("count"))


def every(effects: int) -> list[tuple[int, str]]:
    return [(k, when) for k in range(effects) for when in WHEN]


def crash(world: VppWorld, verb: str) -> None:
    """Where the change was VPP's it is VPP that notices, and the dead process can change nothing any more."""
    try:
        world.call(verb, full(world))
    except Crash:
        pass
    assert world.kernel.is_dead
    world.kernel.restart()


def test_the_star_has_its_points(add_effects: int, del_effects: int) -> None:
    """tap, two tables, MTU, UP, two addresses; and what the pod needs."""
    assert (add_effects >= 7 + 6, del_effects) == (True, 1)


def test_failed_add_leaves_no_trace(tmp_path: Path, add_effects: int) -> None:
    failed = 0
    for k, when in every(add_effects):
        with a_world(tmp_path / f"{k}{when}") as world:
            before = world.snapshot()
            world.kernel.fail_effect(k, when)

            reply = world.call("ADD", full(world))

            if reply.code == 0:
                assert "injected" in world.log_file.read_text(), f"effect {k} {when} failed unseen"
                assert world.call("DEL", full(world)).code == 0
            failed += reply.code != 0
            assert world.snapshot() == before, f"effect {k} {when}: {reply.text}"
    assert failed >= add_effects


@pytest.mark.parametrize("after", [["DEL"], ["ADD", "DEL"]])
def test_what_a_killed_add_left_is_put_right(tmp_path: Path, add_effects: int, after: list[str]) -> None:
    for k, when in every(add_effects):
        with a_world(tmp_path / f"{k}{when}") as world:
            before = world.snapshot()
            world.kernel.crash_at(k, when)
            crash(world, "ADD")

            replies = [world.call(verb, full(world)) for verb in after]

            assert [reply.code for reply in replies] == [0] * len(after), (
                f"effect {k} {when}: {told(replies)}"
            )
            assert world.snapshot() == before, f"effect {k} {when}"


def test_another_add_takes_back_what_a_killed_one_left(tmp_path: Path, add_effects: int) -> None:
    for k, when in every(add_effects):
        with a_world(tmp_path / f"{k}{when}") as world:
            before = world.snapshot()
            world.kernel.crash_at(k, when)
            crash(world, "ADD")
            world.kernel.add_pod("/run/netns/pod2")

            replies = [world.call(verb, full(world), "c2", "/run/netns/pod2") for verb in ("ADD", "DEL")]

            assert [reply.code for reply in replies] == [0, 0], f"effect {k} {when}: {told(replies)}"
            del world.kernel.pods["/run/netns/pod2"]
            after = world.snapshot()
            assert (after["vpp"], after["kernel"]) == (before["vpp"], before["kernel"]), f"effect {k} {when}"


@pytest.mark.parametrize("dies", [True, False])
def test_del_that_fails_or_dies_is_finished_by_the_next(tmp_path: Path, del_effects: int, dies: bool) -> None:
    for k, when in every(del_effects):
        with a_world(tmp_path / f"{k}{when}") as world:
            before = world.snapshot()
            assert world.call("ADD", full(world)).code == 0
            if dies:
                world.kernel.crash_at(k, when)
                crash(world, "DEL")
            else:
                world.kernel.fail_effect(k, when)
                world.call("DEL", full(world))

            reply = world.call("DEL", full(world), netns="")

            assert (reply.code, world.snapshot()) == (0, before), f"effect {k} {when}: {reply.text}"


def test_vpp_dies_during_add(tmp_path: Path, add_effects: int) -> None:
    """With its taps. The ADD fails, or it is through; its DEL is success while VPP is away, and ends when it is back."""
    for k in range(add_effects):
        with a_world(tmp_path / str(k)) as world:
            before = world.snapshot()
            world.node.change = dying(world, k)
            reply = world.call("ADD", full(world))
            away = world.call("DEL", full(world), netns="")
            world.server.die()
            world.node.change = world.kernel.effect
            world.server.begin()
            back = world.call("DEL", full(world), netns="")

            assert (away.code, back.code) == (0, 0), f"effect {k}: {told([reply, away, back])}"
            assert world.snapshot() == before, f"effect {k}"


def dying(world: VppWorld, k: int) -> Callable[[str, Callable[[], None]], None]:
    """From change k on there is nobody."""
    done = 0

    def change(_what: str, act: Callable[[], None]) -> None:
        nonlocal done
        if done >= k:
            world.server.path.unlink(missing_ok=True)
            raise ConnectionResetError
        done += 1
        act()

    return change


def told(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def test_the_record_is_there_before_vpp_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tag: else nobody could find the tap of an ADD that died."""
    with a_world(tmp_path) as world:
        seen: list[Any] = []

        def change(what: str, act: Callable[[], None]) -> None:
            if "make tap" in what:
                seen.extend(path.read_text() for path in world.state_dir.iterdir())
            act()
            seen.append(world.node.port("tap0").tag)

        monkeypatch.setattr(world.node, "change", change)
        assert world.call("ADD", full(world)).code == 0
        assert seen[1] in seen[0]
