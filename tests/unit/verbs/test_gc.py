"""GC: what the runtime no longer knows is given back, of this network only, and every error is told."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from cni_sriov.state.lock import Lock
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import KernelRefused
from tests.unit.verbs.calls import NEW, attach, gc, held
from tests.world import World


def test_gc_gives_back_what_the_runtime_no_longer_knows(world: World) -> None:
    before = world.snapshot()
    attach(world, "c1", "c2", "c3", vlan=100)

    assert gc(world, "c2").code == 0

    assert held(world) == {"c2@net1"}
    assert world.call("DEL", world.conf(), "c2").code == 0
    for container in ("c1", "c2", "c3"):
        del world.kernel.pods[f"/run/netns/{container}"]
    assert world.snapshot() == before


def test_gc_is_for_this_network_only(world: World) -> None:
    attach(world, "c1", name="fast")
    attach(world, "c2", name="slow")
    assert gc(world).code == 0
    assert held(world) == {"c2@net1"}


NULL = {"cni.dev/valid-attachments": None, "cni.dev/attachments": None}  # libcni with a nil slice: ocicni's


@pytest.mark.parametrize("missing", [{}, NULL, {"cni.dev/valid-attachments": None}])
def test_gc_without_a_list_never_means_delete_all(world: World, missing: dict[str, Any]) -> None:
    attach(world, "c1")
    conf = world.conf(**NEW, ipam=world.ipam()) | missing
    assert world.call("GC", conf, "", "", "").code == 0
    assert held(world) == {"c1@net1"}


@pytest.mark.parametrize("missing", [{}, NULL])
def test_gc_without_a_list_takes_back_what_is_dead(world: World, missing: dict[str, Any]) -> None:
    attach(world, "c1", "c2")
    attach(world, "c3", name="slow")
    for container in ("c2", "c3"):
        world.kernel.kill_netns(f"/run/netns/{container}")
    assert world.call("GC", world.conf(**NEW, ipam=world.ipam()) | missing, "", "", "").code == 0
    assert held(world) == {"c1@net1", "c3@net1"}


def test_gc_with_an_empty_list_means_all_of_the_network(world: World) -> None:
    """What Multus sends (gatherValidAttachmentsFromCache makes a list that is not nil)."""
    attach(world, "c1")
    assert gc(world).code == 0
    assert held(world) == set()


def test_gc_keeps_the_union_of_both_keys(world: World) -> None:
    attach(world, "c1", "c2", "c3")
    old = {"cni.dev/attachments": [{"containerID": "c3", "ifname": "net1"}]}
    assert gc(world, "c1", **old).code == 0
    assert held(world) == {"c1@net1", "c3@net1"}


@pytest.mark.parametrize(
    "bad", [{}, "c1", 7, True, [1], [{}], [{"containerID": "c1"}], [{"containerID": 1, "ifname": "a"}]]
)
def test_gc_with_a_malformed_list_touches_nothing(world: World, bad: Any) -> None:
    attach(world, "c1")
    assert gc(world, **{"cni.dev/valid-attachments": bad}).code == 7
    assert held(world) == {"c1@net1"}


def test_gc_goes_on_past_errors_and_tells_all(world: World) -> None:
    attach(world, "c1", "c2", vlan=100)

    def refused(*_: object) -> None:
        raise KernelRefused("set vf vlan", errno.EIO)

    world.kernel.before("set_vf_vlan", refused)

    failed = gc(world)

    assert failed.code == 11
    assert "c1/net1" in failed.text
    assert held(world) == {"c1@net1"}
    assert gc(world).code == 0
    assert held(world) == set()


def test_gc_leaves_alone_what_a_running_call_holds(world: World) -> None:
    attach(world, "c1")

    lock = Lock(str(world.run_dir / "locks" / Attachment("c1", "net1").filename), "ADD")
    lock.acquire(0)
    assert gc(world).code == 0
    assert held(world) == {"c1@net1"}
    lock.release()
