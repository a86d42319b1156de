"""What is shown of a cluster: this node's part by its files, the engine's by the engine."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from cni_sriov.ctl.cluster import look
from cni_sriov.words.cluster import Holder
from cni_sriov.words.inet import parse_prefix
from tests.unit.ctl.cluster.rack import POOL, Rack, RackNode, rack
from tests.unit.ctl.pooled import Clusters

__all__ = ["rack"]  # a fixture


def shown(node: RackNode) -> look.Look:
    found = look.local(node.host, "rack", node.data_dir)
    look.of_engine(found, Clusters(node.name, rack=node.engine), 0.0)
    return found


def test_each_state_of_a_block(rack: Rack) -> None:
    a = rack.node("a1")
    ours, releasing, lost = (a.refill(POOL).claimed[0] for _ in range(3))
    a.lease(str(lost).replace("/20", "/24"))
    rack.cluster.holders[lost] = Holder("9" * 32, "z1", "", 7)
    a.contact()
    a.files.begin_release(releasing)
    claiming = parse_prefix("10.10.0.0/20" if str(ours) != "10.10.0.0/20" else "10.10.240.0/20")
    a.files.intend(claiming, parse_prefix(POOL))

    told = {(one.block, one.state, one.leased, one.holder) for one in shown(a).local}

    expected = {(ours, "ours", 0, ""), (releasing, "releasing", 0, ""), (lost, "lost", 1, "z1")}
    assert expected <= told
    assert any(state == "claiming" for _, state, _, _ in told)


def test_who_has_blocks_and_no_record_is_shown(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    a.refill(POOL)
    b.refill(POOL)
    del rack.cluster.records[b.fingerprint]
    rows = {row.record.node: row for row in shown(a).nodes}
    assert (rows["a1"].blocks, rows["a1"].is_here, rows["a1"].record.fault) == (1, True, "")
    assert (rows["b1"].blocks, rows["b1"].is_here) == (1, False)
    assert "no record" in rows["b1"].record.fault
    oldest = shown(a).oldest
    assert oldest is not None
    assert oldest.record.node == "a1"


def test_each_nodes_blocks_are_told(rack: Rack) -> None:
    nodes = [rack.node(name) for name in ("a1", "b1")]
    for node in (*nodes, nodes[0]):
        node.refill(POOL)

    told = {row["node"]: {*row["held"]} for row in shown(nodes[1]).to_json()["nodes"]}

    assert {name: len(those) for name, those in told.items()} == {"a1": 2, "b1": 1}
    for block, holder in rack.cluster.holders.items():
        assert str(block) in told[holder.node]


@pytest.mark.parametrize("is_here", [True, False])
def test_how_full_a_node_is_counts_what_it_has_claimed_since_it_said_so(rack: Rack, is_here: bool) -> None:
    """Its record is written before the claim. Of 16 subnets in a block of /20 two are gone."""
    a = rack.node("a1")
    looking = a if is_here else rack.node("b1")
    block = str(a.refill(POOL).claimed[0])
    assert full(looking) == [(1, 0, 16)], "it never said that it has one"

    for subnet in [*ip_network(block).subnets(new_prefix=24)][:2]:
        a.lease(str(subnet))
    other = str(a.refill("fd00:10::/48", length=60, prefix_length=64).claimed[0])
    assert full(looking) == [(2, 2, 32)]
    a.lease(other.replace("/60", "/64"))
    a.refill(POOL)
    a.drop("c" + other.partition("/")[0])
    assert full(looking) == [(3, 2 if is_here else 3, 48)]
    a.release()
    assert full(looking) == [(1, 2 if is_here else 3, 16)]


def full(node: RackNode) -> list[tuple[int, int, int]]:
    return [(row.blocks, row.leased, row.capacity) for row in shown(node).nodes]


def test_a_record_that_does_not_say_how_a_pool_is_cut_is_taken_at_its_word(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    a.contact()
    rack.cluster.records[a.fingerprint][0].cut = {}
    assert full(rack.node("b1")) == [(1, 0, 16)]


def test_a_holder_that_cannot_be_read_is_told(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    rack.cluster.holders[parse_prefix("10.10.240.0/20")] = Holder(
        "", "", "", 0, "blocks/x is not as we write it"
    )
    found = shown(a)
    assert found.faults == ["blocks/x is not as we write it"]
    assert found.pools[0].taken == len(rack.cluster.holders)


def test_files_that_are_damaged_are_told(rack: Rack) -> None:
    a = rack.node("a1")
    block = str(a.refill(POOL).claimed[0])
    (a.root / "clusters/rack/blocks" / block.replace("/", "_")).write_text("{")
    (a.root / "clusters/rack/contact").write_text("{")
    found = shown(a)
    assert [str(one.block) for one in found.local] == [block]
    assert len(found.damaged) == 2
    assert found.error is None
