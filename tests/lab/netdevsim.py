"""netdevsim for the guest: PF-like devices with any number of VFs, which take every setting that igb refuses.

Debian has it in the kernel's source only, so it is compiled against the headers of the guest's kernel, with the host's
gcc; neither headers nor source are installed. Ubuntu ships the module.
"""

from __future__ import annotations

import functools
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from . import cache, headers, tools
from .apt import Apt, private_apt, this_suite
from .errors import LabError

FOLDER = "/drivers/net/netdevsim/"


def module(release: str) -> Path | None:
    """The module for that kernel, built if it is not in the cache (half a minute); None = the distribution ships it."""
    if this_suite().distribution != "debian":
        return None
    key = cache.key_of(release, Path(__file__).read_bytes(), Path(headers.__file__).read_bytes())
    found = cache.ensure("netdevsim", key, functools.partial(_build, functools.cache(private_apt), release))
    cache.forget_old("netdevsim", key)
    return found / "netdevsim.ko"


def _build(apt: Callable[[], Apt], release: str, directory: Path) -> None:
    tree, source, debs = directory / "tree", directory / "source", directory / "debs"
    found = headers.unpacked(apt, release, tree)
    version = ".".join(release.split(".")[:2])
    for package in headers.download(apt(), release, [f"linux-source-{version}"], debs):
        tools.must(("dpkg-deb", "-x", package, tree))
    _unpack(next((tree / "usr/src").glob("linux-source-*.tar.*")), source)
    headers.build(found, source, "CONFIG_NETDEVSIM=m")
    tools.must(("strip", "--strip-debug", "-o", directory / "netdevsim.ko", source / "netdevsim.ko"))
    for scratch in (tree, source, debs):
        shutil.rmtree(scratch)


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
