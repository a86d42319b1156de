"""build/constraints.txt, from which build/setup installs: every tool and library that is asked for has its version there."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement

from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [
    *PROJECT["dependencies"],
    *PROJECT["optional-dependencies"]["dev"],
    *PROJECT["optional-dependencies"]["bench"],
    *PROJECT["optional-dependencies"]["dist"],
]
LINES = [
    line for line in (ROOT / "build" / "constraints.txt").read_text().splitlines() if not line.startswith("#")
]


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_for_is_pinned_to_a_version_that_will_do(asked: str) -> None:
    wanted = Requirement(asked)
    pins = dict(line.split("==") for line in LINES)

    assert wanted.name in pins, "run `make pins`"
    assert wanted.specifier.contains(pins[wanted.name]), "run `make pins`"


def test_each_line_is_one_version_and_says_nothing_of_the_machine() -> None:
    """No address of an index, no path, no hash: another machine has others."""
    for line in LINES:
        pin = Requirement(line)
        assert [part.operator for part in pin.specifier] == ["=="]
        assert (pin.url, pin.marker, pin.extras) == (None, None, set())

    assert sorted(LINES, key=str.upper) == LINES
