"""`make lab-etcd`: what speaks to etcd, with the etcd of each newer suite of Debian in place of the machine's own.

The packages are unpacked in the cache and not installed; whoever starts `etcd` or `etcdctl` (tests/etcd.py, tests/oneetcd.py)
finds them by PATH.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT

from . import cache, tools
from .apt import private_apt
from .errors import LabError

SUITES = ("trixie", "sid")
PACKAGES = ("etcd-server", "etcd-client")
TESTS = (
    *("test_etcd.py", "test_cluster_page.py", "test_shared_pool.py", "test_shared_pool_answers.py"),
    *("test_shared_pool_clocks.py", "test_shared_pool_ipv6.py", "test_shared_pool_kills.py"),
    "test_shared_pool_wrong.py",
)


def programs(suite: str) -> Path:
    """The directory with its etcd and etcdctl."""
    apt = private_apt().of(suite)

    def unpack(directory: Path) -> None:
        for package in apt.download([*PACKAGES], directory / "debs"):
            tools.must(("dpkg-deb", "-x", package, directory))

    key = cache.key_of(suite, apt.source_name("etcd"), *PACKAGES)
    return cache.ensure("etcd", key, unpack) / "usr/bin"


def run(suite: str) -> bool:
    """Whether all went well; pytest says what did not."""
    there = programs(suite)
    env = os.environ | {"PATH": f"{there}:{os.environ['PATH']}"}
    told = tools.must((there / "etcd", "--version"), env=env).decode()
    print(f"etcd of {suite}: {told.splitlines()[0]}", flush=True)
    tests = [f"tests/integration/{name}" for name in TESTS]
    return subprocess.run((sys.executable, "-m", "pytest", "-q", *tests), env=env, cwd=ROOT).returncode == 0


def main() -> int:
    try:
        failed = [suite for suite in SUITES if not run(suite)]
    except LabError as problem:
        print(f"lab-etcd: {problem}", file=sys.stderr)
        return 1
    if failed:
        print(f"lab-etcd: failed with the etcd of {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
