"""Whether the netns of an attachment lives: what is looked at, and what is no proof."""

from __future__ import annotations

import pytest

from cni_sriov.vf import netnslife
from cni_sriov.words.domain import Attachment
from cni_sriov.words.record import Record
from tests.unit.ctl.tool import host
from tests.world import FakeHost, World

POD = "/run/netns/pod1"


def of(world: World, path: str = POD) -> Record:
    pod = world.kernel.pods[POD]
    who = Attachment("c1", "net1")
    return Record(
        who, "fast", "", "0000:01:10.0", 0, path, [*pod.identity], world.boot_id, netns_cookie=pod.cookie
    )


def is_over(world: World, record: Record) -> bool:
    return netnslife.is_over(host(world), record)


def test_it_lives_at_its_path_and_wherever_else_it_is_found(world: World) -> None:
    assert not is_over(world, of(world))
    assert not is_over(world, of(world, "/run/netns/removed"))


def test_it_is_over_when_nothing_has_its_number(world: World) -> None:
    record = of(world)
    world.kernel.kill_netns(POD)

    assert is_over(world, record)


def test_the_next_one_with_its_number_is_another_by_its_cookie(world: World) -> None:
    record = of(world)
    world.kernel.kill_netns(POD)
    again = world.kernel.add_pod(POD)
    assert [*again.identity] == record.netns_identity

    assert is_over(world, record)
    record.netns = "/run/netns/removed"
    assert is_over(world, record)
    record.netns_cookie = 0  # Linux before 5.14
    assert not is_over(world, record)


def test_what_cannot_be_seen_is_no_proof(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = of(world)
    world.kernel.kill_netns(POD)
    monkeypatch.setattr(FakeHost, "live_netns", lambda _: {0: ["12"]})

    assert not is_over(world, record)
    record.netns_identity = []
    monkeypatch.undo()
    assert not is_over(world, record)
