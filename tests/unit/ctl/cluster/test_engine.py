"""What an engine is, by the one that is a dictionary (tests/memoryengine.py); and that one's knobs."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from cni_sriov.ctl.cluster.engine import Engine, EngineAway, EngineRefused
from cni_sriov.words.cluster import Definition, Holder, NodeRecord
from cni_sriov.words.errors import TryAgain
from cni_sriov.words.inet import Prefix, parse_prefix
from tests.memoryengine import Cluster, MemoryEngine
from tests.unit.ctl.cluster import contract

A, B = (Holder(letter * 32, f"n{letter}", "", 1) for letter in "ab")
BLOCK, NEXT = parse_prefix("10.10.16.0/20"), parse_prefix("10.10.32.0/20")
POOL = parse_prefix("10.10.0.0/16")
RECORD = NodeRecord("a" * 32, "na", "", "", 1, 1, "00")


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def test_it_is_an_engine(engine: MemoryEngine) -> None:
    found: Engine = engine
    assert found.uid() == ""


def test_what_an_engine_says_is_try_again() -> None:
    assert (EngineAway("x").code, EngineRefused("x").code) == (11, 11)
    assert issubclass(EngineAway, TryAgain)


def test_a_block_is_the_firsts(engine: MemoryEngine) -> None:
    assert engine.claim(BLOCK, A) == A
    assert engine.claim(BLOCK, B) == A
    assert (engine.holder(BLOCK), engine.holder(NEXT)) == (A, None)
    assert engine.holders([BLOCK, NEXT]) == {BLOCK: A} == engine.blocks()
    assert engine.taken(POOL) == {BLOCK}
    assert engine.taken(parse_prefix("10.11.0.0/16")) == set()


def test_only_the_holder_gives_back(engine: MemoryEngine) -> None:
    engine.claim(BLOCK, A)

    assert engine.give_back(BLOCK, B.fingerprint) == A
    assert engine.give_back(BLOCK, A.fingerprint) is None
    assert engine.give_back(BLOCK, A.fingerprint) is None
    assert engine.holder(BLOCK) is None


def test_who_writes_with_an_old_version_writes_nothing(engine: MemoryEngine) -> None:
    assert engine.node(RECORD.fingerprint) == (None, "")
    assert engine.put_node(RECORD, "")
    assert not engine.put_node(RECORD, "")
    record, version = engine.node(RECORD.fingerprint)
    assert record == RECORD
    assert engine.put_node(RECORD, version)
    assert not engine.put_node(RECORD, version)
    engine.forget_node(RECORD.fingerprint)
    assert engine.nodes() == []


def test_pools_are_compared_as_well(engine: MemoryEngine) -> None:
    defined = [Definition(POOL, 20, "na", 1)]

    assert engine.definitions() == ([], "")
    assert engine.define(defined, "")
    assert not engine.define([], "")
    assert engine.definitions()[0] == defined


def test_a_claim_says_by_which_definitions_it_goes(engine: MemoryEngine) -> None:
    contract.claims_by_definitions(engine)


def test_what_is_read_is_a_copy(engine: MemoryEngine) -> None:
    engine.put_node(RECORD, "")
    engine.nodes()[0].fill["x"] = [1, 2, 3]

    assert engine.nodes() == [RECORD]


def test_a_failure_does_nothing_and_a_lost_answer_does_it(engine: MemoryEngine) -> None:
    engine.fail("claim")
    with pytest.raises(EngineAway):
        engine.claim(BLOCK, A)
    assert engine.holder(BLOCK) is None

    engine.lose_answer("claim")
    with pytest.raises(EngineAway):
        engine.claim(BLOCK, A)
    assert engine.holder(BLOCK) == A
    assert engine.claim(BLOCK, A) == A


def test_its_time_may_be_another_clocks() -> None:
    slept: list[float] = []
    engine = MemoryEngine(latency=lambda call: 0.5 if call == "claim" else 0.0, sleep=slept.append)

    engine.claim(BLOCK, A)
    engine.blocks()

    assert slept == [0.5]


def test_a_backup_is_as_it_was() -> None:
    cluster = Cluster()
    engine = MemoryEngine(cluster)
    engine.claim(BLOCK, A)
    kept = cluster.backup()
    engine.claim(NEXT, A)
    cluster.restore(kept)

    assert engine.blocks() == {BLOCK: A}


def test_of_many_threads_one_has_each_block() -> None:
    cluster = Cluster()
    blocks = [Prefix(4, (10 << 24) + (number << 12), 20) for number in range(64)]
    won: Counter[Prefix] = Counter()

    def run(name: str) -> None:
        me = Holder(name * 32, name, "", 1)
        engine = MemoryEngine(cluster)
        for block in blocks:
            if engine.claim(block, me) == me:
                won[block] += 1

    threads = [threading.Thread(target=run, args=[name]) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert won == Counter(blocks)
    assert cluster.calls["claim"] == 6 * 64
