"""A node's files below a directory, as the kernel and the distribution lay them out."""

from __future__ import annotations

import os
from pathlib import Path

from cni_sriov.kernel.files import Files

PF, VF = "0000:01:00.0", "0000:01:10.0"


class Tree:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(str(root))

    def write(self, path: str, text: str | bytes = "") -> None:
        where = self.root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(text.encode() if isinstance(text, str) else text)

    def link(self, path: str, target: str) -> None:
        where = self.root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, where)

    def mkdir(self, path: str) -> None:
        (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def device(self, address: str, driver: str, group: str = "", **told: str) -> None:
        """Below /sys/bus/pci/devices; `class_` stands for class."""
        where = f"/sys/bus/pci/devices/{address}"
        self.mkdir(where)
        for name, text in ({"class_": "0x020000", "vendor": "0x8086"} | told).items():
            self.write(f"{where}/{name.rstrip('_')}", f"{text}\n")
        if driver:
            self.link(f"{where}/driver", f"../../drivers/{driver}")
        if group:
            self.link(f"{where}/iommu_group", f"../../../../kernel/iommu_groups/{group}")
            self.write(f"/sys/kernel/iommu_groups/{group}/devices/{address}")

    def process(self, pid: int, name: str, fds: dict[int, str], maps: list[str] | None = None) -> None:
        self.write(f"/proc/{pid}/comm", f"{name}\n")
        self.mkdir(f"/proc/{pid}/fd")
        for fd, target in fds.items():
            self.link(f"/proc/{pid}/fd/{fd}", target)
        lines = (f"7f0000000000-7f0000200000 rw-s 00000000 00:2d 4242   {path}\n" for path in maps or [])
        self.write(f"/proc/{pid}/maps", "".join(lines) + "7ffd000-7ffe000 rw-p 00000000 00:00 0\n")

    def hugepages(self, node: int | None, size: int, total: int, free: int) -> None:
        base = "/sys/kernel/mm" if node is None else f"/sys/devices/system/node/node{node}"
        where = f"{base}/hugepages/hugepages-{size}kB"
        self.write(f"{where}/nr_hugepages", f"{total}\n")
        self.write(f"{where}/free_hugepages", f"{free}\n")
