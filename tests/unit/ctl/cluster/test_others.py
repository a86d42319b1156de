"""An operator's word on another node."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.cluster import others
from cni_sriov.words.cluster import NodeRecord
from cni_sriov.words.errors import BadConfig
from tests.unit.ctl.cluster.rack import POOL, Effects, Killed, Rack, RackNode, rack, watched

__all__ = ["rack"]  # a fixture


def look(node: RackNode, word: str) -> others.Meant:
    return others.look(node.engine, "rack", word)


def test_a_node_is_drained_and_that_is_ended(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    a.refill(POOL)
    b.contact()
    assert others.drain(b.engine, "rack", "a1", True).draining
    assert others.drain(b.engine, "rack", "a1", True).draining
    assert len(a.contact().given) == 1
    others.drain(b.engine, "rack", a.fingerprint[:12], False)
    assert len(a.refill(POOL).claimed) == 1
    assert a.notes == []


def test_whoever_is_in_contact_at_that_moment_is_drained_all_the_same(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    a.contact()
    put = b.engine.put_node

    def late(record: NodeRecord, version: str) -> bool:
        b.engine.put_node = put  # type: ignore[method-assign]
        a.contact()
        return put(record, version)

    b.engine.put_node = late  # type: ignore[method-assign]
    others.drain(b.engine, "rack", "a1", True)
    assert a.contact().record.draining
    assert a.notes == []


def test_who_is_unknown_or_called_as_another(rack: Rack) -> None:
    a = rack.node("a1")
    twin = RackNode(rack.root / "twin", rack.cluster, "a1", "5" * 64)
    for node in (a, twin):
        node.contact()
    with pytest.raises(BadConfig, match="has none of that name"):
        others.drain(a.engine, "rack", "b1", True)
    with pytest.raises(BadConfig, match="2 of cluster rack are called so") as caught:
        look(a, "a1")
    assert a.fingerprint in caught.value.details
    assert twin.fingerprint in caught.value.details
    assert look(a, twin.fingerprint).record.machine == "5" * 64


def test_a_record_that_cannot_be_read_is_not_written_over(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    rack.cluster.records[a.fingerprint][0].fault = "nodes/1 is not as cni-sriov writes it"
    with pytest.raises(BadConfig, match="not as cni-sriov writes it"):
        others.drain(a.engine, "rack", "a1", True)


def test_what_a_dead_node_had_is_free(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    mine = sorted(str(a.refill(POOL).claimed[0]) for _ in range(3))
    b.refill(POOL)
    meant = look(b, "a1")
    assert sorted(map(str, meant.blocks)) == mine
    others.refuse_living(b.member(), meant, False)
    assert sorted(map(str, others.forget(b.engine, meant))) == mine
    assert len(rack.cluster.holders) == 1
    assert [record.node for record in b.engine.nodes()] == ["b1"]


@pytest.mark.parametrize("after", [False, True])
def test_who_stops_in_between_says_it_again(rack: Rack, after: bool) -> None:
    for number in range(5):  # the right to it is asked for, three blocks, the record
        a, b = rack.node(f"a{number}"), rack.node("b1")
        for _ in range(3):
            a.refill(POOL)
        effects = Effects(number, after)
        with watched(effects), pytest.raises(Killed):
            others.forget(effects.engine(b.engine), look(b, a.name))
        if (number, after) != (4, True):
            others.forget(b.engine, look(b, a.name))
        assert (rack.held(a), rack.cluster.records.get(a.fingerprint)) == ([], None)


def test_a_node_of_which_blocks_alone_are_known_is_told_by_them(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    rack.cluster.records.clear()
    meant = look(rack.node("b1"), "a1")
    assert (meant.record.fingerprint, len(meant.blocks)) == (a.fingerprint, 1)


def test_one_is_not_forgotten_by_itself(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    with pytest.raises(BadConfig, match="it is this one"):
        others.refuse_living(a.member(), look(a, "a1"), True)


def test_what_this_machine_was_before_is_not_forgotten_while_it_is_in_use_here(rack: Rack) -> None:
    """The remedy of a lost token, in the wrong order."""
    before = rack.node("a1")
    block = str(before.refill(POOL).claimed[0])
    container = before.lease(block.replace("/20", "/24"))
    now = RackNode(rack.root / "a1", rack.cluster, "a1")
    old = before.fingerprint
    (rack.root / "a1/clusters/rack").rename(rack.root / "gone")
    now.contact()

    with pytest.raises(BadConfig, match=f"subnets of {block} are leased here") as caught:
        others.refuse_living(now.member(), look(now, old), True)

    assert "sriovctl leases" in caught.value.details
    now.drop(container)
    others.refuse_living(now.member(), look(now, old), True)


@pytest.mark.parametrize(
    ("dead", "force", "refused"), [(False, False, True), (False, True, False), (True, False, False)]
)
def test_a_node_that_is_there_is_forgotten_by_force_alone(
    rack: Rack, dead: bool, force: bool, refused: bool
) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    a.contact()
    rack.cluster.dead[a.fingerprint] = dead
    meant = look(b, "a1")
    assert meant.is_dead is dead
    if refused:
        with pytest.raises(BadConfig, match="its Node is there"):
            others.refuse_living(b.member(), meant, force)
    else:
        others.refuse_living(b.member(), meant, force)
