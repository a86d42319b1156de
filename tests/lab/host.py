"""What the lab needs on this machine: QEMU with an igb card, and the tools that make a guest root."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from . import tools
from .apt import MIN_QEMU, SUPPORTED, Apt
from .errors import LabError

QEMU = "qemu-system-x86_64"
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "mkfs.ext4": "e2fsprogs",
    "zstd": "zstd",
    "xz": "xz-utils",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}


@functools.cache
def _said_by(path: str, _changed: float) -> str:
    return tools.output(path, "--version").splitlines()[0]


def qemu_build() -> str:
    """The installed QEMU in its own words, distribution's revision included; empty if there is none."""
    path = shutil.which(QEMU)
    return _said_by(path, Path(path).stat().st_mtime) if path else ""


def qemu_version() -> tuple[int, ...]:
    """The version of the installed QEMU, (0,) if there is none."""
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", qemu_build())
    return tuple(int(part) for part in found.groups()) if found else (0,)


def missing() -> list[str]:
    """The packages this machine lacks."""
    packages = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
    return [*packages, "qemu-system-x86"] if qemu_version() < MIN_QEMU else packages


def ensure_tools(apt: Callable[[], Apt]) -> str:
    """Install what is missing and say what there is; `apt` is called only if something is missing."""
    wanted = missing()
    if wanted and os.geteuid() != 0:
        raise LabError(
            f"the lab needs {' '.join(wanted)} and only root can install them", "run it as root once"
        )
    for package in wanted:
        suite = apt().suite.newest if package == "qemu-system-x86" else apt().suite.codename
        apt().install([package], suite)
    version = qemu_version()
    if version < MIN_QEMU:
        floor = ".".join(map(str, MIN_QEMU))
        raise LabError(f"QEMU {floor} or newer is needed, found {version}", f"the lab runs on {SUPPORTED}")
    return "QEMU " + ".".join(map(str, version))


def fingerprint() -> str:
    """Name this boot of this host: a KVM verdict of another boot or kernel may be wrong today."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot_id} {platform.release()} {qemu_build()}"


def cpu_model() -> str:
    """The host's CPU, as a snapshot made with `-cpu host` fits no other one."""
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"
