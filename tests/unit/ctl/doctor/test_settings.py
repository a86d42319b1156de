"""TOML files that lie over each other, as their runtimes read them."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import settings
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree

MAIN = "/etc/containerd/config.toml"


def read(tree: Tree) -> tuple[list[str], list[str]]:
    failures = Failures()
    found = settings.with_imports(tree.files, MAIN, failures)
    return [path for path, _ in found], failures.told


def test_imports_follow_in_their_order_each_once(tree: Tree) -> None:
    tree.write(MAIN, 'imports = ["conf.d/*.toml", "/srv/last.toml"]\n')
    tree.write("/etc/containerd/conf.d/b.toml", 'imports = ["../config.toml", "b.toml"]\n')
    tree.write("/etc/containerd/conf.d/a.toml", "version = 2\n")
    tree.write("/etc/containerd/conf.d/c.conf", "version = 2\n")
    tree.write("/srv/last.toml", "version = 2\n")

    assert read(tree)[0] == [
        MAIN,
        "/etc/containerd/conf.d/a.toml",
        "/etc/containerd/conf.d/b.toml",
        "/srv/last.toml",
    ]


def test_a_loop_of_imports_ends(tree: Tree) -> None:
    tree.write(MAIN, 'imports = ["./config.toml", "x/../config.toml", "d/*.toml"]\n')
    for number in range(300):  # by hard work: each imports all
        tree.write(f"/etc/containerd/d/{number:03}.toml", 'imports = ["*.toml"]\n')

    found, unseen = read(tree)

    assert (found[0], found[1], unseen) == (MAIN, "/etc/containerd/d/000.toml", [])
    assert len(found) == 100


@pytest.mark.parametrize("text", ["version = ", "a = " + "[" * 5000, "imports = 7\n[x", b"\xff\xfe"])
def test_what_is_no_toml_is_passed_over_and_told(tree: Tree, text: str | bytes) -> None:
    tree.write(MAIN, text)

    found, unseen = read(tree)

    assert (found, len(unseen)) == ([], 1)
    assert unseen[0].startswith(f"{MAIN}: it is no TOML")


def test_what_is_not_there_is_not_told(tree: Tree) -> None:
    assert read(tree) == ([], [])


def test_tables_and_lists_of_text() -> None:
    assert settings.below({"a": {"b": {"c": 1}}}, "a", "b") == {"c": 1}
    assert settings.below({"a": 1}, "a", "b") == {}
    assert settings.texts(["x", 1, ""]) == ["x"]
    assert (settings.texts("x"), settings.texts(7)) == (["x"], [])
