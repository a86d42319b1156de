"""A contact, on nodes with real files and an engine in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cni_sriov.conf import hostsubnet
from cni_sriov.ctl.cluster import contact, others
from cni_sriov.ctl.cluster.engine import EngineAway, EngineRefused
from cni_sriov.ipam import shared
from cni_sriov.state.blocks import LostToken
from cni_sriov.words.cluster import Definition, Holder, NodeRecord
from cni_sriov.words.errors import BadConfig, TryAgain
from cni_sriov.words.inet import parse_prefix
from tests.unit.ctl.cluster.rack import POOL, Rack, RackNode, rack

__all__ = ["rack"]  # a fixture


def record_of(node: RackNode) -> NodeRecord:
    return node.cluster.records[node.fingerprint][0]


def other(block: str) -> tuple[object, Holder]:
    return parse_prefix(block), Holder("9" * 32, "z1", "", 7)


# who we are -----------------------------------------------------------------------------------------------------------


def test_the_first_contact_makes_a_record_and_each_later_one_another_nonce(rack: Rack) -> None:
    a = rack.node("a1")
    nonces = []
    for _ in range(3):
        a.contact()
        record = record_of(a)
        nonces.append(record.nonce)
        assert (record.node, record.machine, a.notes) == ("a1", a.machine, [])
    assert len(set(nonces)) == 3
    known = json.loads((a.root / "clusters/rack/contact").read_text())
    assert (known["nonces"], known["pending"]) == (nonces, "")
    assert known["record"]["nonce"] == nonces[-1]
    assert a.files.was_contacted()


def test_how_full_it_is_stands_in_the_record(rack: Rack) -> None:
    a = rack.node("a1")
    block = a.refill(POOL).claimed[0]
    first = str(block).replace("/20", "/24")
    a.lease(first)
    a.contact()
    assert record_of(a).fill == {POOL: [1, 1, 16]}


def test_a_node_that_is_renamed_stops_until_its_file_says_who_it_is(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    a.name = "b1"
    with pytest.raises(contact.Stopped, match="is node a1 there, and is called b1 now") as caught:
        a.refill(POOL)
    assert '"node": "a1" in /etc/cni-sriov/clusters/rack.json' in caught.value.details
    assert f"`rm -r {a.root}/clusters/rack`" in caught.value.details
    assert (a.files.is_stopped(), a.files.was_contacted()) == (True, False)
    a.name = "a1"  # what the first remedy comes to
    assert len(a.refill(POOL).claimed) == 1
    assert (a.files.is_stopped(), a.files.was_contacted()) == (False, True)
    rack.audit()


def copy_of(rack: Rack, source: RackNode, name: str, machine: str = "") -> RackNode:
    """A clone of its image, as it is now."""
    copy = RackNode(rack.root / f"copy-{name}", rack.cluster, name, machine or source.machine)
    shutil.copytree(source.root / "clusters", copy.root / "clusters")
    return copy


@pytest.mark.parametrize("name", ["a1", "b1"])
@pytest.mark.parametrize("machine", ["", "7" * 64])
@pytest.mark.parametrize("has_blocks", [True, False])
def test_a_copied_image_is_stopped_and_is_a_node_of_its_own_without_the_files(
    rack: Rack, name: str, machine: str, has_blocks: bool
) -> None:
    """By name, by machine-id, or, where it is perfect, as soon as both have been in contact: whoever comes second."""
    a = rack.node("a1")
    a.refill(POOL) if has_blocks else a.contact()
    copy = copy_of(rack, a, name, machine)
    a.contact()
    before = dict(rack.cluster.holders)

    with pytest.raises(contact.Stopped) as caught:
        copy.refill(POOL)

    assert rack.cluster.holders == before
    failure = copy.files.failure()
    assert failure is not None
    assert failure.msg == caught.value.msg
    remedy = f"rm -r {copy.root}/clusters/rack"
    assert f"`{remedy}` here" in caught.value.details
    shutil.rmtree(remedy.removeprefix("rm -r "))
    copy.name = "a2"
    assert len(copy.refill(POOL).claimed) == 1
    a.contact()
    rack.nodes["copy"] = copy
    rack.audit()


def test_of_two_perfect_copies_one_is_stopped_whoever_it_is(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    copy = copy_of(rack, a, "a1")
    copy.contact()
    with pytest.raises(contact.Stopped, match="another machine has spoken to it as a1 since"):
        a.contact()
    copy.contact()


def test_two_copies_at_one_moment_do_not_both_come_through(rack: Rack) -> None:
    """Both have read the same record: the second's write fails, and what it then reads is not its own."""
    a = rack.node("a1")
    a.contact()
    copy = copy_of(rack, a, "a1")
    put = a.engine.put_node

    def late(record: NodeRecord, version: str) -> bool:
        a.engine.put_node = put  # type: ignore[method-assign]
        copy.contact()
        return put(record, version)

    a.engine.put_node = late  # type: ignore[method-assign]
    with pytest.raises(contact.Stopped):
        a.contact()


