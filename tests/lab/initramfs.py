"""The initramfs: finds the root, lays a forgetful overlay over it, and brings the guest's own programs.

These change more often than the root, and packing them takes no time.
"""

from __future__ import annotations

import stat
from pathlib import Path

INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
{insmod}
n=0
until [ -b /dev/vda ] || [ $n -ge 500 ]; do n=$((n + 1)); /bin/busybox usleep 10000; done
/bin/busybox mount -t squashfs -o ro /dev/vda /lower
/bin/busybox mount -t tmpfs -o mode=755 tmpfs /upper
/bin/busybox mkdir /upper/upper /upper/work
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/upper,workdir=/upper/work overlay /root
/bin/busybox cp /lab/init /lab/agent.py /root/lab/
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /lab/init
"""


def write_initramfs(target: Path, busybox: Path, modules: list[Path], guest: Path) -> None:
    """Pack what finds the root: busybox, a few modules, and the guest's own init and agent."""
    insmod = "\n".join(f"/bin/busybox insmod /modules/{path.name}" for path in modules)
    archive = Cpio()
    for name in ("bin", "dev", "lab", "lower", "modules", "root", "upper"):
        archive.add(name, b"", stat.S_IFDIR | 0o755)
    archive.add("bin/busybox", busybox.read_bytes(), stat.S_IFREG | 0o755)
    archive.add("init", INIT.format(insmod=insmod).encode(), stat.S_IFREG | 0o755)
    for path in modules:
        archive.add(f"modules/{path.name}", path.read_bytes(), stat.S_IFREG | 0o644)
    for name in ("init", "agent.py"):
        archive.add(f"lab/{name}", (guest / name).read_bytes(), stat.S_IFREG | 0o755)
    target.write_bytes(archive.finish())


class Cpio:
    """A newc archive, the kernel's initramfs format (Documentation/driver-api/early-userspace)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._inode = 0

    def add(self, name: str, content: bytes, mode: int) -> None:
        """Append one file or directory, owned by root."""
        self._inode += 1
        numbers = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        self._parts += [_padded(header + name.encode() + b"\0"), _padded(content)]

    def finish(self) -> bytes:
        """Close the archive."""
        self.add("TRAILER!!!", b"", 0)
        return b"".join(self._parts)


def _padded(raw: bytes) -> bytes:
    return raw + b"\0" * (-len(raw) % 4)


def build_initramfs(root: Path, directory: Path) -> None:
    """Make the initramfs that boots `root`."""
    boot = root / "boot"
    modules = sorted(path for path in boot.iterdir() if path.suffix == ".ko")
    write_initramfs(directory / "initramfs", boot / "busybox", modules, Path(__file__).parent / "inside")
