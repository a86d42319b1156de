"""A module for the guest that changes the VF offset which the kernel reckons with: a slot without ARI, as QEMU has none."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

from . import cache, headers, tools
from .apt import Apt, private_apt

SOURCE = Path(__file__).parent / "inside/vfoffset.c"


def module(release: str) -> Path:
    """The module for that kernel, built if it is not in the cache (some seconds, and a download of headers)."""
    recipe = [Path(path).read_bytes() for path in (__file__, headers.__file__, SOURCE)]
    key = cache.key_of(release, *recipe)
    found = cache.ensure("vfoffset", key, functools.partial(_build, functools.cache(private_apt), release))
    cache.forget_old("vfoffset", key)
    return found / "vfoffset.ko"


def _build(apt: Callable[[], Apt], release: str, directory: Path) -> None:
    tree, source = directory / "tree", directory / "source"
    source.mkdir()
    shutil.copy2(SOURCE, source)
    (source / "Kbuild").write_text("obj-m := vfoffset.o\n")
    headers.build(headers.unpacked(apt, release, tree), source)
    tools.must(("strip", "--strip-debug", "-o", directory / "vfoffset.ko", source / "vfoffset.ko"))
    for scratch in (tree, source):
        shutil.rmtree(scratch)
