"""All rules together: the worst first, one that fails hides no other, each one described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest

from cni_sriov.decide import doctor
from cni_sriov.decide.facts import Facts, Rule
from cni_sriov.decide.trouble import Severity, Trouble
from tests.pages import table_rows
from tests.unit.decide.patient import healthy


def small(facts: Facts) -> Iterator[Trouble]:
    """A small one.

    note: nothing
    """
    yield Trouble("small", "note", "x", "why", "do" * len(facts.cards))


def broken(facts: Facts) -> Iterator[Trouble]:
    """It breaks.

    error: nothing
    """
    yield Trouble("broken", "error", "x", "why", "do")
    raise ZeroDivisionError(str(facts.cards[0].name))


def test_a_healthy_node_has_no_findings() -> None:
    assert doctor.diagnose(healthy()) == []


def test_the_worst_comes_first_and_a_rule_that_fails_is_a_warning() -> None:
    found = doctor.diagnose(healthy(), (small, broken, small))

    assert [(one.rule, one.severity) for one in found] == [
        ("broken", "error"),
        ("rule-failed", "warning"),
        ("small", "note"),
        ("small", "note"),
    ]
    assert "the rule broken could not judge" in found[1].why
    assert "ZeroDivisionError" in found[1].why


@pytest.mark.parametrize("rule", doctor.RULES, ids=lambda rule: rule.__name__)
def test_every_rule_has_its_words(rule: Rule) -> None:
    about = doctor.describe(rule)

    assert set(about.severities.split(", ")) <= set(get_args(Severity)), about
    assert about.when
    assert about.remedy
    assert not about.when.endswith(".")


def test_no_two_rules_have_one_name() -> None:
    names = [doctor.describe(rule).name for rule in doctor.RULES]

    assert sorted(set(names)) == sorted(names)


def test_as_json() -> None:
    assert doctor.describe(small).to_json() == {
        "rule": "small", "severities": ["note"], "when": "A small one", "remedy": "nothing",
    }  # fmt: skip


def test_the_page_has_each_rule_in_a_row_of_its_own_words() -> None:
    rows = [row for row in table_rows("docs/doctor.md") if row[0].startswith("`")]

    known = [doctor.describe(rule) for rule in doctor.RULES]
    assert rows == [[f"`{about.name}`", about.severities, about.when, about.remedy] for about in known]
