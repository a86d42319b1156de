"""DEL: what is not its own it leaves alone, and nothing in its way keeps it from the end."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Crash
from tests.unit.one_port import MINE, OTHERS, a_world, full_conf, link_of
from tests.world import World


def test_a_late_delete_leaves_the_next_owner_alone_whose_network_has_another_state_dir(one_vf: World) -> None:
    """The other network's ADD reclaims the VF by its claim; the Record in the first stateDir stays behind."""
    theirs = one_vf.conf(name="other", vlan=7, stateDir=str(one_vf.root / "state2"))
    assert one_vf.call("ADD", one_vf.conf(vlan=100)).code == 0
    one_vf.kernel.kill_netns(MINE)
    one_vf.kernel.add_pod(MINE)
    assert one_vf.call("ADD", theirs, "c2", OTHERS).code == 0
    seen = one_vf.kernel.snapshot()

    reply = one_vf.call("DEL", one_vf.conf(vlan=100), netns="")

    assert (reply.code, one_vf.kernel.snapshot()) == (0, seen)
    assert one_vf.call("DEL", theirs, "c2", OTHERS).code == 0


def test_delete_goes_through_while_run_is_full(one_vf: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(os, "write", full)

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.snapshot()) == (0, before)


@pytest.mark.parametrize("found", [0, 0x100])
def test_a_promiscuous_pods_vf_is_as_it_was(one_vf: World, found: int) -> None:
    """`tuning` in a chain whose DEL never came, or the pod itself: the flags move along."""
    link_of(one_vf).modes = found
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    link_of(one_vf).modes = 0x200

    assert (one_vf.call("DEL", one_vf.conf()).code, one_vf.snapshot()) == (0, before)


def test_vfs_made_anew_under_a_pod_are_free_and_a_late_delete_spares_their_new_owner(one_vf: World) -> None:
    """numvfs 0 and N again: the pod's interface vanished, and its PCI address is another VF (kernels.md 6.11)."""
    assert one_vf.call("ADD", one_vf.conf(vlan=100, ipam=one_vf.ipam())).code == 0
    pf = one_vf.kernel.pfs[0]
    one_vf.kernel.change_numvfs(pf, 0)
    one_vf.kernel.change_numvfs(pf, 1)
    assert one_vf.call("ADD", one_vf.conf(vlan=7), "c2", OTHERS).code == 0
    seen = one_vf.snapshot()

    reply = one_vf.call("DEL", one_vf.conf(ipam=one_vf.ipam()))

    assert (reply.code, one_vf.snapshot()) == (0, seen)
    assert [one_vf.call("DEL", one_vf.conf(), "c2").code, one_vf.files()] == [0, []]


def test_a_netns_path_that_another_pod_has_by_now_is_not_touched(one_vf: World) -> None:
    """cnitool and podman reuse names; the kernel reuses inode numbers, so the identity may be equal too."""
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    identity = one_vf.kernel.pods[MINE].identity
    one_vf.kernel.kill_netns(MINE)
    pod = one_vf.kernel.add_pod(MINE)
    pod.identity = identity
    one_vf.kernel.add_link(pod, "net1").is_up = True
    seen = pod.snapshot()

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, pod.snapshot(), one_vf.files()) == (0, seen, [])
    assert one_vf.kernel.snapshot()["host"] == before["kernel"]["host"]


@pytest.mark.parametrize(
    "bad", [{"logFile": "/run/\ud800"}, {"logLevel": 7}, {"verifyTimeout": "x"}, {"vlan": 5000}]
)
def test_a_conf_edited_to_nonsense_does_not_make_a_pod_undeletable(
    one_vf: World, bad: dict[str, Any]
) -> None:
    before = one_vf.snapshot()
    assert one_vf.call("ADD", one_vf.conf()).code == 0
    assert one_vf.call("DEL", one_vf.conf(**bad)).code == 0
    assert one_vf.snapshot() == before


def count_files_as_effects(world: World, patch: pytest.MonkeyPatch) -> None:
    """From here on a crash can fall before or after each change of a file too."""
    for name in ("unlink", "rename", "link", "symlink", "mkdir"):
        patch.setattr(os, name, as_effect(world, name, getattr(os, name)))


def as_effect(world: World, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **keys: Any) -> Any:
        done: list[Any] = []
        if not ours(world, args):
            return real(*args, **keys)
        world.kernel.effect(f"{name} {args}", lambda: done.append(real(*args, **keys)))
        return done[0]

    return call


def ours(world: World, args: tuple[Any, ...]) -> bool:
    paths = [arg for arg in args if isinstance(arg, str)]
    frozen = any(".at-crash" in path for path in paths)  # the fake's own copying
    return not frozen and any(path.startswith(str(d)) for d in world.kernel.durable for path in paths)


def calls_until_done(root: Path, verbs: list[str]) -> int:
    """How many effects the last verb has, files included."""
    world = a_world(root)
    with pytest.MonkeyPatch.context() as patch:
        count_files_as_effects(world, patch)
        for verb in verbs:
            before = len(world.kernel.effects)
            assert world.call(verb, full_conf(world)).code == 0
    return len(world.kernel.effects) - before


def die(world: World, verb: str, k: int, when: str) -> None:
    """It lives where effect k finds nothing to do (an unlink of what is not there has no "after")."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash):
        count_files_as_effects(world, patch)
        world.kernel.crash_at(k, when)
        world.call(verb, full_conf(world))
    world.kernel.restart()


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_delete_after_death_between_any_two_file_operations_never_touches_the_next_owner(
    tmp_path: Path, verb: str
) -> None:
    """The dead call may have left a Record whose VF is free by now; another pod takes it, then the runtime says DEL."""
    verbs = ["ADD"] if verb == "ADD" else ["ADD", "DEL"]
    for k in range(calls_until_done(tmp_path / "count", verbs)):
        world = a_world(tmp_path / str(k))
        before = world.snapshot()
        if verb == "DEL":
            assert world.call("ADD", full_conf(world)).code == 0
        die(world, verb, k, "after")
        theirs = world.conf(vlan=7, ipam=world.ipam())
        taken = world.call("ADD", theirs, "c2", OTHERS).code == 0
        seen = world.kernel.snapshot()

        reply = world.call("DEL", full_conf(world))

        assert reply.code == 0, f"effect {k}: {reply.text}"
        if taken:
            assert world.kernel.snapshot() == seen, f"effect {k} {world.kernel.effects[k]}"
            assert world.call("DEL", theirs, "c2", OTHERS).code == 0
        assert world.snapshot() == before, f"effect {k}"


def test_killed_calls_leave_no_temporary_file(tmp_path: Path) -> None:
    for k in range(calls_until_done(tmp_path / "count", ["ADD"])):
        for when in ("before", "after"):
            world = a_world(tmp_path / f"{k}{when}")
            before = world.snapshot()
            die(world, "ADD", k, when)

            reply = world.call("DEL", full_conf(world))

            # a claim's is in /run, and the next claim of that VF takes its place; so it is with the store's
            left = [file for file in world.files() if not file.startswith("run/claims/.tmp-")]
            left = [file for file in left if not file.endswith("owners/.tmp")]
            assert (reply.code, left, world.kernel.snapshot()) == (0, [], before["kernel"]), (
                f"effect {k} {when}"
            )
