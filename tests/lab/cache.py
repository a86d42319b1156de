"""The lab's cache: things keyed by what they are made of, built once, put in place by rename.

A half-built thing never carries its final name, and a lock makes a second run wait instead of building
the same thing again. Nothing here knows what is built.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

KEPT = 3


def cache_dir() -> Path:
    """Where the lab keeps everything it downloads or builds."""
    chosen = os.environ.get("CNI_SRIOV_CACHE")
    if chosen:
        return Path(chosen).absolute() / "lab"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "cni-sriov" / "lab"


def key_of(*parts: str | bytes) -> str:
    """Name a thing by its recipe: another recipe, another directory."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive flock on `path`; the kernel drops it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """Return the directory `kind/key`, built by `build(directory)` if it is not there yet."""
    home = cache_dir() / kind
    final = home / key
    if final.exists():
        return final
    with locked(home / ".lock"):
        if final.exists():
            return final
        for left in home.glob(".building-*"):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=".building-", dir=home))
        work.chmod(0o755)
        try:
            build(work)
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return final


def forget_old(kind: str, used: str) -> None:
    """Remove what earlier recipes left in `kind`, but for the last few: another branch may still use these."""
    home = cache_dir() / kind
    with locked(home / ".lock"):
        os.utime(home / used)
        built = [path for path in home.iterdir() if path.is_dir()]
        for path in sorted(built, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def run_dir() -> Iterator[Path]:
    """Give one VM a private directory, and sweep those whose owner died without cleaning up."""
    home = cache_dir() / "run"
    with contextlib.ExitStack() as stack:
        with locked(home / ".lock"):
            for left in home.glob("vm-*"):
                _sweep(left)
            path = Path(tempfile.mkdtemp(prefix="vm-", dir=home))
            stack.callback(shutil.rmtree, path, ignore_errors=True)
            stack.enter_context(locked(path / "owner"))
        yield path


def _sweep(path: Path) -> None:
    """Remove `path` unless a live process holds the lock in it."""
    with contextlib.suppress(BlockingIOError, FileNotFoundError), (path / "owner").open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
