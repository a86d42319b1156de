"""Blocks that go back: empty ones, seen to be so under the lock of the leases."""

from __future__ import annotations

import os
import threading
from ipaddress import ip_network

import pytest

from cni_sriov.ctl.cluster import giving
from cni_sriov.leases.transaction import Transaction
from cni_sriov.words.cluster import Holder
from cni_sriov.words.errors import InputOutput
from cni_sriov.words.inet import parse_prefix
from tests.unit.ctl.cluster.rack import BOOT, POOL, Rack, RackNode, rack

__all__ = ["rack"]  # a fixture


def filled(rack: Rack, count: int = 2) -> tuple[RackNode, list[str]]:
    a = rack.node("a1")
    return a, [str(a.refill(POOL).claimed[0]) for _ in range(count)]


def first(block: str) -> str:
    return str(next(ip_network(block).subnets(new_prefix=24)))


@pytest.mark.parametrize(
    "where", ["default", "another scope", "another dataDir", "longer", "sticky", "foreign"]
)
def test_a_block_with_a_lease_of_whatever_kind_stays(rack: Rack, where: str) -> None:
    a, (used, empty) = filled(rack)
    data = a.root / "data/blue/sticky/leases"
    match where:
        case "another scope":
            a.lease(first(used), scope="blue")
        case "another dataDir":
            a.lease(first(used), data_dir=str(a.root / "elsewhere"))
        case "longer":
            a.lease(first(used).replace("/24", "/30"))
        case "sticky":  # of an earlier boot, in a directory that nobody has used in this one
            data.mkdir(parents=True, mode=0o700)
            (data / first(used).replace("/", "_")).write_text("what is in it does not matter")
        case "foreign":  # of this boot, though nobody registered the directory
            data = a.root / f"data/blue/{BOOT}/leases"
            data.mkdir(parents=True, mode=0o700)
            (data / first(used).replace("/", "_")).write_text("")
        case _:
            a.lease(first(used))
    os.makedirs(a.data_dir, mode=0o700, exist_ok=True)
    for path in (a.root / "data").rglob("*"):
        if path.is_dir():
            path.chmod(0o700)

    assert a.release() == [empty]
    assert a.blocks == [used]
    rack.audit()


def test_leases_that_cannot_be_seen_are_not_taken_for_none(rack: Rack) -> None:
    a, blocks = filled(rack)
    (a.root / "data/blue").mkdir(parents=True)
    (a.root / "data/blue" / BOOT / "leases").mkdir(parents=True)
    (a.root / "data/blue").chmod(0o777)
    with pytest.raises(InputOutput, match="others can write"):
        a.release()
    assert a.blocks == sorted(blocks)


def test_only_what_is_meant(rack: Rack) -> None:
    a, blocks = filled(rack, 3)
    with a.files.lock("test"):
        assert [
            *map(str, giving.give_back(a.member(), [parse_prefix(blocks[1]), parse_prefix("10.99.0.0/20")]))
        ] == [blocks[1]]
    assert a.blocks == sorted([blocks[0], blocks[2]])


def test_no_lease_is_made_between_the_look_and_the_rename(
    rack: Rack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ADD that comes then waits for the lock, and finds a block that is ours no more."""
    a, (block,) = filled(rack, 1)
    events: list[str] = []
    add = threading.Thread(target=lambda: _add(a, events))
    empty = giving.empty

    def look(member: object) -> object:
        found = empty(member)  # type: ignore[arg-type]
        add.start()
        add.join(0.3)
        events.append("looked")
        return found

    monkeypatch.setattr(giving, "empty", look)
    monkeypatch.setattr("signal.setitimer", lambda *_: None)  # of the main thread alone
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert a.release() == [block]
    add.join()
    assert events == ["looked", "ours: []"]


def _add(node: RackNode, events: list[str]) -> None:
    from cni_sriov.ipam import own
    from cni_sriov.words.lease import LeaseDir

    with own.store(node.host, LeaseDir(node.data_dir, "default")).transaction("add") as transaction:
        assert isinstance(transaction, Transaction)
        events.append(f"ours: {node.blocks}")


def test_what_another_has_by_now_is_left_to_him(rack: Rack) -> None:
    a, (block,) = filled(rack, 1)
    rack.cluster.holders[parse_prefix(block)] = Holder("9" * 32, "z1", "", 0)
    assert a.release() == [block]
    assert rack.cluster.holders[parse_prefix(block)].node == "z1"
    assert (a.blocks, a.directory("releasing")) == ([], [])
