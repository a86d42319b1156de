"""The bundle as one test session uses it: a copy of its own, so that a rebuild meanwhile does not pull it away."""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from pathlib import Path

OUT = Path(__file__).parents[1] / "build" / "out"


@functools.cache
def directory() -> Path:
    """A directory with `cni-sriov` in it, as build/out has: hard links, gone with this process."""
    if not (OUT / "cni-sriov").exists():
        raise FileNotFoundError("no bundle: run `make build`")
    home = Path(tempfile.mkdtemp(prefix="session-", dir=OUT))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with (OUT / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # build/bundle.py holds it while it builds
        shutil.copytree(OUT / "cni-sriov", home / "cni-sriov", symlinks=True, copy_function=os.link)
    return home


def sriov() -> Path:
    return directory() / "cni-sriov" / "sriov"
