"""How far a call goes through the house: the goals of issue 9, and what of them is still to be reached."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests import hops
from tests.hops import Walk

# a module more than this, or a function deeper, is a change that somebody has to want
# not 30, as issue 9 wished: rooms of 250 lines are more rooms (ADR 0011). Of DEL's one is words/errors: the fake
# refuses to rename what is UP, as Linux before 6.2
MODULES = {
    "ADD": 65,
    "DEL": 51,
}  # with what the doors of CNI and podman share: doors/calls.py and stdio.py (issue 13)
DEPTH = {"ADD": 17, "DEL": 18}


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Walk]:
    return hops.walks(tmp_path_factory.mktemp("world"))


def test_a_lease_is_five_hops_away(walks: dict[str, Walk]) -> None:
    way = walks["ADD"].lease

    assert (way[0], way[-1]) == ("verbs/add", "leases/index")
    assert walks["ADD"].hops <= 5, way


def test_nobody_on_the_way_to_a_lease_is_met_twice(walks: dict[str, Walk]) -> None:
    """A lambda of who asked, or a callback, would be such a way back."""
    way = walks["ADD"].lease

    assert len(set(way)) == len(way), way


@pytest.mark.parametrize("verb", ["ADD", "DEL"])
def test_a_call_goes_no_further_than_it_did(walks: dict[str, Walk], verb: str) -> None:
    modules, _, depth = walks[verb].figures

    assert modules <= MODULES[verb], sorted(walks[verb].modules)
    assert depth <= DEPTH[verb], walks[verb].deepest


def test_what_is_not_ours_counts_for_nothing() -> None:
    walk = hops.walk_of(partial(Path("/x").with_suffix, ".y"))

    assert walk.figures == (0, 0, 0)
