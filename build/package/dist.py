"""`make dist`: what a release is made of, out of build/out, into build/out/dist. README.md here tells what and why.

`python build/package/dist.py`, after build/bundle.py. The same commit gives the same bytes: all is dated by it
(SOURCE_DATE_EPOCH and REVISION say it where there is no git).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import debian
import image
import parts
import sbom
from fixed import Tree, tar, zipped

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUT = ROOT / "build" / "out"
DIST = OUT / "dist"
SUMS = "SHA256SUMS"
PAGES = ("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "docs", "conf")


def main() -> None:
    if not (OUT / "snapshot.told").exists():
        sys.exit("a release has the static `sriov`: make build, without SNAPSHOT=no")
    version, epoch, revision = release()
    os.umask(0o022)
    with (OUT / "lock").open("a") as lock, tempfile.TemporaryDirectory(prefix="dist-", dir=OUT) as work:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as build/bundle.py does
        made = artifacts(Path(work), version, epoch, revision)
        fresh = Tree(Path(work) / "dist")
        for name, content in made.items():
            fresh.put(name, content)
        fresh.put(
            SUMS,
            "".join(
                f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(made.items())
            ),
        )
        shutil.rmtree(DIST, ignore_errors=True)
        fresh.top.rename(DIST)
    for name, content in made.items():
        print(f"  {len(content) / 1e6:6.2f} MB  build/out/dist/{name}")


def release() -> tuple[str, int, str]:
    """(version, second of the commit, commit)."""
    (version,) = re.findall(
        r'^__version__ = "(.+)"$', (ROOT / "cni_sriov" / "__init__.py").read_text(), re.MULTILINE
    )
    epoch, revision = os.environ.get("SOURCE_DATE_EPOCH"), os.environ.get("REVISION")
    if epoch is None or revision is None:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct %H"], cwd=ROOT, check=False, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(
                f"no commit to date the release by: set SOURCE_DATE_EPOCH and REVISION ({done.stderr.strip()})"
            )
        epoch, revision = done.stdout.split()
    return version, int(epoch), revision


def artifacts(work: Path, version: str, epoch: int, revision: str) -> dict[str, bytes]:
    date = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    machine = os.uname().machine
    stem = f"cni-sriov-{version}-linux-{image.ARCHITECTURES[machine]}"
    image.installer(work / "installer")
    bill = sbom.Bill(OUT, work / "installer", version=version, date=date)
    licences = parts.texts(bill.all())
    about = {"version": version, "revision": revision, "created": date}
    deb_version = f"{version}-1"
    return {
        f"{stem}.tar.gz": tarball(work, epoch, stem, licences),
        f"cni-sriov_{deb_version}_{debian.architecture()}.deb": debian.package(
            OUT, work, version=deb_version, epoch=epoch, licences=licences
        ),
        f"{stem}.oci.tar": image.image(
            OUT / "cni-sriov", work, about=about, epoch=epoch, machine=machine, licences=licences
        ),
        f"cni-sriov-{version}.cdx.json": bill.document(),
    }


def tarball(work: Path, epoch: int, stem: str, licences: dict[str, bytes]) -> bytes:
    """build/install works in it as in a checkout."""
    tree = Tree(work / "tarball")
    for name in ("cni-sriov", "share"):
        tree.copy(OUT / name, name)
    for name in ("glibc", "snapshot.told"):
        tree.put(name, OUT / name)
    tree.put("install", HERE.parent / "install", 0o755)
    for name in PAGES:
        if (ROOT / name).is_dir():
            tree.copy(ROOT / name, name)
        else:
            tree.put(name, ROOT / name)
    tree.notices("licenses", licences)
    return zipped(tar(tree.top, epoch, f"{stem}/"))


if __name__ == "__main__":
    main()
