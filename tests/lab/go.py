"""Compile with a distribution's Go, none of which is installed: compiler and source are in a scratch directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import tools
from .apt import Apt

PATIENT = ("nice", "-n", "19")  # Kubernetes takes both processors for minutes


def build(
    apt: Apt,
    tarball: Path,
    module: str,
    commands: Sequence[str],
    directory: Path,
    *,
    suite: str = "",
    linker: str = "",
) -> None:
    """Make `commands`, packages below `module`, of an upstream tarball that brings all it imports; they are left in `directory`.

    `suite` names where the compiler comes from, the apt's own suite by default.
    """
    scratch = directory / "scratch"
    goroot = _unpack_compiler(apt, suite, scratch)
    source = scratch / "path/src" / module
    source.mkdir(parents=True)
    tools.must(("tar", "-xf", tarball, "-C", source, "--strip-components=1"))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "GOROOT": str(goroot),
        "GOPATH": str(scratch / "path"),
        "GOCACHE": str(scratch / "cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    flags = (f"-ldflags=-s -w {linker}", "-o", f"{directory}/")
    packages = [f"{module}/{command}" for command in commands]
    tools.must((*PATIENT, goroot / "bin/go", "build", *flags, *packages), env=environment, cwd=source)
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
