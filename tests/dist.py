"""What a release is made of (`make dist`), once in a session: of the bundle as it is."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.lab.cache import cache_dir
from tests.pages import ROOT

OUT = Path(os.environ.get("OUT") or ROOT / "build" / "out")
DIST = OUT / "dist"
(VERSION,) = re.findall(
    r'^__version__ = "(.+)"$', (ROOT / "cni_sriov" / "__init__.py").read_text(), re.MULTILINE
)


@functools.cache
def made() -> str:
    """What `make dist` said; it is in DIST then."""
    env = {key: value for key, value in os.environ.items() if key not in {"MAKELEVEL", "MFLAGS"}}
    env |= {"MAKEFLAGS": "--old-file=build"}  # `make test` has built it
    done = subprocess.run(["make", "dist"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def artifact(ending: str) -> Path:
    """The one with that ending."""
    made()
    (path,) = DIST.glob(f"*{ending}")
    return path


def with_its_packages(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with what `build/setup dist` installs."""
    env = os.environ | {"PYTHONPATH": str(cache_dir().parent / "dist")}
    return subprocess.run([sys.executable, *arguments], env=env, cwd=ROOT, capture_output=True, text=True)
