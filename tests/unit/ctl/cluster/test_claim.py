"""Claims, on nodes with real files and an engine in memory: none lost, none owned twice, whatever ends a process."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from cni_sriov.ctl.cluster import claim
from cni_sriov.ctl.cluster.engine import EngineAway
from cni_sriov.decide import blocks
from cni_sriov.words.cluster import Holder
from cni_sriov.words.errors import InputOutput, PoolExhausted, SubnetConflict, TryAgain
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.unit.ctl.cluster.rack import POOL, Effects, Killed, Rack, RackNode, rack, watched

__all__ = ["rack"]  # a fixture
SMALL = "10.10.0.0/18"  # four blocks of /20


def test_a_refill_claims_one_block_and_says_which(rack: Rack) -> None:
    a = rack.node("a1")
    (block,) = a.refill(POOL).claimed
    assert ip_network(POOL).supernet_of(ip_network(str(block)))  # type: ignore[arg-type]
    assert a.blocks == [str(block)]
    assert a.files.claimed()[block].pool == POOL
    assert [(str(pool.subnet), pool.length, pool.node) for pool in rack.cluster.pools] == [(POOL, 20, "a1")]
    rack.audit()


def test_a_pool_goes_to_the_last_block_and_then_says_who_has_most(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    for node in (a, b, a, a):
        node.refill(SMALL)
    with pytest.raises(PoolExhausted, match="all 4 blocks of /20 are taken") as caught:
        b.refill(SMALL)
    assert "node a1 has 3, node b1 has 1" in caught.value.details
    rack.audit()
    failure = b.files.failure()
    assert failure is not None
    assert (failure.code, failure.msg) == (11, caught.value.msg)
    assert a.release() != []
    b.refill(SMALL)
    assert b.files.failure() is None


def test_two_subnets_of_a_pool_are_one_choice(rack: Rack) -> None:
    a = rack.node("a1")
    for _ in range(3):
        a.refill("10.10.0.0/20", "10.30.0.0/19")
    assert sorted(a.blocks) == ["10.10.0.0/20", "10.30.0.0/20", "10.30.16.0/20"]
    assert a.directory("pools") == ["10.10.0.0/20", "10.30.0.0/19"]
    with pytest.raises(PoolExhausted, match="all 3 blocks"):
        a.refill("10.10.0.0/20", "10.30.0.0/19")


def test_ipv6(rack: Rack) -> None:
    a = rack.node("a1")
    for _ in range(16):
        a.refill("fd00:10::/44", length=48, prefix_length=64)
    with pytest.raises(PoolExhausted, match="all 16 blocks of /48"):
        a.refill("fd00:10::/44", length=48, prefix_length=64)
    rack.audit()


# that one, or none ----------------------------------------------------------------------------------------------------


def test_exactly_that_block(rack: Rack) -> None:
    a, b = rack.node("a1"), rack.node("b1")
    wanted = parse_prefix("10.10.32.0/20")
    assert a.refill(POOL, block=wanted).claimed == [wanted]
    assert a.refill(POOL, block=wanted).claimed == []
    with pytest.raises(SubnetConflict, match=r"claim block 10\.10\.32\.0/20 .* node a1 has it") as caught:
        b.refill(POOL, block=wanted)
    assert caught.value.code == 104
    assert (b.files.failure(), b.directory("claiming"), b.blocks) == (None, [], [])
    rack.audit()


def test_a_block_of_a_holder_that_cannot_be_read_is_taken(rack: Rack) -> None:
    rack.cluster.holders[parse_prefix("10.10.32.0/20")] = Holder(
        "", "", "", 0, "blocks/10.10.32.0_20 is no JSON"
    )
    with pytest.raises(SubnetConflict, match="somebody whose name cannot be read"):
        rack.node("a1").refill(POOL, block=parse_prefix("10.10.32.0/20"))


@pytest.mark.parametrize(("more_than", "claims"), [(0, 0), (1, 1), (2, 1), (-1, 1)])
def test_who_waited_for_the_lock_needs_no_more_if_there_is_more(
    rack: Rack, more_than: int, claims: int
) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    a.refill("10.20.0.0/16")
    before = rack.cluster.calls.total()
    assert len(a.refill(POOL, more_than=more_than).claimed) == claims
    assert (rack.cluster.calls.total() == before) == (claims == 0), "the engine is not asked in vain"
    assert len(a.blocks) == 2 + claims


def test_in_a_new_boot_the_engine_is_asked_though_there_is_enough(rack: Rack) -> None:
    a = rack.node("a1")
    a.refill(POOL)
    a.reboot()
    assert not a.files.was_contacted()
    assert a.refill(POOL, more_than=0).claimed == []
    assert a.files.was_contacted()


# which run low --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("leases", "claims"), [(0, 0), (12, 0), (13, 1), (16, 1)])
def test_without_a_pool_those_that_run_low_are_filled(rack: Rack, leases: int, claims: int) -> None:
    a = rack.node("a1")
    a.refill("10.20.0.0/16")
    block = ip_network(str(a.refill(POOL).claimed[0]))
    for n, subnet in enumerate(block.subnets(new_prefix=24)):
        if n < leases:
            a.lease(str(subnet))
    claimed = a.refill().claimed
    assert [ip_network(str(one)).overlaps(ip_network(POOL)) for one in claimed] == [True] * claims


def test_leases_of_two_scopes_are_not_added_up(rack: Rack) -> None:
    """What one scope has leased is free in another."""
    a = rack.node("a1")
    block = ip_network(str(a.refill(POOL).claimed[0]))
    for n, subnet in enumerate(block.subnets(new_prefix=24)):
        a.lease(str(subnet), f"s{n}", scope="blue" if n % 2 else "red")
    assert a.refill().claimed == []


def test_a_pool_that_this_node_has_nothing_of_is_left_to_the_add_that_needs_it(rack: Rack) -> None:
    a = rack.node("a1")
    a.files.put_pool(parse_prefix(POOL), 20, 24)
    assert a.refill().claimed == []
    assert rack.cluster.pools == []


# many at once ---------------------------------------------------------------------------------------------------------


def test_many_nodes_at_once_share_a_pool_to_its_last_block(rack: Rack) -> None:
    nodes = [rack.node(f"n{n}") for n in range(6)]
    for node in nodes:
        node.engine.latency = 0.0005
    errors: list[BaseException] = []

    def work(node: RackNode) -> None:
        try:
            while True:
                claim.refill(node.member(), claim.Wanted([parse_prefix(POOL)], 22, 24))
        except PoolExhausted:
            pass
        except BaseException as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    every = sorted(block for node in nodes for block in node.blocks)
    assert every == sorted(str(net) for net in ip_network(POOL).subnets(new_prefix=22))
    rack.audit()


# killed, failed -------------------------------------------------------------------------------------------------------


def first_claim(node: RackNode, engine: object) -> None:
    node.refill(SMALL, engine=engine)


def second_claim(node: RackNode, engine: object) -> None:
    node.refill(SMALL, engine=engine)


def that_block(node: RackNode, engine: object) -> None:
    free = set(map(parse_prefix, ("10.10.0.0/20", "10.10.16.0/20", "10.10.32.0/20"))) - set(
        node.cluster.holders
    )
    node.refill(SMALL, engine=engine, block=min(free, key=blocks.by_address))


def release(node: RackNode, engine: object) -> None:
    node.release(engine)


def after_a_loss(node: RackNode, engine: object) -> None:
    """One block is another's by now, one is missing."""
    node.contact(engine)


