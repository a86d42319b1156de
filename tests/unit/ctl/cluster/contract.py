"""What is true of every engine, asked of an empty one: each is given the same questions."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.cluster.engine import Engine, Redefined
from cni_sriov.words.cluster import Definition, Holder, NodeRecord
from cni_sriov.words.inet import parse_prefix

A, B = (Holder(letter * 32, f"n{letter}", "ab" * 32, 1795711198) for letter in "ab")
BLOCK, NEXT, SIX = (parse_prefix(text) for text in ("10.10.16.0/20", "10.10.32.0/20", "fd00:10:0:1000::/52"))
POOL, POOL6 = parse_prefix("10.10.0.0/16"), parse_prefix("fd00:10::/48")
RECORD = NodeRecord(
    "a" * 32, "na", "ab" * 32, "", 1795711198, 1795711200, "00", False, {"10.10.0.0/16": [1, 2, 16]}
)
DEFINED = [Definition(POOL, 20, "na", 1795711198), Definition(POOL6, 52, "nb", 1795711199)]


def blocks(engine: Engine) -> None:
    assert engine.claim(BLOCK, A) == A
    assert engine.claim(BLOCK, B) == A
    assert engine.claim(BLOCK, A) == A
    assert engine.claim(SIX, B) == B
    assert (engine.holder(BLOCK), engine.holder(NEXT)) == (A, None)
    assert engine.holders([BLOCK, NEXT, SIX]) == {BLOCK: A, SIX: B} == engine.blocks()
    assert engine.holders([]) == {}
    assert engine.taken(POOL) == {BLOCK}
    assert engine.taken(POOL6) == {SIX}
    assert engine.taken(parse_prefix("10.10.32.0/19")) == set()


def giving_back(engine: Engine) -> None:
    engine.claim(BLOCK, A)
    assert engine.give_back(BLOCK, B.fingerprint) == A
    assert engine.give_back(BLOCK, A.fingerprint) is None
    assert engine.give_back(BLOCK, A.fingerprint) is None
    assert engine.holder(BLOCK) is None
    assert engine.claim(BLOCK, B) == B


def pools(engine: Engine) -> None:
    assert engine.definitions() == ([], "")
    assert engine.define(DEFINED, "")
    found, version = engine.definitions()
    assert (found, version != "") == (DEFINED, True)
    assert not engine.define(DEFINED[:1], "")
    assert engine.define(DEFINED[:1], version)
    assert not engine.define([], version)
    assert engine.definitions()[0] == DEFINED[:1]
    assert engine.define([], engine.definitions()[1])
    assert engine.definitions()[0] == []


def claims_by_definitions(engine: Engine) -> None:
    """Who claims by an old version is told so, and may have the block or not."""
    assert engine.claim(BLOCK, A, "") == A
    assert engine.define(DEFINED, "")
    version = engine.definitions()[1]
    for block in (BLOCK, NEXT):
        for old in ("", "7"):
            with pytest.raises(Redefined):
                engine.claim(block, A, old)
        assert engine.claim(block, A, version) == A
        assert engine.claim(block, B, version) == A
        assert engine.claim(block, B, "") == A
    assert engine.define([], version)
    with pytest.raises(Redefined):
        engine.claim(SIX, B, version)
    assert engine.claim(SIX, B) == B


def nodes(engine: Engine) -> None:
    other = NodeRecord("b" * 32, "nb", "", "", 1, 1, "00")
    assert engine.node(RECORD.fingerprint) == (None, "")
    assert not engine.put_node(RECORD, "7")
    assert engine.put_node(RECORD, "")
    assert not engine.put_node(NodeRecord("a" * 32, "na", "", "", 1, 1, "01"), "")
    record, version = engine.node(RECORD.fingerprint)
    assert record == RECORD
    assert engine.put_node(NodeRecord("a" * 32, "na", "", "", 1, 1, "02", True), version)
    assert not engine.put_node(RECORD, version)
    assert engine.put_node(other, "")
    assert sorted((one.fingerprint[0], one.nonce, one.draining) for one in engine.nodes()) == [
        *(("a", "02", True), ("b", "00", False)),
    ]
    engine.forget_node(RECORD.fingerprint, dry_run=True)
    assert len(engine.nodes()) == 2
    engine.forget_node(RECORD.fingerprint)
    engine.forget_node(RECORD.fingerprint)
    assert engine.nodes() == [other]
    assert not engine.put_node(RECORD, version)


ALL = (blocks, giving_back, pools, claims_by_definitions, nodes)
