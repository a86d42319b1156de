"""Of which commit these sources are, for `sriovctl --version`, install, uninstall and the release.

REVISION and SOURCE_DATE_EPOCH in the environment say it; else git, in a checkout; else build/revision, which `git archive`
fills in (.gitattributes), so a source tarball knows it too. Where none does, it is unknown, and nothing else changes.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHIVED = Path(__file__).with_name("revision")
INPUT = (
    "cni_sriov",
    "conf",
    "build",
    "pyproject.toml",
    "tests/world.py",
    "tests/fakes",
)  # what decides a bundle
SHOWN = 12


def version() -> str:
    (found,) = re.findall(
        r'^__version__ = "(.+)"$', (ROOT / "cni_sriov" / "__init__.py").read_text(), re.MULTILINE
    )
    return found


def commit() -> tuple[str, str]:
    """The commit and its second; either is empty where nobody knows."""
    revision, second = os.environ.get("REVISION", ""), os.environ.get("SOURCE_DATE_EPOCH", "")
    if revision:
        return revision, second
    text = _git("log", "-1", "--format=%H %ct") or ARCHIVED.read_text()
    found = re.match(r"([0-9a-f]{40,64}) (\d+)\s", f"{text} ")
    return (found[1], found[2]) if found else ("", "")


def told() -> str:
    """One line, the same for the same sources: `0.1.0 (commit 1a2b3c4d5e6f)`."""
    revision, _ = commit()
    changed = not os.environ.get("REVISION") and _git("status", "--porcelain", "--", *INPUT)
    return f"{version()} (commit {revision[:SHOWN] or 'unknown'}{', changed' if changed else ''})"


def _git(*arguments: str) -> str:
    """What it says; nothing where this is no checkout, also below one of something else."""
    if not (ROOT / ".git").exists():
        return ""
    # `sudo make install` in a user's checkout: git would refuse another one's
    command = ["git", "-C", ROOT, "-c", f"safe.directory={ROOT}", *arguments]
    env = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