def drained(node: RackNode, engine: object) -> None:
    node.contact(engine)


Act = Callable[[RackNode, object], None]


def before(node: RackNode, act: Act) -> None:
    """What there is when it begins."""
    if act is first_claim:
        return
    full, *_ = (
        str(node.refill(SMALL).claimed[0]) for _ in range(1 if act in {second_claim, that_block} else 3)
    )
    node.lease(full.replace("/20", "/24"))
    if act is after_a_loss:
        node.cluster.holders[parse_prefix(full)] = Holder("9" * 32, "z1", "", 7)
        del node.cluster.holders[parse_prefix(next(block for block in node.blocks if block != full))]
    if act is drained:
        node.cluster.records[node.fingerprint][0].draining = True


ACTS: list[Act] = [first_claim, second_claim, that_block, release, after_a_loss, drained]


def prepared(root: Path, act: Act) -> tuple[Rack, RackNode]:
    rack = Rack(root)
    node = rack.node("a1")
    before(node, act)
    return rack, node


def effects_of(root: Path, act: Act) -> list[str]:
    _, node = prepared(root, act)
    effects = Effects()
    with watched(effects):
        act(node, effects.engine(node.engine))
    return effects.seen


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ACTS)
def test_killed_at_any_effect_no_block_is_lost_and_none_owned_twice(
    tmp_path: Path, act: Act, after: bool
) -> None:
    seen = effects_of(tmp_path / "all", act)
    assert {"first_claim": "claim", "release": "give_back"}.get(act.__name__, "rename") in seen
    for number in range(len(seen)):
        rack, node = prepared(tmp_path / str(number), act)
        effects = Effects(number, after)
        with watched(effects), pytest.raises(Killed):
            act(node, effects.engine(node.engine))
        rack.audit(is_settled=False)
        leased_before = node.member().leased()

        node.contact()

        rack.audit()
        assert node.member().leased() == leased_before
        _the_rest_can_be_claimed(rack)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ACTS)
