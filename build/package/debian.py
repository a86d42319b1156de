"""The package for Debian and its kin: a tree, maintainer scripts, and dpkg-deb. Why not debhelper: README.md here."""

from __future__ import annotations

import os
import subprocess
from email.utils import formatdate
from pathlib import Path

from fixed import BEST, Tree, mode_of, zipped

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAME = "cni-sriov"
HOME = f"usr/lib/{NAME}"
# where runtimes look: Debian's podman 4, containerd with CRI-O and kubelet, podman 5
LINKS = (
    *("usr/lib/cni/sriov", "usr/lib/cni/host-subnet", "opt/cni/bin/sriov", "opt/cni/bin/host-subnet"),
    "usr/lib/netavark/sriov",
)
UNITS = "usr/lib/systemd/system"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
# where `make install` puts it -> where Debian has it
SHARE = {
    "bash-completion": "usr/share/bash-completion",
    "fish": "usr/share/fish",
    "zsh/site-functions": "usr/share/zsh/vendor-completions",
}
EXAMPLES = ("*.conflist", "host.json", "*.schema.json")
EXAMPLE_TREES = ("etcd", "kubernetes", "podman", "containerd", "crio", "NetworkManager", "systemd-networkd")


def architecture() -> str:
    return subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    ).stdout.strip()


def package(out: Path, work: Path, *, version: str, epoch: int, licences: dict[str, bytes]) -> bytes:
    """The .deb. `out` is build/out; `licences` are of what the programs are made of."""
    tree = Tree(work / "deb")
    tree.copy(out / "cni-sriov", HOME)
    (tree.top / HOME / "host-subnet").unlink()  # LINKS has that name
    for library in (tree.top / HOME / "lib").rglob("*.so*"):
        library.chmod(0o644)
    for name in LINKS:
        tree.link(name, f"{HOME}/sriov")
    tree.link("usr/sbin/sriovctl", f"{HOME}/sriovctl")
    shared(tree, out / "share")
    configuration(tree)
    documents(tree, version, epoch, licences)
    control(tree, out, version)
    tree.date(epoch)
    target = work / "package.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z6", "--build", tree.top, target],
        check=True,
        capture_output=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
    )
    return target.read_bytes()


def shared(tree: Tree, share: Path) -> None:
    for source, target in SHARE.items():
        tree.copy(share / source, target)
    for page in sorted((share / "man").rglob("*.[1-8]")):
        tree.put(f"usr/share/man/{page.parent.name}/{page.name}.gz", zipped(page.read_bytes(), BEST))


def configuration(tree: Tree) -> None:
    """Units start nothing until they are enabled; of files in /etc there is one."""
    for unit in sorted((ROOT / "conf" / "systemd").iterdir()):
        text = unit.read_text()
        kept = [
            line
            for line in text.splitlines()
            if not (line.startswith("# ") and "/etc/systemd/system" in line)
        ]
        tree.put(f"{UNITS}/{unit.name}", "\n".join(kept).replace("/usr/local/sbin/", "/usr/sbin/") + "\n")
    tree.put(f"etc/logrotate.d/{NAME}", ROOT / "conf" / "logrotate" / NAME)
    examples = f"usr/share/doc/{NAME}/examples"
    for path in sorted(path for pattern in EXAMPLES for path in (ROOT / "conf").glob(pattern)):
        tree.put(f"{examples}/{path.name}", path)
    for name in EXAMPLE_TREES:
        for path in sorted((ROOT / "conf" / name).rglob("*")):
            if path.is_file():
                tree.put(f"{examples}/{path.relative_to(ROOT / 'conf')}", path, mode_of(path))


def documents(tree: Tree, version: str, epoch: int, licences: dict[str, bytes]) -> None:
    doc = f"usr/share/doc/{NAME}"
    written = f"{NAME} ({version}) stable; urgency=medium\n\n  * See changelog.gz.\n\n -- {maintainer()}  {formatdate(epoch)}\n"
    tree.put(f"{doc}/changelog.Debian.gz", zipped(written.encode(), BEST))
    tree.put(f"{doc}/changelog.gz", zipped((ROOT / "CHANGELOG.md").read_bytes(), BEST))
    tree.put(f"{doc}/copyright", HERE / "debian" / "copyright")
    tree.notices(f"{doc}/licenses", licences)
    tree.put(f"usr/share/lintian/overrides/{NAME}", HERE / "debian" / "overrides")


def maintainer() -> str:
    (line,) = (
        line
        for line in (HERE / "debian" / "control").read_text().splitlines()
        if line.startswith("Maintainer: ")
    )
    return line.removeprefix("Maintainer: ")


def control(tree: Tree, out: Path, version: str) -> None:
    files = [path for path in tree.top.rglob("*") if path.is_file() and not path.is_symlink()]
    values = {
        "@VERSION@": version,
        "@ARCHITECTURE@": architecture(),
        "@GLIBC@": (out / "glibc").read_text(),
        "@SIZE@": str(sum(-(-path.stat().st_size // 1024) for path in files)),
        "@DIVERTED@": " ".join(f"/{name}" for name in LINKS),
    }
    tree.put("DEBIAN/md5sums", md5sums(tree, files))
    tree.put("DEBIAN/conffiles", f"/etc/logrotate.d/{NAME}\n")
    for name in ("control", *SCRIPTS):
        text = (HERE / "debian" / name).read_text()
        for word, value in values.items():
            text = text.replace(word, value)
        tree.put(f"DEBIAN/{name}", text, 0o644 if name == "control" else 0o755)


def md5sums(tree: Tree, files: list[Path]) -> str:
    """For `dpkg --verify`; conffiles have theirs elsewhere."""
    names = sorted(str(path.relative_to(tree.top)) for path in files)
    argv = ["md5sum", *(name for name in names if not name.startswith("etc/"))]
    return subprocess.run(argv, cwd=tree.top, capture_output=True, text=True, check=True).stdout
