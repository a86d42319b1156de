"""What a call costs is held without a clock: instructions within a budget, requests to the kernel exactly as recorded.

A failure means that a change made calls dearer, or cheaper: if that is meant, `make budgets` records it (docs/speed.md).
"""

from __future__ import annotations

import pytest

from tests import budgets
from tests.budgets import RECORD, SLACK, VERBS, Costs, Trace

pytestmark = [pytest.mark.root, pytest.mark.bundle]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Costs:
    return budgets.count_instructions(tmp_path_factory.mktemp("callgrind"))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trace]:
    return budgets.trace(tmp_path_factory.mktemp("strace"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_executes_no_more_instructions_than_its_budget(
    counted: Costs, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = budgets.instructions_for(verb)
    if budget is None:  # in CI a failure, like any skip
        pytest.skip(f"no instructions are recorded for {budgets.platform()}: {RECORD}")
    told = f"{verb}: {budgets.line('instructions', budget, counted[verb])}\n{RECORD}"
    if counted[verb] < budget * (1 - SLACK):
        with capsys.disabled():
            print(f"\n{told}, or the gain may be lost unseen")
    assert counted[verb] <= budget * (1 + SLACK), told


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_asks_the_kernel_as_often_as_is_recorded(traced: dict[str, Trace], verb: str) -> None:
    expected = budgets.recorded()["kernel"][verb]

    changed = budgets.differences(expected, traced[verb].costs)

    assert not changed, "\n".join([f"{verb}: {RECORD}", *changed, "What it asked:", str(traced[verb])])
