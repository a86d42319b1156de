"""`make lab-py313`: Debian 13's Python builds the bundle, and passes the unit and integration tests, in a root of that suite.

The root is made once by mmdebstrap from the machine's own mirror and kept in the cache; what is run there is the
checkout's own `make build` and pytest, with a cache of its own. It has this machine's kernel, /proc, /sys and /dev.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT

from . import cache, sources
from .apt import private_apt
from .errors import LabError

SUITE = "trixie"
PACKAGES = (
    *(
        "python3",
        "python3-dev",
        "python3-venv",
        "binutils",
        "gcc",
        "libc6-dev",
        "dpkg-dev",
        "iproute2",
        "git",
    ),
    *("iputils-ping", "kmod", "containernetworking-plugins", "mount", "strace", "valgrind", "make", "procps"),
    "ca-certificates",
)
INPUT = ("build", "cni_sriov", "conf", "docs", "tests")
MACHINES = (
    "etc/resolv.conf",
    "etc/pip.conf",
    "etc/ssl/certs/ca-certificates.crt",
)  # how it reaches its registries
# Not there: a guest, user namespaces, and what is recorded for this machine's Python.
TESTS = "not lab and not slow"
# The root is a mount of its own: the tests make what is below `/` private.
ENTER = """
mount --rbind "$1" "$1" || exit 9
for directory in proc sys dev; do mount --rbind /$directory "$1/$directory"; done
exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin CNI_SRIOV_CACHE=/cache $3 sh -c "$2"
"""
WORK = "cd /src && make build && exec /cache/venv/bin/python -m pytest -q -p no:cacheprovider -m '{tests}' {which}"


def root() -> Path:
    """Made once; a minute."""
    return cache.ensure("py313", cache.key_of(SUITE, *PACKAGES), _make) / "root"


def _make(directory: Path) -> None:
    apt = private_apt()
    if shutil.which("mmdebstrap") is None:
        apt.install(["mmdebstrap"], apt.suite.codename)
    mirror = sources.parse_deb822(apt.sources.read_text())[0].uris
    argv: list[str | Path] = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        directory / "root",
        mirror,
    ]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"cannot make a root of {SUITE}", done.stderr[-600:])


def fill(home: Path) -> None:
    """The checkout as it is, and how the machine reaches its registries."""
    src = home / "src"
    shutil.rmtree(src, ignore_errors=True)
    for name in INPUT:
        shutil.copytree(
            ROOT / name, src / name, ignore=shutil.ignore_patterns("out", "vendor", "__pycache__")
        )
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, src)
    for name in MACHINES:
        if Path("/", name).exists():
            shutil.copy(Path("/", name), home / name)


def main() -> int:
    which = " ".join(sys.argv[1:]) or "tests/unit tests/integration"
    try:
        home = root()
    except LabError as problem:
        print(f"py313: {problem}", file=sys.stderr)
        return 1
    fill(home)
    mine = " ".join(f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_"))
    work = WORK.format(tests=TESTS, which=which)
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", ENTER, "enter", str(home), work, mine], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
