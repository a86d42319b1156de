"""`make dist`: what a release is made of, out of build/out, into build/out/dist. README.md here tells what and why.

`python build/package/dist.py`, after build/bundle.py. The same commit gives the same bytes: all is dated by it
(build/revision.py knows it).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import debian
import image
import parts
import revision
import sbom
from fixed import Tree, tar, zipped

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUT = Path(os.environ.get("OUT") or ROOT / "build" / "out").absolute()
DIST = OUT / "dist"
SUMS = "SHA256SUMS"
PAGES = ("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "docs", "conf")


def main() -> None:
    if not (OUT / "snapshot.told").exists():
        sys.exit("a release has the static `sriov`: make build, without SNAPSHOT=no")
    version, epoch, commit = release()
    os.umask(0o022)
    with (OUT / "lock").open("a") as lock, tempfile.TemporaryDirectory(prefix="dist-", dir=OUT) as work:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as build/bundle.py does
        made = artifacts(Path(work), version, epoch, commit)
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
        print(f"  {len(content) / 1e6:6.2f} MB  {DIST / name}")


def release() -> tuple[str, int, str]:
    """(version, second of the commit, commit)."""
    commit, second = revision.commit()
    if not commit or not second:
        sys.exit("no commit to date the release by: set SOURCE_DATE_EPOCH and REVISION")
    return revision.version(), int(second), commit


def artifacts(work: Path, version: str, epoch: int, commit: str) -> dict[str, bytes]:
    date = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    machine = os.uname().machine
    stem = f"cni-sriov-{version}-linux-{image.ARCHITECTURES[machine]}"
    image.installer(work / "installer")
    bill = sbom.Bill(OUT, work / "installer", version=version, date=date)
    licences = parts.texts(bill.all())
    about = {"version": version, "revision": commit, "created": date}
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
