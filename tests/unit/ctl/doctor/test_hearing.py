"""What is logged while the doctor looks is heard, once, and printed nowhere."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import hearing
from cni_sriov.ctl.node import ledgers
from tests.unit.ctl.tool import attach, host
from tests.world import World


def test_each_is_heard_once_and_nothing_is_written(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    attach(world)
    there = host(world)
    heard, ears = hearing.listening(there)

    for _ in range(2):
        heard.log.error("a lease stays", attachment="c1/net1", reason="so it is")
        heard.log.info("no matter")
        for ledger in ledgers(heard):
            ledger.log.warning("left out", file="/x")

    assert ears.heard == ["a lease stays: c1/net1, so it is", "left out: /x"]
    assert capfd.readouterr().err == ""
    assert (there.log, there.ledger.log) != (ears, ears)


def test_a_file_that_cannot_be_read_is_a_finding_already(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    attach(world)
    (claim,) = (world.run_dir / "claims").iterdir()
    claim.write_text("{")
    heard, ears = hearing.listening(host(world))

    assert heard.ledger.claims() == []

    assert (ears.heard, capfd.readouterr().err) == ([], "")
