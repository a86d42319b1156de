"""A pool's definition that goes, while nodes claim, define and are killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.ctl.cluster.contact import Undefined
from cni_sriov.ctl.cluster.engine import EngineAway, Redefined
from cni_sriov.ctl.cluster.undefining import undefine
from cni_sriov.words.cluster import Definition, Holder
from cni_sriov.words.errors import BadConfig, CniError
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.memoryengine import MemoryEngine
from tests.unit.ctl.cluster.rack import POOL, Effects, Killed, Rack, rack

__all__ = ["rack"]  # a fixture
OTHER = "10.20.0.0/16"
ONE = "10.10.0.0/20"  # a block of /20, or four of /22


def defined(rack: Rack) -> list[tuple[str, int]]:
    return [(str(one.subnet), one.length) for one in rack.cluster.pools]


def by_mistake(rack: Rack, name: str = "a1", length: int = 20, subnet: str = POOL) -> None:
    """A pool that a node has defined, and given back what it had of it."""
    node = rack.node(name)
    node.refill(subnet, length=length)
    node.release()


def test_what_no_node_has_a_block_of_goes_and_the_next_one_defines_it(rack: Rack) -> None:
    by_mistake(rack)
    rack.node("b1").refill(OTHER)
    was = undefine(rack.node("b1").engine, "rack", parse_prefix(POOL))
    assert (str(was.subnet), was.length, was.node) == (POOL, 20, "a1")
    assert defined(rack) == [(OTHER, 20)]
    rack.node("b1").refill(POOL, length=22)
    assert defined(rack) == [(OTHER, 20), (POOL, 22)]
    with pytest.raises(BadConfig, match="node b1 has blocks of /22"):
        rack.node("a1").refill(POOL)
    rack.audit()


def test_one_that_is_larger_than_it_should_be_goes(rack: Rack) -> None:
    by_mistake(rack, subnet="10.0.0.0/8")
    undefine(rack.node("b1").engine, "rack", parse_prefix("10.0.0.0/8"))
    rack.node("b1").refill(POOL)
    assert defined(rack) == [(POOL, 20)]


def test_who_has_blocks_of_it_is_named_and_it_stays(rack: Rack) -> None:
    for name, count in (("a1", 2), ("b1", 1)):
        for _ in range(count):
            rack.node(name).refill(POOL)
    rack.cluster.holders[parse_prefix("10.10.4.0/22")] = Holder("", "", "", 0, "it is 7")
    before = rack.cluster.pools_version
    with pytest.raises(BadConfig) as caught:
        undefine(rack.node("b1").engine, "rack", parse_prefix(POOL))
    told = "node a1 has 2, node b1 has 1, somebody whose name cannot be read has 1"
    assert caught.value.msg == f"undefine pool {POOL} of cluster rack: blocks of it are claimed: {told}"
    assert (defined(rack), rack.cluster.pools_version) == ([(POOL, 20)], before)


@pytest.mark.parametrize("subnet", ["10.10.0.0/17", OTHER])
def test_one_that_is_not_there_is_told_with_those_that_are(rack: Rack, subnet: str) -> None:
    engine = rack.node("a1").engine
    with pytest.raises(BadConfig, match="has none of that subnet") as caught:
        undefine(engine, "rack", parse_prefix(subnet))
    assert caught.value.details == "its pools: none"
    by_mistake(rack)
    with pytest.raises(BadConfig) as caught:
        undefine(engine, "rack", parse_prefix(subnet))
    assert caught.value.details == f"its pools: {POOL}"
    assert defined(rack) == [(POOL, 20)]


def test_who_only_asks_changes_nothing(rack: Rack) -> None:
    by_mistake(rack)
    assert undefine(rack.node("b1").engine, "rack", parse_prefix(POOL), is_only_asked=True).length == 20
    assert defined(rack) == [(POOL, 20)]


def meanwhile(engine: MemoryEngine, call: str, act: Callable[[], object]) -> None:
    """Before the next call of that name."""
    asked = getattr(engine, call)

    def first(*args: Any, **keys: Any) -> Any:
        setattr(engine, call, asked)
        act()
        return asked(*args, **keys)

    setattr(engine, call, first)


def test_a_claim_that_comes_between_the_look_and_the_change_brings_it_back(rack: Rack) -> None:
    by_mistake(rack)
    operator = MemoryEngine(rack.cluster)
    meanwhile(operator, "define", lambda: rack.node("b1").refill(POOL))
    with pytest.raises(BadConfig, match="blocks of it are claimed: node b1 has 1"):
        undefine(operator, "rack", parse_prefix(POOL))
    assert defined(rack) == [(POOL, 20)]
    rack.audit()


def test_a_pool_that_is_defined_beside_it_stays(rack: Rack) -> None:
    by_mistake(rack)
    operator = MemoryEngine(rack.cluster)
    meanwhile(operator, "define", lambda: rack.node("b1").refill(OTHER))
    undefine(operator, "rack", parse_prefix(POOL))
    assert defined(rack) == [(OTHER, 20)]


def test_a_node_that_was_about_to_claim_has_nothing_and_the_next_contact_defines_it(rack: Rack) -> None:
    by_mistake(rack)
    b = rack.node("b1")
    meanwhile(b.engine, "claim", lambda: undefine(MemoryEngine(rack.cluster), "rack", parse_prefix(POOL)))
    with pytest.raises(Undefined, match="is not defined with blocks of /20 any more"):
        b.refill(POOL)
    assert (rack.cluster.holders, b.blocks, b.directory("claiming")) == ({}, [], [])
    b.refill(POOL, length=22)
    assert defined(rack) == [(POOL, 22)]
    rack.audit()


def test_another_pool_that_goes_costs_a_claim_nothing(rack: Rack) -> None:
    by_mistake(rack, subnet=OTHER)
    b = rack.node("b1")
    meanwhile(b.engine, "claim", lambda: undefine(MemoryEngine(rack.cluster), "rack", parse_prefix(OTHER)))
    assert len(b.refill(POOL).claimed) == 1
    rack.audit()


def test_what_was_asked_for_by_who_was_killed_is_given_back_where_its_pool_is_another_by_now(
    rack: Rack,
) -> None:
    """The block is in the engine, and is no reason for the next one to wait."""
    by_mistake(rack)
    b = rack.node("b1")
    killed = Effects(-1)
    killed.number = _number_of(rack, "claim")
    with pytest.raises(Killed):
        b.refill(POOL, engine=_watched(b.engine, killed))
    rack.cluster.pools, rack.cluster.pools_version = [], rack.cluster.next_version()
    assert len(b.directory("claiming")) == 1
    b.contact()
    assert (rack.cluster.holders, b.directory("claiming")) == ({}, [])
    assert any("is not defined with blocks of /20 any more" in note for note in b.notes)


def _watched(engine: MemoryEngine, effects: Effects) -> Any:
    effects.after = True
    return effects.engine(engine)


def _number_of(rack: Rack, call: str) -> int:
    """Which of the engine's effects it is, of a refill of a pool that is defined."""
    seen = Effects()
    probe = rack.node("probe")
    probe.refill(POOL, engine=seen.engine(probe.engine))
    probe.release()
    return seen.seen.index(call)


