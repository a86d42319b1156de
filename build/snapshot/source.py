"""The one file that Debian 12's libpython3.11.a lacks: Modules/_json.c, out of the distribution's own source package.

Fetched and verified by the lab's private apt configuration, unpacked with the distribution's patches, kept in the cache.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import picture

sys.path.insert(0, str(picture.ROOT))


def json_c() -> Path | None:
    """None where the library has it."""
    if "_json" in picture.builtin(picture.library()):
        return None
    from tests.lab import cache

    found = cache.ensure("json", f"python{platform.python_version()}", _fetch)
    return found / "_json.c"


def _fetch(directory: Path) -> None:
    from tests.lab import apt, errors, tools

    package = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    try:
        apt.private_apt().source(package, directory, whole=True)
    except errors.LabError as problem:
        raise picture.CannotBuild(
            f"no source of {package}: {problem}; `make build SNAPSHOT=no` goes without"
        ) from None
    description = next(directory.glob("*.dsc"))
    if f"_{platform.python_version()}" not in description.name:
        raise picture.CannotBuild(
            f"{description.name} is not the source of Python {platform.python_version()}"
        )
    tree = directory / "tree"
    tools.must(("dpkg-source", "--no-check", "-x", description, tree))  # apt has checked it
    (tree / "Modules" / "_json.c").rename(directory / "_json.c")
    shutil.rmtree(tree)
    for left in directory.glob("*.*"):
        if left.name != "_json.c":
            left.unlink()
