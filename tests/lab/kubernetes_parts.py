"""Kubernetes' server parts, compiled of Debian 12's source package: the newest that Debian has, and it packages kubectl alone.

`python -m tests.lab.kubernetes_parts` makes them, once: a quarter of an hour of a processor.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from . import cache, go, tools
from .apt import private_apt
from .errors import LabError

SUITE = "bookworm"
MODULE = "k8s.io/kubernetes"
PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
LINKER = "-X k8s.io/component-base/version.git"


def image() -> Path:
    """A squashfs with the four. Not compressed: an emulated processor reads it."""
    key = cache.key_of(SUITE, *PARTS, LINKER, Path(go.__file__).read_bytes())
    return cache.ensure("kubernetes", key, _build) / "parts.squashfs"


def _build(home: Path) -> None:
    apt = private_apt().of(SUITE)
    source = apt.source("kubernetes", home / "source")
    # 1.20.5+really1.20.2: Debian went back to an older one, under a higher number
    found = re.search(r"(\d+)\.(\d+)\.\d+(?=\.orig)", source.name)
    if found is None:
        raise LabError(f"{source.name} has no version in its name")
    stamp = {"Version": f"v{found[0]}", "Major": found[1], "Minor": found[2]}
    linker = " ".join(f"{LINKER}{name}={value}" for name, value in stamp.items())
    go.build(apt, source, MODULE, [f"cmd/{part}" for part in PARTS], home, linker=linker)
    plain = ("-noI", "-noD", "-noF", "-noX", "-noappend", "-quiet", "-no-progress")
    programs = [home / part for part in PARTS]
    tools.must(("mksquashfs", *programs, home / "parts.squashfs", *plain))
    for scratch in (*programs, source):
        scratch.unlink()


def main() -> int:
    try:
        print(f"Kubernetes' parts: {image()}")
    except LabError as problem:
        print(f"kubernetes: {problem.what}\n{problem.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