@pytest.mark.parametrize("call", ["define", "blocks"])
def test_who_does_not_hear_how_it_went_says_it_again(rack: Rack, call: str) -> None:
    by_mistake(rack)
    operator = MemoryEngine(rack.cluster)
    operator.lose_answer("define") if call == "define" else meanwhile(
        operator, "define", lambda: operator.fail("blocks")
    )
    with pytest.raises(EngineAway):
        undefine(operator, "rack", parse_prefix(POOL))
    assert defined(rack) == []
    rack.node("b1").refill(POOL, length=22)
    assert defined(rack) == [(POOL, 22)]


# any order ------------------------------------------------------------------------------------------------------------


class Turns:
    """Of several threads one goes on at a time, to its next call of the engine, and which one is drawn."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.known = threading.Condition()
        self.waiting: dict[str, bool] = {}
        self.running = 0
        self.order: list[str] = []

    def take(self) -> None:
        name = threading.current_thread().name
        with self.known:
            self.waiting[name] = False
            self.running -= 1
            self.known.notify_all()
            self.known.wait_for(lambda: self.waiting[name])
            del self.waiting[name]

    def run(self, **acts: Callable[[], object]) -> None:
        threads = [threading.Thread(target=self._act, args=(act,), name=name) for name, act in acts.items()]
        self.running = len(threads)
        for thread in threads:
            thread.start()
        with self.known:
            while self.known.wait_for(lambda: self.running == 0) and self.waiting:
                goes_on = (
                    self.order[-1:] if self.chance.random() < 0.8 else []
                )  # so that some stand still for long
                name = self.chance.choice(
                    [it for it in goes_on if it in self.waiting] or sorted(self.waiting)
                )
                self.order.append(name)
                self.running += 1
                self.waiting[name] = True
                self.known.notify_all()
        for thread in threads:
            thread.join()

    def _act(self, act: Callable[[], object]) -> None:
        try:
            act()
        except CniError:
            pass
        finally:
            with self.known:
                self.running -= 1
                self.known.notify_all()


class InTurn:
    """An engine each of whose calls is one turn; a claim is two, as with Kubernetes: the block, and a look at the pools."""

    def __init__(self, engine: MemoryEngine, turns: Turns) -> None:
        self._engine = engine
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        def act(*args: Any) -> Any:
            self._turns.take()
            return getattr(self._engine, name)(*args)

        return act

    def claim(self, block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        self._turns.take()
        has = self._engine.claim(block, holder)
        if definitions is not None and has.fingerprint == holder.fingerprint:
            self._turns.take()
            if self._engine.definitions()[1] != definitions:
                raise Redefined
        return has


@pytest.mark.parametrize("seed", range(0, 100, 50))
def test_in_whatever_order_no_two_cut_from_the_same(tmp_path: Path, seed: int) -> None:
    for number in range(seed, seed + 50):
        in_some_order(Rack(tmp_path / str(number)), Turns(random.Random(number)), f"seed {number}")


def in_some_order(rack: Rack, turns: Turns, what: str) -> None:
    """One claims by the definition that goes, one defines the pool in another way: each block of his overlaps that one."""
    old, new = rack.node("old"), rack.node("new")
    rack.cluster.pools = [Definition(parse_prefix(ONE), 20, "old", 0)]
    rack.cluster.pools_version = rack.cluster.next_version()
    engines = {name: InTurn(MemoryEngine(rack.cluster), turns) for name in ("old", "new", "operator")}
    turns.run(
        old=lambda: old.refill(ONE, engine=engines["old"]),
        new=lambda: new.refill(ONE, length=22, engine=engines["new"]),
        operator=lambda: undefine(engines["operator"], "rack", parse_prefix(ONE)),
    )

    had = [ip_network(block) for node in (old, new) for block in node.blocks]
    assert len(had) <= 1, f"{what}: {turns.order}"
    rack.audit()
    for node in (old, new):
        node.contact()
    rack.audit()
    lengths = {length for _, length in defined(rack)}
    assert {net.prefixlen for net in had} <= lengths, f"{what}: {turns.order}"