def test_an_engine_that_goes_away_at_any_effect_costs_nothing(tmp_path: Path, act: Act, after: bool) -> None:
    seen = effects_of(tmp_path / "all", act)
    for number in [n for n, name in enumerate(seen) if name in {"claim", "give_back", "define", "put_node"}]:
        rack, node = prepared(tmp_path / str(number), act)
        effects = Effects(number, after, lambda: EngineAway("ask", "no endpoint answered"))
        with watched(effects), pytest.raises(EngineAway):
            act(node, effects.engine(node.engine))
        rack.audit(is_settled=False)
        node.contact()
        rack.audit()
        _the_rest_can_be_claimed(rack)


@pytest.mark.parametrize("act", ACTS)
def test_a_full_disk_at_any_effect_costs_nothing(tmp_path: Path, act: Act) -> None:
    seen = effects_of(tmp_path / "all", act)
    for number in [n for n, name in enumerate(seen) if name in {"write", "rename", "link", "mkdir", "fsync"}]:
        rack, node = prepared(tmp_path / str(number), act)
        effects = Effects(number, error=lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with watched(effects), suppress(InputOutput):
            act(node, effects.engine(node.engine))
        rack.audit(is_settled=False)
        node.contact()
        rack.audit()
        _the_rest_can_be_claimed(rack)


def _the_rest_can_be_claimed(rack: Rack) -> None:
    """Each block that no node has, by another node: so none is held by nobody."""
    other = rack.node("other")
    held = set(rack.cluster.holders)
    while len(rack.cluster.holders) < 4:
        other.refill(SMALL)
    assert held < set(rack.cluster.holders) or len(held) == 4
    rack.audit()


def test_a_claim_of_who_was_killed_that_arrives_later_is_no_leak(rack: Rack) -> None:
    """The request is still on its way when the next contact asks."""
    a = rack.node("a1")
    a.contact()
    late: list[tuple[Prefix, Holder]] = []

    def hold(block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        late.append((block, holder))
        raise Killed

    claimed = a.engine.claim
    a.engine.claim = hold  # type: ignore[method-assign]
    with pytest.raises(Killed):
        a.refill(POOL)
    a.engine.claim = claimed  # type: ignore[method-assign]
    a.contact()
    a.engine.claim(*late[0])
    rack.audit()
    assert a.blocks == [str(late[0][0])]


def test_the_next_refill_takes_what_was_begun_and_no_second_one(rack: Rack) -> None:
    a = rack.node("a1")
    a.engine.lose_answer("claim")
    with pytest.raises(EngineAway):
        a.refill(POOL)
    (intent,) = a.directory("claiming")
    assert [*map(str, a.refill(POOL).claimed)] == [intent]
    assert a.blocks == [intent]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_in_whatever_order(tmp_path: Path, seed: int) -> None:
    """Three nodes claim, lease, release and are killed at random, over a pool that is too small for them."""
    chance = random.Random(seed)
    rack = Rack(tmp_path)
    for step in range(60):
        node = rack.node(f"n{chance.randrange(3)}")
        _something(node, chance, step)
        rack.audit(is_settled=False)
    for node in rack.nodes.values():
        node.contact()
    rack.audit()
    for node in rack.nodes.values():
        for lease in node.member().leased():
            assert any(ip_network(str(lease)).subnet_of(ip_network(b)) for b in node.blocks)  # type: ignore[arg-type]


def _something(node: RackNode, chance: random.Random, step: int) -> None:
    effects = Effects(chance.randrange(40), chance.random() < 0.5)
    engine = effects.engine(node.engine)
    with watched(effects), suppress(Killed, PoolExhausted):
        match chance.randrange(4):
            case 0:
                node.release(engine)
            case 1:
                node.contact(engine)
            case _:
                node.refill("10.10.0.0/17", engine=engine)
    if node.blocks and chance.random() < 0.5:
        block = chance.choice(node.blocks)
        free = [str(net) for net in ip_network(block).subnets(new_prefix=24)]
        taken = {str(lease) for lease in node.member().leased()}
        node.lease(chance.choice([net for net in free if net not in taken]), f"c{step}")


@pytest.mark.parametrize(
    ("code", "ago", "left", "fails"),
    [(11, 0, 0.5, True), (11, 0, 5, False), (11, 60, 0.5, False), (7, 0, 0.5, False)],
)
def test_who_waited_for_a_refill_that_failed_is_told_what_that_one_was(
    rack: Rack, code: int, ago: int, left: float, fails: bool
) -> None:
    files = rack.node("a1").files
    files.put_failure(code, "ask etcd: no endpoint answered", "a: refused")
    asked = (files, time.time() + ago, time.monotonic() + left)
    if not fails:
        claim.fail_as_before(*asked)
        return
    with pytest.raises(TryAgain) as told:
        claim.fail_as_before(*asked)
    assert told.value.details == "a: refused"
