"""`make lab-arm64`: the snapshot is built in a root of arm64 under qemu-user, and answers VERSION, ADD and DEL there.

The root is unpacked, not installed, by mmdebstrap from the machine's own mirror; nothing in it is run but Python, gcc and
what they start. The kernel learns how to run arm64 in a user namespace of ours alone (Linux 6.7 and later), so this
machine stays as it is. ADD and DEL are those of the fake kernel (tests/fakes): qemu-user has no netlink for VFs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT

from . import cache, sources
from .apt import private_apt, this_suite
from .errors import LabError

QEMU = "/usr/bin/qemu-aarch64-static"
NEEDED = {"mmdebstrap": "mmdebstrap", QEMU: "qemu-user-static"}
PACKAGES = "python3,python3-dev,gcc,binutils,libc6-dev,coreutils,util-linux,dash"
# ELF64, little endian, EXEC or DYN, EM_AARCH64; F: qemu is opened here, so the root needs none
MAGIC = (
    r":arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:" + QEMU + ":OCF"
)
ENTER = """
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf %s "$2" >/proc/sys/fs/binfmt_misc/register || exit 9
mount --rbind /proc "$1/proc" && exec chroot "$1" /usr/bin/env -i PATH=/usr/bin:/bin PYTHONHASHSEED=0 \
    /usr/bin/python3 -B /src/inside.py
"""
NOTHING = "[1, [], 1, false]"
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]


def root() -> Path:
    """Unpacked once; half a minute."""
    key = cache.key_of(PACKAGES, this_suite().codename)
    return cache.ensure("arm64", key, _unpack) / "root"


def _unpack(directory: Path) -> None:
    missing = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    apt = private_apt()
    if missing:
        apt.install(missing, apt.suite.codename)
    mirror = sources.parse_deb822(apt.sources.read_text())[0].uris
    argv = ["mmdebstrap", "--variant=extract", "--architectures=arm64", f"--include={PACKAGES}"]
    done = subprocess.run(
        [*argv, apt.suite.codename, directory / "root", mirror], capture_output=True, text=True
    )
    if done.returncode:
        raise LabError("cannot unpack a root of arm64", done.stderr[-600:])
    (directory / "root" / "proc").mkdir(exist_ok=True)


def run(home: Path) -> dict[str, str]:
    """What inside/arm64.py tells of the sources as they are."""
    src = home / "src"
    shutil.rmtree(src, ignore_errors=True)
    for name in ("cni_sriov", "build", "tests"):
        shutil.copytree(
            ROOT / name, src / name, ignore=shutil.ignore_patterns("out", "vendor", "__pycache__")
        )
    shutil.copy(ROOT / "tests/lab/inside/arm64.py", src / "inside.py")
    version = sys.version.split()[0]
    shutil.copy(cache.cache_dir() / "json" / f"python{version}" / "_json.c", src)
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "enter", str(home), MAGIC]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise LabError(
            "the snapshot cannot be built under qemu-user", done.stdout[-300:] + done.stderr[-900:]
        )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    try:
        told = run(root())
    except LabError as problem:
        print(f"arm64: {problem}", file=sys.stderr)
        return 1
    print(f"  {told['machine']}    {told['told']}")
    versions = json.loads(told["version"])["supportedVersions"]
    code, ips, undone, is_as_before = json.loads(told["add"] or NOTHING)
    print(
        f"  VERSION    {versions}\n  ADD        {code}, {ips}\n  DEL        {undone}, as before: {is_as_before}"
    )
    good = versions == VERSIONS and (code, undone, is_as_before) == (0, 0, True)
    print("  passed" if good else f"  failed: {told['said'][-900:]}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