def test_an_answer_that_is_lost_stops_nobody(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    for _ in range(3):
        a.engine.lose_answer("put_node")
        with pytest.raises(EngineAway):
            a.contact()
        a.contact()
        assert a.notes == []


def test_a_record_that_changes_behind_a_lost_answer_stops_nobody(rack: Rack) -> None:
    """What we wrote was done, an operator drains the node, and only then our second question loses."""
    a = rack.node("a1")
    a.contact()
    put = a.engine.put_node

    def lose(record: NodeRecord, version: str) -> bool:
        a.engine.put_node = put  # type: ignore[method-assign]
        assert put(record, version)
        others.drain(a.engine, "rack", "a1", True)
        return put(record, version)

    a.engine.put_node = lose  # type: ignore[method-assign]
    assert a.contact().record.draining
    assert (record_of(a).draining, a.notes) == (True, [])
    a.contact()


def held_up(node: RackNode) -> list[tuple[NodeRecord, str]]:
    """What the node writes of itself from now on, which nobody answers."""
    late = []

    def hold(record: NodeRecord, version: str) -> bool:
        late.append((record, version))
        raise EngineAway("ask", "no answer")

    node.engine.put_node = hold  # type: ignore[method-assign]
    return late


def test_a_write_that_arrives_late_stops_nobody(rack: Rack) -> None:
    """The contact after the one that went unanswered has a nonce of its own, and the earlier one comes in between."""
    a = rack.node("a1")
    a.contact()
    put, late = a.engine.put_node, held_up(a)
    with pytest.raises(EngineAway):
        a.contact()

    def after_the_late_one(record: NodeRecord, version: str) -> bool:
        if late:
            put(*late.pop())
        return put(record, version)

    a.engine.put_node = after_the_late_one  # type: ignore[method-assign]
    a.contact()
    a.contact()


def test_a_write_that_arrives_after_the_next_process_was_killed_stops_nobody(rack: Rack) -> None:
    """It had written down a nonce of its own, and told nobody: the earlier one is ours all the same."""
    a = rack.node("a1")
    a.contact()
    put, late = a.engine.put_node, held_up(a)
    for _ in range(2):
        with pytest.raises(EngineAway):
            a.contact()
    a.engine.put_node = put  # type: ignore[method-assign]
    assert put(*late[0])

    a.contact()
    assert a.notes == []


def test_whoever_drains_at_that_moment_is_heard(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    put = a.engine.put_node

    def meanwhile(record: NodeRecord, version: str) -> bool:
        a.engine.put_node = put  # type: ignore[method-assign]
        drained, now = a.engine.node(a.fingerprint)
        assert drained is not None
        drained.draining = True
        assert put(drained, now)
        return put(record, version)

    a.engine.put_node = meanwhile  # type: ignore[method-assign]
    assert a.contact().record.draining
    assert record_of(a).draining
    assert a.notes == []


@pytest.mark.parametrize("contacts", [1, 5, 70])
def test_an_engine_from_a_backup_of_any_age_is_gone_on_with(rack: Rack, contacts: int) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    backup = rack.cluster.backup()
    for _ in range(contacts):
        a.contact()
    a.refill(POOL)
    rack.cluster.restore(backup)

    a.contact()

    assert any("restored from an older backup" in note for note in a.notes)
    assert len(rack.held(a)) == 2
    rack.audit()


def test_an_engine_that_forgot_us_is_told_again(rack: Rack) -> None:
    a = rack.node("a1")
    empty = rack.cluster.backup()
    a.refill(POOL)
    rack.cluster.restore(empty)
    a.contact()
    assert any("knows this node no more" in note for note in a.notes)
    assert [str(pool.subnet) for pool in rack.cluster.pools] == [POOL]
    rack.audit()


def test_without_its_token_a_node_stops_and_says_what_helps(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    mine, held = a.fingerprint, rack.held(a)
    (a.root / "clusters/rack/token").unlink()
    with pytest.raises(LostToken) as caught:
        a.contact()
    assert f"`sriovctl pool forget --cluster rack {mine}`" in caught.value.details
    assert a.blocks == held, "what is there is cut from as before"

    (a.root / "clusters/rack/token").write_text("0" * 32 + "\n")
    with pytest.raises(LostToken, match="claimed by another") as caught:
        a.contact()
    assert f"`sriovctl pool forget --cluster rack {mine}`" in caught.value.details


def test_a_contact_file_that_cannot_be_read_is_not_taken_for_none(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    (a.root / "clusters/rack/contact").write_text("{")
    with pytest.raises(LostToken):
        a.contact()


def test_a_record_of_ours_that_is_none_is_refused_by_name(rack: Rack) -> None:
    a = rack.node("a1")
    a.contact()
    record_of(a).fault = "nodes/1234 is not as cni-sriov writes it: nonce is 7"
    with pytest.raises(EngineRefused, match="nodes/1234"):
        a.contact()


@pytest.mark.parametrize("now", [0, 1, 1 << 40])
def test_the_clock_decides_nothing(rack: Rack, now: int) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    member = a.member()
    member.now = lambda: now
    with a.files.lock("test"):
        contact.contact(member)
    a.contact()
    assert a.notes == []
    rack.audit()


# pools ----------------------------------------------------------------------------------------------------------------


def test_a_pool_that_another_node_has_otherwise_is_refused_before_anything_is_claimed(rack: Rack) -> None:
    rack.node("a1").refill(POOL)
    b = rack.node("b1")
    for subnet, length in ((POOL, 21), ("10.10.128.0/17", 20), ("10.0.0.0/8", 20)):
        with pytest.raises(BadConfig) as caught:
            b.refill(subnet, length=length)
        assert "a1" in caught.value.msg
        assert "b1" in caught.value.msg
        assert b.files.pools() == []
    assert (b.blocks, len(rack.cluster.holders)) == ([], 1)
    failure = b.files.failure()
    assert failure is not None
    assert failure.code == 7


def test_a_definition_is_written_beside_those_that_come_at_the_same_time(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    define = a.engine.define

    def meanwhile(definitions: list[Definition], version: str) -> bool:
        a.engine.define = define  # type: ignore[method-assign]
        b.refill("10.20.0.0/16")
        return define(definitions, version)

    a.engine.define = meanwhile  # type: ignore[method-assign]
    a.refill(POOL)
    assert sorted(str(pool.subnet) for pool in rack.cluster.pools) == [POOL, "10.20.0.0/16"]


def test_a_used_pool_that_others_have_otherwise_by_now_stays_and_is_told(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    rack.cluster.pools = [Definition(parse_prefix(POOL), 21, "z1", 0)]
    a.contact()
    assert any("blocks of /21" in note for note in a.notes)
    assert len(a.blocks) == 1


def test_a_pool_whose_definition_was_lost_is_not_cut_in_another_way(rack: Rack) -> None:
    """By whoever comes first then: the blocks tell how it is cut."""
    block = str(rack.node("a1").refill(POOL).claimed[0])
    rack.cluster.pools.clear()
    b = rack.node("b1")
    with pytest.raises(BadConfig) as caught:
        b.refill(POOL, length=22)
    assert f"node a1 has block {block}" in caught.value.msg
    assert (b.blocks, rack.cluster.pools) == ([], [])

    b.refill(POOL)
    assert [one.length for one in rack.cluster.pools] == [20]
    rack.audit()


def test_after_all_data_of_the_engine_was_lost_blocks_of_another_length_are_seen(rack: Rack) -> None:
    """And where the node's own configuration is the other one, that is said after its blocks were compared."""
    a, b = rack.node("a1"), rack.node("b1")
    block = a.refill(POOL).claimed[0]
    a.lease(str(block).replace("/20", "/24"))
    for kept in (rack.cluster.holders, rack.cluster.pools, rack.cluster.records):
        kept.clear()
    inside = parse_prefix(str(block).replace("/20", "/22"))
    b.refill(POOL, length=22, block=inside)

    with pytest.raises(BadConfig):
        a.refill(POOL)

    assert (a.blocks, a.directory("lost")) == ([], [str(block)])
    assert any("node b1 has it" in note for note in a.notes)
    assert b.blocks == [str(inside)]


# our blocks -----------------------------------------------------------------------------------------------------------


def test_what_the_engine_has_as_anothers_is_cut_from_no_more(rack: Rack) -> None:
    a = rack.node("a1")
    block = str(a.refill(POOL).claimed[0])
    container = a.lease(block.replace("/20", "/24"))
    rack.cluster.holders.update([other(block)])  # type: ignore[list-item]

    met = a.contact()

    assert [*map(str, met.lost)] == [block]
    assert (a.blocks, a.directory("lost")) == ([], [block])
    assert a.files.lost()[parse_prefix(block)].holder["node"] == "z1"
    assert "node z1 has it" in a.notes[0]

    a.contact()
    assert (a.directory("lost"), a.notes) == ([block], []), "something of this node is in there"
    a.drop(container)
    a.contact()
    assert a.directory("lost") == []
    assert rack.cluster.holders[parse_prefix(block)].node == "z1"


@pytest.mark.parametrize("is_leased", [True, False])
def test_a_lost_block_that_comes_back_is_cut_from_again(rack: Rack, is_leased: bool) -> None:
    a = rack.node("a1")
    block = str(a.refill(POOL).claimed[0])
    a.lease(block.replace("/20", "/24"))
    rack.cluster.holders.update([other(block)])  # type: ignore[list-item]
    a.contact()
    if not is_leased:
        a.drop(f"c{block.partition('/')[0]}")
    del rack.cluster.holders[parse_prefix(block)]

    a.contact()

    assert a.blocks == ([block] if is_leased else [])
    rack.audit()


def test_a_block_that_is_missing_and_quickly_anothers_is_lost(rack: Rack) -> None:
    a = rack.node("a1")
    block = str(a.refill(POOL).claimed[0])
    a.lease(block.replace("/20", "/24"))
    rack.cluster.holders.clear()
    claim = a.engine.claim

    def late(asked: object, holder: Holder) -> Holder:
        rack.cluster.holders.update([other(block)])  # type: ignore[list-item]
        return claim(asked, holder)  # type: ignore[arg-type]

    a.engine.claim = late  # type: ignore[assignment,method-assign]
    assert [*map(str, a.contact().lost)] == [block]
    assert a.blocks == []


def test_what_is_damaged_in_blocks_stays_ours(rack: Rack) -> None:
    a = rack.node("a1")
    block = str(a.refill(POOL).claimed[0])
    (a.root / "clusters/rack/blocks" / block.replace("/", "_")).write_text("{")
    a.contact()
    assert a.blocks == [block]
    rack.audit()


# drained --------------------------------------------------------------------------------------------------------------


def test_a_drained_node_gives_back_what_is_empty_and_claims_none(rack: Rack) -> None:
    a = rack.node("a1")
    full, empty = (str(a.refill(POOL).claimed[0]) for _ in range(2))
    a.lease(full.replace("/20", "/24"))
    record_of(a).draining = True

    assert [*map(str, a.contact().given)] == [empty]

    assert a.blocks == [full]
    assert a.refill().claimed == []
    with pytest.raises(TryAgain, match="being drained") as caught:
        a.refill(POOL)
    assert "`sriovctl pool drain --cluster rack --undo a1`" in caught.value.details
    rack.audit()


def test_the_pool_of_the_last_block_is_forgotten(rack: Rack, tmp_path: Path) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    a.refill("10.20.0.0/16")
    assert a.directory("pools") == [POOL, "10.20.0.0/16"]
    a.lease(next(block for block in a.blocks if block.startswith("10.20")).replace("/20", "/24"))
    a.release()
    assert a.directory("pools") == ["10.20.0.0/16"]


def test_a_perfect_copy_cuts_nothing_once_it_was_stopped(rack: Rack) -> None:
    """Both cut from one block until the second one's contact; then an ADD there has none, in the next boot as well."""
    a = rack.node("a1")
    (a.root / "etc").mkdir(parents=True)
    (a.root / "etc/machine-id").write_text("3d1219c7c4c5404aaa1f6d2a48adfda4\n")
    a.refill(POOL)
    copy = copy_of(rack, a, "a1")
    shutil.copytree(a.root / "etc", copy.root / "etc")
    a.contact()
    pool = {"subnet": POOL, "prefixLength": 24, "blocks": {"cluster": "rack", "length": 20}}
    pools = hostsubnet.parse({"type": "host-subnet", "pools": [pool]}).pools

    shared.bound(pools, lambda _: copy.files)
    with pytest.raises(contact.Stopped):
        copy.contact()

    for _ in range(2):
        shared.bound(pools, lambda _: copy.files)
        assert pools[0].bounds == []
        copy.reboot()
    shared.bound(pools, lambda _: a.files)
    assert [str(block) for block in pools[0].bounds or []] == a.blocks


@pytest.mark.parametrize("where", ["blocks", "claiming", "releasing"])
def test_a_block_of_which_nobody_can_read_whose_it_is_may_be_ours(rack: Rack, where: str) -> None:
    """An answer was damaged on its way, or what stands there is: when it can be read again nothing is lost."""
    a = rack.node("a1")
    if where == "claiming":
        a.engine.lose_answer("claim")
        with pytest.raises(EngineAway):
            a.refill(POOL)
    else:
        a.refill(POOL)
    (block,) = rack.cluster.holders
    if where == "releasing":
        a.files.begin_release(block)
    ours = rack.cluster.holders[block]
    rack.cluster.holders[block] = Holder("", "", "", 0, "it is {}")

    a.contact()
    assert a.directory("lost" if where == "blocks" else where) == [str(block)]
    assert a.blocks == []

    rack.cluster.holders[block] = ours
    a.contact()
    assert a.blocks == rack.held(a) == ([] if where == "releasing" else [str(block)])
    rack.audit()
