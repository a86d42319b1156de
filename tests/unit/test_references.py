"""What comments, docstrings and pages name is there: files of this repository, facts of docs/kernels.md, decisions.

A name is looked for from its end, so `ledger.py` stays true when its folder changes, and `state/ledger.py` does not.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pages import ROOT, pages, prose, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPS = ("build", "cni_sriov", "conf", "docs", "tests")
# of containernetworking/cni; a package of PyPI; of DPDK
NOT_OURS = {"CONVENTIONS.md", "boolean.py", "dpdk-devbind.py", "usertools/dpdk-devbind.py"}
NAME = re.compile(r"(?<![\w/.@-])(?:[\w.-]+/)*[\w-]+\.(?:py|md|json|conflist)\b")
FACT = re.compile(r"kernels\.md (?:section )?(\d(?:\.\d+)?)(?:-(\d\.\d+))?")
DECISION = re.compile(r"(?:docs/design/|ADR )(\d{4})")


def files() -> Iterator[Path]:
    """Of the repository, as paths from its root; what is made from it is not among them."""
    yield from (path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_file())
    for top in TOPS:
        for path in (ROOT / top).rglob("*"):
            made = {"__pycache__", "out", "vendor"} & set(path.relative_to(ROOT).parts)
            if path.is_file() and not made:
                yield path.relative_to(ROOT)


def remarks(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every comment and docstring of a Python source, in no order."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                yield node.body[0].lineno, docstring


@functools.cache
def told_in_code() -> list[tuple[str, str]]:
    """(place, what is said there). Of what is not Python every line: scripts, C, the Makefile. Read once: it takes long."""
    told = []
    for path in files():
        if path.parts[0] not in {"build", "cni_sriov", "tests", "Makefile"} or path.suffix in {
            ".json",
            ".gz",
            ".md",
        }:
            continue
        text = (ROOT / path).read_text()
        python = path.suffix in {".py", ".spec"}
        said = remarks(text) if python else enumerate(text.splitlines(), start=1)
        told += [(f"{path}:{line}", words) for line, words in said]
    return told


def told_in_pages() -> Iterator[tuple[str, str]]:
    """What stands in backticks. A decision tells of its own time, and so does the list of changes."""
    for page in pages():
        if not page.startswith("docs/design/0") and page != "CHANGELOG.md":
            yield from ((page, span) for span in re.findall(r"`([^`\n]+)`", prose(page)))


def ways_to_name(path: Path) -> set[str]:
    """By each end of it."""
    return {"/".join(path.parts[n:]) for n in range(len(path.parts))}


def test_every_file_that_is_named_exists() -> None:
    known = NOT_OURS.union(*map(ways_to_name, files()))
    told = [*told_in_code(), *told_in_pages()]
    missing = [f"{place}: {name}" for place, said in told for name in NAME.findall(said) if name not in known]

    assert missing == []


def test_every_fact_and_decision_that_is_cited_exists() -> None:
    """`kernels.md 6.3` and `ADR 0001`."""
    facts, decisions = facts_of_kernels(), {path.name[:4] for path in (ROOT / "docs/design").glob("0*.md")}
    missing = []
    for place, said in told_in_code():
        cited = {fact for found in FACT.findall(said) for fact in found if fact}
        missing += [f"{place}: kernels.md {fact}" for fact in cited - facts]
        missing += [f"{place}: {number}" for number in set(DECISION.findall(said)) - decisions]

    assert missing == []


def facts_of_kernels() -> set[str]:
    """A numbered heading is "6", a numbered line below it "6.3"."""
    found, heading = set(), ""
    for line in text_of("docs/kernels.md").splitlines():
        if match := re.match(r"## (\d+)\.", line):
            heading = match[1]
            found.add(heading)
        elif match := re.match(r"(\d+)\. ", line):
            found.add(f"{heading}.{match[1]}")
    return found


def test_the_reader_sees_comments_docstrings_and_whole_names() -> None:
    source = '"""See a/b.py."""\nx = "c.py"  # d.md, not .e.json\ndef f():\n    "g.py 1"\n'
    names = {name for _, said in remarks(source) for name in NAME.findall(said)}

    assert names == {"a/b.py", "d.md", "g.py"}
    assert ways_to_name(Path("a/b.py")) == {"a/b.py", "b.py"}
