"""What is kept for a pod between its containers: found by its key alone, and of a full pool the oldest go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cni_sriov.leases import sticky
from cni_sriov.leases.node import Node
from cni_sriov.leases.store import Store
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.lease import Choice
from cni_sriov.words.log import Log
from tests.unit.leases.kept import a_dir, a_holding, a_lease, a_node, begin, take

POOL, FIRST, SECOND, THIRD = parse_prefix("10.10.0.0/16"), "10.10.0.0/24", "10.10.1.0/24", "10.10.2.0/24"
WEB, DB = "fast/default/web/net1", "fast/default/db/net1"


def leave(root: Path, node: Node, key: str, subnet: str) -> None:
    """A container of that pod came and went."""
    with begin(root, node) as there:
        take(there, "gone", subnet, key)
    with begin(root, node) as there:
        there.release("gone@net1")


def test_it_waits_for_its_pod_and_for_no_other(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    leave(tmp_path, node, WEB, FIRST)

    for key, kept in ((WEB, [FIRST]), (DB, [])):
        with begin(tmp_path, node) as there:
            assert there.conflict(parse_prefix(FIRST)), "nobody else gets it"
            assert sticky.find(there, key)
            assert [lease.subnet for lease in there.kept] == kept


def test_in_anothers_hands_it_is_not_given_twice(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    with begin(tmp_path, node) as there:
        take(there, "lives", FIRST, WEB)

    with begin(tmp_path, node) as there:
        assert (sticky.find(there, WEB), there.kept) == (False, [])
    assert "sticky lease is in use" in (tmp_path / "log").read_text()


def test_two_keys_of_one_file_name_cannot_take_each_others_lease(tmp_path: Path) -> None:
    """A "/" and an "@" are the same in the name; the lease holds the whole key."""
    node = a_node(tmp_path)
    leave(tmp_path, node, "fast/default/web", FIRST)

    with begin(tmp_path, node) as there:
        assert (sticky.find(there, "fast@default/web"), there.kept) == (False, [])


def test_of_a_full_pool_the_one_that_waits_longest_goes(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    for key, subnet in ((WEB, FIRST), (DB, SECOND)):
        leave(tmp_path, node, key, subnet)
    with begin(tmp_path, node) as there:
        take(there, "lives", THIRD, "fast/default/third/net1")
    owners = tmp_path / "data/default/sticky/owners"
    for name, age in (
        ("fast@default@web@net1", 200),
        ("fast@default@db@net1", 300),
        ("fast@default@third@net1", 900),
    ):
        os.utime(owners / name, (10**9 - age, 10**9 - age))

    with begin(tmp_path, node) as there:
        left = []
        while sticky.give_up(there, [POOL]):
            left.append([there.conflict(parse_prefix(subnet)) for subnet in (FIRST, SECOND, THIRD)])

    assert left == [[True, False, True], [False, False, True]], "who has his keeps it"


def test_what_is_in_no_pool_of_this_network_is_left_alone(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    leave(tmp_path, node, WEB, FIRST)

    with begin(tmp_path, node) as there:
        assert not sticky.give_up(there, [parse_prefix("10.11.0.0/16"), parse_prefix("fd00::/48")])
        assert there.conflict(parse_prefix(FIRST))


def age(root: Path, key: str, seconds: int) -> None:
    """As if it had been released so long ago: an owner and its leases are one inode."""
    then = time.time() - seconds
    os.utime(root / "data/default/sticky/owners" / key.replace("/", "@"), (then, then))


def leave_for(root: Path, node: Node, key: str, subnet: str, lifetime: int) -> None:
    with begin(root, node) as there:
        holding = a_holding("gone")
        holding.lifetime = lifetime
        assert there.take(holding, Choice([a_lease(subnet)], {}), key)
    with begin(root, node) as there:
        there.release("gone@net1")


def test_of_a_full_pool_those_go_first_whose_time_is_over(tmp_path: Path) -> None:
    """Also before one that waits longer, and has no end; and all of them."""
    node = a_node(tmp_path)
    for key, subnet, lifetime, waited in (
        (WEB, FIRST, 0, 900),
        (DB, SECOND, 60, 61),
        ("f/d/x/net1", THIRD, 60, 62),
    ):
        leave_for(tmp_path, node, key, subnet, lifetime)
        age(tmp_path, key, waited)

    with begin(tmp_path, node) as there:
        assert sticky.give_up(there, [POOL], may_be_over=True)
        assert there.sticky.names() == ["10.10.0.0_24"]
        assert sticky.give_up(there, [POOL], may_be_over=True)
        assert there.sticky.names() == []


@pytest.mark.parametrize(("waited", "over"), [(0, False), (59, False), (61, True), (-3600, False)])
def test_its_time_counts_from_the_release(tmp_path: Path, waited: int, over: bool) -> None:
    """A clock that was set back makes nobody lose anything."""
    node = a_node(tmp_path)
    leave_for(tmp_path, node, WEB, FIRST, 60)
    age(tmp_path, WEB, waited)
    store = Store(node, a_dir(tmp_path), Log("none"))
    (kept,) = store.kept()

    assert store.is_over(kept) == over
    assert store.forget_kept(kept, only_if_over=True) == over
    assert store.forget_kept(kept) != over


def comes_back(tmp_path: Path, node: Node, lifetime: int) -> None:
    """The pod, with that lifetime in its network by now."""
    with begin(tmp_path, node) as there:
        assert sticky.find(there, WEB)
        holding = a_holding("back")
        holding.lifetime = lifetime
        assert there.take(holding, Choice(there.kept, {}), WEB)


def test_an_attached_ones_time_does_not_run(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    leave_for(tmp_path, node, WEB, FIRST, 60)
    comes_back(tmp_path, node, 60)
    age(tmp_path, WEB, 100)
    store = Store(node, a_dir(tmp_path), Log("none"))

    (kept,) = store.kept()
    assert not store.is_over(kept)
    with begin(tmp_path, node) as there:
        there.release("back@net1")
    assert not store.is_over(kept), "it counts from now"


def test_another_lifetime_is_written_when_the_pod_is_back(tmp_path: Path) -> None:
    node = a_node(tmp_path)
    leave_for(tmp_path, node, WEB, FIRST, 0)
    comes_back(tmp_path, node, 7)

    (kept,) = Store(node, a_dir(tmp_path), Log("none")).kept()
    assert (kept.lifetime, kept.attachment) == (7, None)
