"""How the parts of a guest are made: kernel, cnitool and root file system, of packages of the machine's own mirror.

plan.py names what these make by a hash of this file: any change here makes all guests anew (a minute each).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from . import containers, kernel, tools
from .apt import Apt
from .recipes import Recipe

# dpdk-testpmd is in the first, which wants the second, headers and all drivers (60 MiB); the driver of VFs is recommended
TESTPMD, HEADERS, VF_DRIVER = "dpdk-dev", "libdpdk-dev", "librte-net-e1000-"
GO_PACKAGES = ("golang-go", "golang-github-appc-cni-dev")


def build_kernel(apt: Callable[[], Apt], directory: Path) -> None:
    """Fetch the newest kernel of the suite and unpack it."""
    for package in apt().download(apt().newest_kernel(), directory / "debs"):
        tools.must(("dpkg-deb", "-x", package, directory / "root"))
    shutil.rmtree(directory / "debs")
    image = next((directory / "root/boot").glob("vmlinuz-*"))
    (directory / "vmlinux").write_bytes(kernel.extract_vmlinux(image))
    (directory / "release").write_text(image.name.removeprefix("vmlinuz-"))


def build_cnitool(apt: Callable[[], Apt], directory: Path) -> None:
    """Compile cnitool with the distribution's Go, none of which is installed: it runs from a scratch tree."""
    packages = apt().closure(list(GO_PACKAGES), "golang-")
    tree = directory / "go"
    for package in apt().download(packages, directory / "debs"):
        tools.must(("dpkg-deb", "-x", package, tree))
    goroot = next((tree / "usr/lib").glob("go-*.*"))
    _mend_links(tree)
    # the library's package leaves the command out; its source package has it
    tarball = apt().source(GO_PACKAGES[-1], directory / "debs")
    library = tree / "usr/share/gocode/src/github.com/containernetworking/cni"
    unpack = ("tar", "-xf", tarball, "-C", library, "--strip-components=1", "--wildcards", "*/cnitool")
    tools.must(unpack)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GOROOT": str(goroot),
        "GOPATH": str(tree / "usr/share/gocode"),
        "GOCACHE": str(directory / "cache"),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    source = "github.com/containernetworking/cni/cnitool"
    argv = (goroot / "bin/go", "build", "-ldflags=-s -w", "-o", directory / "cnitool", source)
    tools.must(argv, env=environment)
    for scratch in ("go", "debs", "cache"):
        shutil.rmtree(directory / scratch, ignore_errors=True)


def _mend_links(tree: Path) -> None:
    """Point the packages' absolute links into the scratch tree."""
    for path in tree.rglob("*"):
        if path.is_symlink() and path.readlink().is_absolute():
            target = tree / str(path.readlink()).lstrip("/")
            path.unlink()
            path.symlink_to(target)


def build_root(
    apt: Callable[[], Apt], recipe: Recipe, kernel_dir: Path, cnitool: Path, directory: Path
) -> None:
    """Make the guest's root file system and what boots it."""
    root = directory / "tree"
    release = (kernel_dir / "release").read_text()
    bootstrap(apt(), root, recipe.suite, (*recipe.packages, *(testpmd_needs(apt()) if recipe.dpdk else ())))
    if recipe.dpdk:
        take_testpmd(apt(), directory / "debs", root)
    if recipe.containers:
        containers.fill(apt(), root, directory / "sources")
    kernel.take_modules(kernel_dir / "root", root, release)
    (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    shutil.copy2(cnitool / "cnitool", root / "usr/local/bin/cnitool")
    # the initramfs brings what goes there
    (root / "lab").mkdir()
    quietly = ("-comp", "lz4", "-noappend", "-quiet", "-no-progress")
    tools.must(("mksquashfs", root, directory / "root.squashfs", *quietly))
    keep_boot_parts(root, release, directory / "boot")
    shutil.rmtree(root)
    shutil.copy2(kernel_dir / "vmlinux", directory / "vmlinux")
    (directory / "release").write_text(release)
    format_state_disk(directory / "state.ext4", recipe.disk_mib)


def keep_boot_parts(root: Path, release: str, boot: Path) -> None:
    """Keep what the initramfs is made of; numbers give the order in which modules are loaded."""
    boot.mkdir()
    shutil.copy2(root / "bin/busybox", boot / "busybox")
    modules = kernel.load_order(root / "usr/lib/modules" / release, kernel.ROOT_MODULES)
    for number, module in enumerate(modules):
        shutil.copy2(module, boot / f"{number:02}-{module.name}")


def format_state_disk(disk: Path, size_mib: int) -> None:
    """Make the empty disk of which every guest gets a copy."""
    with disk.open("wb") as handle:
        handle.truncate(size_mib << 20)
    tools.must(("mkfs.ext4", "-q", "-F", "-L", "state", disk))


def testpmd_needs(apt: Apt) -> list[str]:
    """What dpdk-testpmd runs with; the names have the number of DPDK's ABI in them."""
    needs = {name for name in apt.wants(TESTPMD, "Depends") if name != HEADERS}
    return sorted(needs | {name for name in apt.wants("dpdk", "Recommends") if name.startswith(VF_DRIVER)})


def take_testpmd(apt: Apt, debs: Path, root: Path) -> None:
    """Of its package nothing else."""
    (package,) = apt.download([TESTPMD], debs)
    tools.must(("dpkg-deb", "-x", package, debs))
    shutil.copy2(debs / "usr/bin/dpdk-testpmd", root / "usr/bin")
    shutil.rmtree(debs)


def bootstrap(apt: Apt, root: Path, suite: str, packages: Iterable[str]) -> None:
    """Unpack a small distribution. The machine's proxy and other download settings hold here, too."""
    acquire = [
        line for line in tools.output("apt-config", "dump").splitlines() if line.startswith("Acquire::")
    ]
    settings = [line for line in acquire if "IndexTargets" not in line and not line.endswith(' "";')]
    options = root.parent / "apt.conf"
    options.write_text("\n".join([*settings, 'Acquire::Retries "5";', 'APT::Sandbox::User "root";']) + "\n")
    without = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
    argv = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=essential", f"--aptopt={options}",
        f"--include={','.join(packages)}", *(f"--dpkgopt=path-exclude={path}" for path in without),
        suite or apt.suite.codename, str(root), str(apt.sources_of(suite)),
    ]  # fmt: skip
    tools.must((*tools.CONTAINED, *argv))
    for unused in ("var/cache/apt", "var/lib/apt", "etc/apt"):
        shutil.rmtree(root / unused, ignore_errors=True)
