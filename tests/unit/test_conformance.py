"""docs/conformance.md names tests: each of them exists and is collected."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/conformance.md"
NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if "---" not in line]


def collected(file: str) -> set[tuple[str, str]]:
    """What pytest finds: the functions of a file `test_*.py` that are called so. The last of a name counts, as here."""
    assert Path(file).name.startswith("test_")
    tree = ast.parse((TESTS / file).read_text())
    return {(file, node.name) for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_named_test_is_collected() -> None:
    named = set(NAMED.findall(PAGE.read_text()))
    assert len(named) > 60
    assert named - set().union(*(collected(file) for file in {file for file, _ in named})) == set()


def test_every_rule_has_a_proof_or_says_why_not() -> None:
    unproved = [row[0] for row in rows() if not NAMED.search(row[-1]) and row[-1] != "proof"]
    assert unproved == [
        "`ipMasq`",
        "code 3",
        "an MTU that `mtu` did not ask for",
        "`portMappings`, `aliases`, `cgroupPath`",
    ]


def test_every_must_has_a_proof() -> None:
    for row in rows():
        if len(row) == 3 and row[1].startswith("MUST"):
            assert NAMED.search(row[2]), row[0]
            assert "gap" not in row[2], row[0]
