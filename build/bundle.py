"""`make build`: make `sriov` and `sriovctl`, manual pages and completions, if the sources changed, and say what came out:
contents, sizes, lowest glibc.

`sriov` is a snapshot (build/snapshot); with SNAPSHOT=no in the environment PyInstaller makes it, as it makes sriovctl.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("snapshot")))
import picture
import revision
import source

ROOT = Path(__file__).parents[1]
OUT = Path(os.environ.get("OUT") or ROOT / "build" / "out").absolute()
BUNDLE = OUT / "cni-sriov"
SHARE = OUT / "share"  # what goes to PREFIX/share
RECIPE = OUT / "recipe"
VERSION = BUNDLE / "lib" / "version"  # cni_sriov/ctl/version.py and build/install read it
SHOWN = 6
SNAPSHOT = os.environ.get("SNAPSHOT") or "yes"
TOLD = OUT / "snapshot.told"
# Whatever the caller's environment says, the same sources become the same bytes (tests/integration/test_build.py). The
# date is the first that a zip archive knows, not the last commit's: a source archive has no commits. PyInstaller keeps
# stripped libraries: here, not where other checkouts' builds put theirs at the same time.
FIXED = {
    "LC_ALL": "C.UTF-8",
    "PYINSTALLER_CONFIG_DIR": str(OUT / "cache"),
    "PYTHONHASHSEED": "0",
    "PYTHONNODEBUGRANGES": "1",  # columns of what has no source: 0.15 MB
    "PYTHONPATH": "",
    "SNAPSHOT": SNAPSHOT,
    "SOURCE_DATE_EPOCH": "315532800",
    "TZ": "UTC",
}


def recipe() -> str:
    """Everything that decides the bundle's bytes: our sources, the spec, the interpreter, the libraries."""
    digest = hashlib.sha256(sys.version.encode())
    digest.update((Path(sys.prefix) / "recipe").read_bytes())
    inputs = [
        *ROOT.glob("cni_sriov/**/*.py"),
        *ROOT.glob("conf/*.json"),
        *ROOT.glob("conf/*.conflist"),  # in a manual page, as the codes are
        ROOT / "docs" / "errors.md",
        *ROOT.glob("build/*"),
        *ROOT.glob("build/manuals/*"),
        *ROOT.glob("build/snapshot/*"),
        *picture.player_sources().values(),
    ]
    for path in sorted(inputs):
        if path.is_file() and path != revision.ARCHIVED:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    if SNAPSHOT != "no":
        for library in picture.libraries():
            digest.update(library.read_bytes())
    return digest.hexdigest()


def build() -> None:
    """Into a directory beside, then swapped: what runs from the bundle meanwhile sees the old or the new one."""
    fresh = OUT / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    options = ["--noconfirm", "--log-level", "WARN", "--workpath", OUT / "work", "--distpath", fresh]
    run("-m", "PyInstaller", *options, ROOT / "build" / "cni-sriov.spec")
    (OUT / "glibc").write_text(lowest_glibc(fresh))
    TOLD.unlink(missing_ok=True)
    if SNAPSHOT != "no":
        extra = source.json_c()
        target = fresh / BUNDLE.name / "sriov"
        TOLD.write_text(run(picture.__file__, target, OUT / "snapshot", *([extra] if extra else [])))
    (fresh / BUNDLE.name / "host-subnet").symlink_to("sriov")
    run(ROOT / "build" / "manuals" / "make.py", fresh / SHARE.name)
    for made in (SHARE, BUNDLE):
        old = OUT / "old"
        shutil.rmtree(old, ignore_errors=True)
        if made.exists():
            made.rename(old)
        (fresh / made.name).rename(made)
        shutil.rmtree(old, ignore_errors=True)


def run(*arguments: str | Path) -> str:
    """Python in the fixed environment; a failure ends the build."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT, env=os.environ | FIXED
    )
    if done.returncode:
        sys.exit(f"{' '.join(command[:3])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def lowest_glibc(directory: Path) -> str:
    """The newest symbol version that anything in the bundle asks for: GLIBC_2.34 runs on 2.34 and later."""
    found = {(2, 0)}
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.read_bytes()[:4] == b"\x7fELF":
            table = subprocess.run(["objdump", "-T", path], capture_output=True, text=True, check=True).stdout
            found |= {(int(major), int(minor)) for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", table)}
    return ".".join(map(str, max(found)))


def size(paths: Iterable[Path]) -> str:
    return f"{sum(path.stat().st_size for path in paths) / 1e6:.1f} MB"


def note_version() -> None:
    """Another commit of the same sources is no reason to build anew. By rename: test sessions have links to the file."""
    told = f"{revision.told()}\n"
    if not VERSION.exists() or VERSION.read_text() != told:
        fresh = OUT / "version"
        fresh.write_text(told)
        fresh.chmod(0o644)
        fresh.rename(VERSION)


def report() -> None:
    files = {path for path in BUNDLE.rglob("*") if path.is_file() and not path.is_symlink()}
    print(f"  version    {VERSION.read_text().strip()}")
    print(f"  bundle     {shown(BUNDLE)}, {size(files)}, {len(files)} files")
    print(largest(files))
    manuals = sorted(path.relative_to(SHARE) for path in SHARE.rglob("*") if path.is_file())
    print(f"  manuals    {shown(SHARE)}: {', '.join(map(str, manuals))}")
    whole = "sriovctl on" if TOLD.exists() else "on"
    print(f"  runs       {whole} glibc {(OUT / 'glibc').read_text()} or later, {os.uname().machine}")


def shown(path: Path) -> str:
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def largest(files: Iterable[Path]) -> str:
    """One line for each large file, and what is in it if it is an archive of modules."""
    lines = []
    for path in sorted(files, key=lambda path: (-path.stat().st_size, path))[:SHOWN]:
        told = f"{path.stat().st_size / 1e6:6.2f} MB  {path.relative_to(BUNDLE)}"
        lines.append(f"             {told}{modules_in(path)}")
    return "\n".join(lines)


def modules_in(path: Path) -> str:
    if path.name == "sriov" and TOLD.exists():
        return f": {TOLD.read_text()}"
    if path.name not in {"sriov", "sriovctl"}:
        return ""
    from PyInstaller.archive.readers import CArchiveReader

    return f": {len(CArchiveReader(str(path)).open_embedded_archive('PYZ.pyz').toc)} modules in its archive"


def make() -> None:
    wanted = recipe()
    if not RECIPE.exists() or RECIPE.read_text() != wanted:
        how = "PyInstaller" if SNAPSHOT == "no" else "a snapshot, and PyInstaller"
        print(f"  build      {how} (about 20 s)", flush=True)
        build()
        RECIPE.write_text(wanted)
    elif "--quiet" in sys.argv:
        note_version()
        return
    note_version()
    report()


def main() -> None:
    try:
        if OUT != ROOT / "build" / "out" and OUT.exists() and os.listdir(OUT) and not (OUT / "lock").exists():
            sys.exit(f"{OUT} has something else in it: make build OUT={OUT}/out")  # and parts of it would go
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "lock").touch()
    except OSError as problem:
        sys.exit(f"{OUT} cannot be written ({problem.strerror}): make build OUT=DIRECTORY")
    with (OUT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            make()
        except picture.CannotBuild as problem:
            sys.exit(f"the snapshot cannot be made: {problem}")


if __name__ == "__main__":
    main()
