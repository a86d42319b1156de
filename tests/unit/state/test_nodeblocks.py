"""What the plugin sees of a cluster, as the other half of it (test_blocks.py) writes it."""

from __future__ import annotations

import ast
import os
import time
from pathlib import Path

import pytest

from cni_sriov.state import blocks
from cni_sriov.state.ledger import Ledger
from cni_sriov.words.inet import parse_prefix
from cni_sriov.words.log import Log

ROOT = Path(__file__).parents[3] / "cni_sriov"
POOL, B1, B2 = map(parse_prefix, ("10.10.0.0/16", "10.10.16.0/20", "10.10.32.0/20"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(str(tmp_path / "state"), Log("none"), str(tmp_path / "run"), "this boot")
    ledger.cluster_dir, ledger.machine_id = str(tmp_path / "clusters"), str(tmp_path / "machine-id")
    return ledger


def test_it_sees_what_the_other_half_wrote(ledger: Ledger) -> None:
    here, there = ledger.cluster("rack"), blocks.of(ledger, "rack")
    assert (here.names(), here.lost_to(), here.failure(), here.was_contacted()) == ([], {}, None, False)

    for block in (B1, B2):
        there.intend(block, POOL)
        there.settle(block, ours=True)
    there.lose(B2, {"node": "r1n2"})
    there.put_failure(11, "away", "a: b")
    there.note_contacted()
    there.stop()
    assert (here.is_stopped(), here.was_contacted()) == (True, False)
    there.note_contacted()
    assert not here.is_stopped()

    assert (here.names(), here.lost_to(), here.was_contacted()) == ([B1], {B2: "r1n2"}, True)
    failure = here.failure()
    assert failure is not None
    assert (failure.code, failure.msg, failure.details) == (11, "away", "a: b")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"holder": 7}', '{"holder": {"node": 7}}', '{"format": 9}']
)
def test_a_lost_block_whose_file_is_damaged_is_lost(ledger: Ledger, text: str) -> None:
    there = blocks.of(ledger, "rack")
    there.intend(B1, POOL)
    there.settle(B1, ours=True)
    there.lose(B1, {"node": "r1n2"})
    Path(there.path, "lost/10.10.16.0_20").write_text(text)

    assert ledger.cluster("rack").lost_to() == {B1: ""}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"code": "11"}', '{"format": 9}'])
def test_a_failure_that_cannot_be_read_is_none(ledger: Ledger, text: str) -> None:
    blocks.of(ledger, "rack").put_failure(11, "away", "")
    Path(ledger.run_dir, "clusters/rack/failure").write_text(text)

    assert ledger.cluster("rack").failure() is None


def test_only_sriovctl_has_the_other_half() -> None:
    """It is large, and brings hashlib, with which the snapshot cannot be built."""
    plugin = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "ctl"]
    importing = [
        path.name
        for path in plugin
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module in {"blocks", "state.blocks"} or any(alias.name == "blocks" for alias in node.names))
    ]
    assert importing == []


@pytest.mark.parametrize(("seconds", "is_fresh"), [(0, True), (3500, True), (3700, False), (-60, False)])
def test_a_contact_is_asked_for_again_after_an_hour_and_where_the_clock_jumped(
    ledger: Ledger, seconds: int, is_fresh: bool
) -> None:
    there = blocks.of(ledger, "rack")
    there.note_contacted()
    at = time.time() - seconds
    os.utime(f"{there.run_path}/contacted", (at, at))

    assert there.was_contacted() == is_fresh
