"""netdevsim for the guest: PF-like devices with any number of VFs, which take every setting that igb refuses.

Debian has it in the kernel's source only, so it is compiled against the headers of the guest's kernel, with the host's
gcc; neither headers nor source are installed. Ubuntu ships the module.
"""

from __future__ import annotations

import functools
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from . import cache, tools
from .apt import Apt, private_apt, this_suite
from .errors import LabError

FOLDER = "/drivers/net/netdevsim/"


def module(release: str) -> Path | None:
    """The module for that kernel, built if it is not in the cache (half a minute); None = the distribution ships it."""
    if this_suite().distribution != "debian":
        return None
    key = cache.key_of(release, Path(__file__).read_bytes())
    found = cache.ensure("netdevsim", key, functools.partial(_build, functools.cache(private_apt), release))
    cache.forget_old("netdevsim", key)
    return found / "netdevsim.ko"


def _build(apt: Callable[[], Apt], release: str, directory: Path) -> None:
    tree, source = directory / "tree", directory / "source"
    missing = [name for name in ("gcc", "make") if shutil.which(name) is None]
    if missing:
        apt().install(missing, apt().suite.codename)
    for package in _download(apt(), release, directory / "debs"):
        tools.must(("dpkg-deb", "-x", package, tree))
    headers = tree / "usr/src" / f"linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{tree}/usr/src/"))
    _unpack(next((tree / "usr/src").glob("linux-source-*.tar.*")), source)
    # without pahole there is no BTF to make, and nobody traces this module
    asked = (f"M={source}", "CONFIG_NETDEVSIM=m", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules")
    tools.must(("make", "-s", f"-j{os.cpu_count()}", "-C", headers, *asked))
    tools.must(("strip", "--strip-debug", "-o", directory / "netdevsim.ko", source / "netdevsim.ko"))
    for scratch in (tree, source, directory / "debs"):
        shutil.rmtree(scratch)


def _download(apt: Apt, release: str, into: Path) -> list[Path]:
    headers = f"linux-headers-{release}"
    packages = [*apt.closure([headers], "linux-headers-"), *apt.closure([headers], "linux-kbuild-")]
    version = ".".join(release.split(".")[:2])
    try:
        return apt.download([*packages, f"linux-source-{version}"], into)
    except LabError as problem:
        renew = "the mirror may have a newer kernel: python -m tests.lab prepare --refresh"
        raise LabError(f"no headers or source of {release}", f"{problem.detail}\n{renew}") from None


def _unpack(tarball: Path, into: Path) -> None:
    """The driver's files out of a kernel source, which is sorted: it is read no further than they go."""
    into.mkdir()
    with tarfile.open(tarball, "r|*") as archive:
        for member in archive:
            content = archive.extractfile(member) if FOLDER in member.name else None
            if content is not None:
                (into / Path(member.name).name).write_bytes(content.read())
            elif any(into.iterdir()):
                return
    raise LabError(f"no netdevsim in {tarball.name}")
