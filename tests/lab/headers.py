"""Kernel headers for modules that tests build: unpacked beside them, never installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from . import tools
from .apt import Apt
from .errors import LabError


def unpacked(apt: Callable[[], Apt], release: str, directory: Path) -> Path:
    """The headers of that kernel, ready to build against, in `directory`; gcc and make are installed if they are missing."""
    missing = [name for name in ("gcc", "make") if shutil.which(name) is None]
    if missing:
        apt().install(missing, apt().suite.codename)
    headers = f"linux-headers-{release}"
    packages = [*apt().closure([headers], "linux-headers-"), *apt().closure([headers], "linux-kbuild-")]
    for package in download(apt(), release, packages, directory / "debs"):
        tools.must(("dpkg-deb", "-x", package, directory))
    shutil.rmtree(directory / "debs")
    found = directory / "usr/src" / headers
    makefile = found / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{directory}/usr/src/"))
    return found


def download(apt: Apt, release: str, packages: list[str], into: Path) -> list[Path]:
    try:
        return apt.download(packages, into)
    except LabError as problem:
        renew = "the mirror may have a newer kernel: python -m tests.lab prepare --refresh"
        raise LabError(f"no headers or source of {release}", f"{problem.detail}\n{renew}") from None


def build(headers: Path, source: Path, *options: str) -> None:
    """The modules of a source directory. Without pahole there is no BTF to make, and nobody traces them."""
    asked = (f"M={source}", *options, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules")
    tools.must(("make", "-s", f"-j{os.cpu_count()}", "-C", headers, *asked))
