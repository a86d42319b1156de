"""The bundle as one test session uses it: a copy of its own, so that a rebuild meanwhile does not pull it away."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = Path(os.environ.get("OUT") or ROOT / "build" / "out")
INSTALL = ROOT / "build" / "install"
CNIBINDIRS = ("/opt/cni/bin", "/usr/lib/cni")  # containerd's and Kubernetes'; Debian's podman and containerd


@functools.cache
def directory() -> Path:
    """A directory with `cni-sriov` in it, as build/out has: hard links, gone with this process."""
    if not (OUT / "cni-sriov").exists():
        raise FileNotFoundError("no bundle: run `make build`")
    with (OUT / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # build/bundle.py holds it while it builds
        _sweep()
        home = Path(tempfile.mkdtemp(prefix="session-", dir=OUT))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        fcntl.flock(os.open(home, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_SH)  # to the end of this process
        shutil.copytree(OUT / "cni-sriov", home / "cni-sriov", symlinks=True, copy_function=os.link)
        if is_snapshot():
            os.link(OUT / "snapshot" / "raw", home / "raw")
    if shutil.which("mksquashfs"):
        press(home / "cni-sriov")
    return home


@functools.cache
def installed() -> Path:
    """A directory with `installed`, a tree as `make install` lays it out where runtimes look, and with `cni-sriov` as well."""
    home = directory() / "runtimes"
    (home / "cni-sriov").mkdir(parents=True)
    os.link(directory() / "cni-sriov.squashfs", home / "cni-sriov.squashfs")
    with (OUT / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for cnibindir in CNIBINDIRS:
            env = os.environ | {"DESTDIR": str(home / "installed"), "CNIBINDIR": cnibindir}
            subprocess.run((INSTALL, "install"), env=env, check=True, stdout=subprocess.DEVNULL)
    press(home / "installed")
    return home


def press(directory: Path, beside: Path | None = None) -> None:
    """Also as an image, which the lab's guest mounts over the directory, or over `beside` (lab/inside/agent.py). Not
    compressed: an emulated processor reads it.
    """
    plain = ("-noappend", "-noI", "-noD", "-noF", "-noX", "-quiet", "-no-progress")
    image = (beside or directory).with_suffix(".squashfs")
    subprocess.run(("mksquashfs", directory, image, *plain), check=True, stdout=subprocess.DEVNULL)


def _sweep() -> None:
    """What sessions left that were killed."""
    for home in OUT.glob("session-*"):
        with contextlib.suppress(OSError):  # another session's, alive or gone just now
            fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(fd)


def sriov() -> Path:
    return directory() / "cni-sriov" / "sriov"


def is_snapshot() -> bool:
    """Whether `sriov` is one static file (build/snapshot), or PyInstaller's (`make build SNAPSHOT=no`)."""
    return (OUT / "snapshot.told").exists()


def raw() -> Path:
    """The program that made the snapshot, and makes others (build/snapshot/picture.py)."""
    return directory() / "raw"
