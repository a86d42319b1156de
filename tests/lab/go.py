"""Compile with a distribution's Go, none of which is installed: compiler and source are in a scratch directory."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from . import tools
from .apt import Apt

PATIENT = ("nice", "-n", "19")  # Kubernetes takes all processors for minutes


class Workshop:
    """An upstream source that brings all it imports, below the name that its module has, and a compiler."""

    def __init__(self, goroot: Path, scratch: Path, module: str) -> None:
        self._goroot, self._scratch, self.module = goroot, scratch, module
        self.path = scratch / "path/src"
        self.source = self.path / module

    def build(self, into: Path, *packages: str, linker: str = "") -> None:
        """Make these programs, packages below the module."""
        flags = (f"-ldflags=-s -w {linker}", "-o", f"{into}/")
        names = [f"{self.module}/{package}" for package in packages]
        self.run(self._goroot / "bin/go", "build", *flags, *names)

    def run(self, *argv: str | Path) -> None:
        """Run a program that may want the compiler, in the source."""
        environment = {
            "PATH": f"{self._goroot / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self._scratch),
            "GOROOT": str(self._goroot),
            "GOPATH": str(self._scratch / "path"),
            "GOCACHE": str(self._scratch / "cache"),
            "GO111MODULE": "off",
            "CGO_ENABLED": "0",
        }
        tools.must((*PATIENT, *argv), env=environment, cwd=self.source)


@contextlib.contextmanager
def workshop(apt: Apt, tarball: Path, module: str, scratch: Path, suite: str = "") -> Iterator[Workshop]:
    """One in `scratch`, gone at the end. `suite` names where the compiler comes from, the apt's own suite by default."""
    shop = Workshop(_unpack_compiler(apt, suite, scratch), scratch, module)
    shop.source.mkdir(parents=True)
    tools.must(("tar", "-xf", tarball, "-C", shop.source, "--strip-components=1"))
    yield shop
    shutil.rmtree(scratch)


def _unpack_compiler(apt: Apt, suite: str, scratch: Path) -> Path:
    tree = scratch / "go"
    names = apt.closure(["golang-go"], "golang-", suite)
    for package in apt.download(names, scratch / "debs", suite):
        tools.must(("dpkg-deb", "-x", package, tree))
    _mend_links(tree)
    return next((tree / "usr/lib").glob("go-*.*"))


def _mend_links(tree: Path) -> None:
    """Point the packages' absolute links into the scratch tree."""
    for path in tree.rglob("*"):
        if path.is_symlink() and path.readlink().is_absolute():
            target = tree / str(path.readlink()).lstrip("/")
            path.unlink()
            path.symlink_to(target)
