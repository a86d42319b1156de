"""Remedies: the `sriovctl ...` commands that the code tells people to run, found in its text; and the tests that follow them.

A site is a string of the code that has such a command in it. A test marked `@follows(module, fragment)` makes the state that
the remedy is for, has it told, and runs it as it stands there (`follow`); the mark fails a test that did not. What no test
follows, tests/unit/test_remedies.py names.
"""

from __future__ import annotations

import ast
import functools
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cni_sriov.ctl.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
VERBS = "|".join(command.name for command in COMMANDS)
_COMMAND = re.compile(rf"sriovctl (?:{VERBS})\b")
_QUOTED = re.compile(rf"`(?:sudo )?(sriovctl (?:{VERBS})\b[^`]*)`")
_TO_THE_END = re.compile(rf"(?:sudo )?(sriovctl (?:{VERBS})\b[^\n;#|]*)")
_OF_RULES = (
    "decide/rules_",
    "ctl/doctor/",
)  # scripts of several lines, which tests/unit/test_remedies.py knows by rule
_NAMES = {"Evidence", "add_argument", "Command"}  # whose words are no remedies
_NO_REMEDY = re.compile(r"sriovctl [a-z]+$|usage: ")  # as locks name who holds them; how a verb is called


@dataclass(frozen=True)
class Site:
    """`text`: as it stands in the code, with {} for what is filled in."""

    module: str
    text: str

    def is_in(self, told: str) -> bool:
        parts = [re.escape(part) for part in self.text.split("{}")]
        return re.search(".*?".join(parts), told, re.DOTALL) is not None


def sites() -> list[Site]:
    """Of what is told when something is wrong: no help, no example, no source of evidence."""
    found = []
    for path in sorted((ROOT / "cni_sriov").rglob("*.py")):
        module = path.relative_to(ROOT / "cni_sriov").with_suffix("").as_posix()
        if not module.startswith(_OF_RULES) and module not in {"ctl/examples", "ctl/arguments"}:
            found += [Site(module, text) for text in _texts(ast.parse(path.read_text()))]
    return list(dict.fromkeys(found))


def _texts(tree: ast.Module) -> Iterator[str]:
    left_out = set(_not_told(tree))
    for node in ast.walk(tree):
        text = None if node in left_out else _text(node)
        if text is not None and _COMMAND.search(text) and not _NO_REMEDY.match(text):
            yield text


def _not_told(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node):
            yield node.body[0].value  # type: ignore[attr-defined]
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.Call) and _called(node) in _NAMES:
            for part in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield from ast.walk(part)


def _called(call: ast.Call) -> str:
    name = getattr(call.func, "id", "") or getattr(call.func, "attr", "")
    return str(name)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def commands(told: str) -> list[list[str]]:
    """The arguments of each: in backticks, or to the end of its line or clause."""
    found = []
    for line in told.splitlines():
        found += _QUOTED.findall(line)
        found += _TO_THE_END.findall(_QUOTED.sub("", line))
    return [shlex.split(command)[1:] for command in found]


# who follows what -----------------------------------------------------------------------------------------------------

_followed: list[str] = []
Test = Callable[..., None]


def follows(module: str, *fragments: str) -> Callable[[Test], Test]:
    """The test runs those remedies of that module, in the state that they are for."""
    meant = [_the_one(module, fragment) for fragment in fragments]

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def run(*args: Any, **keys: Any) -> None:
            _followed.clear()
            test(*args, **keys)
            missed = [site for site in meant if not any(site.is_in(told) for told in _followed)]
            assert missed == [], "it says that it follows these, and nobody was told so"

        return run

    return mark


def _the_one(module: str, fragment: str) -> Site:
    """The whole text of one, or a part that only one has."""
    found = [site for site in sites_once() if site.module == module and fragment in site.text]
    found = [one for one in found if one.text == fragment] or found
    assert len(found) == 1, f"{module} has {len(found)} remedies with {fragment!r} in it"
    return found[0]


@functools.cache
def sites_once() -> list[Site]:
    return sites()


def followed(told: str) -> list[list[str]]:
    """Its commands, for who runs them at once."""
    found = commands(told)
    assert found, f"no command in {told!r}"
    _followed.append(told)
    return found


def marks() -> list[tuple[Site, str]]:
    """(site, test) by the marks in the source of all tests."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "@follows(" in path.read_text():
            where = path.relative_to(ROOT / "tests").as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    found += [(site, f"{where}::{node.name}") for site in _marked(node)]
    return found


def _marked(test: ast.FunctionDef) -> Iterator[Site]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "follows":
            module, *fragments = map(ast.literal_eval, mark.args)
            yield from (_the_one(module, fragment) for fragment in fragments)
