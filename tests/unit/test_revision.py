"""The commit that `sriovctl --version`, install and the release tell: of git, of a source archive, of the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import ROOT

PARTS = (".gitattributes", "build/revision", "build/revision.py", "cni_sriov/__init__.py")
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in {"NAME": "us", "EMAIL": "us@example.org", "DATE": "1700000000 +0000"}.items()
}


def git(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=home,
        env=os.environ | WHO,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def sources(home: Path) -> Path:
    for name in PARTS:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, home / name)
    (home / "cni_sriov/__init__.py").write_text('__version__ = "7.8.9"\n')
    return home


def told(home: Path, call: str = "told()", **variables: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in {"REVISION", "SOURCE_DATE_EPOCH"}}
    code = f"import revision; print(revision.{call})"
    command = [sys.executable, "-B", "-c", code]
    env |= {"PYTHONPATH": str(home / "build")} | variables
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> tuple[Path, str]:
    """And its commit."""
    home = sources(tmp_path / "checkout")
    git(home, "init", "-q")
    git(home, "add", "-A")
    git(home, "commit", "-q", "-m", "one")
    return home, git(home, "rev-parse", "HEAD")


def test_of_a_checkout_it_is_gits_and_it_says_if_the_sources_are_others(checkout: tuple[Path, str]) -> None:
    home, commit = checkout

    assert told(home) == f"7.8.9 (commit {commit[:12]})"
    (home / "README.md").write_text("of no bundle")
    assert told(home) == f"7.8.9 (commit {commit[:12]})"
    (home / "cni_sriov/new.py").write_text("")
    assert told(home) == f"7.8.9 (commit {commit[:12]}, changed)"


def test_of_another_users_checkout_it_is_gits_as_well(checkout: tuple[Path, str]) -> None:
    """`sudo make install`: git refuses to read another one's checkout."""
    home, commit = checkout
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        for path in home.rglob("*"):
            os.chown(path, 65534, 65534)

    assert told(home, SUDO_UID="") == f"7.8.9 (commit {commit[:12]})"


def test_of_an_archive_it_is_what_git_archive_wrote_also_inside_another_checkout(
    checkout: tuple[Path, str],
) -> None:
    home, commit = checkout
    git(home, "archive", "-o", "source.tar", "HEAD")
    inside = home / "unpacked"
    inside.mkdir()
    subprocess.run(["tar", "-xf", home / "source.tar", "-C", inside], check=True)

    assert told(inside) == f"7.8.9 (commit {commit[:12]})"
    assert told(inside, "commit()") == str((commit, "1700000000"))


def test_where_nobody_knows_it_is_unknown_unless_the_environment_says_it(tmp_path: Path) -> None:
    home = sources(tmp_path)

    assert told(home) == "7.8.9 (commit unknown)"
    assert told(home, REVISION="f" * 40) == f"7.8.9 (commit {'f' * 12})"
