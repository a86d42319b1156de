"""Huge pages of a machine, as found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class HugePages:
    """Of one size (KiB), on one NUMA node (-1: of all nodes, or the kernel knows none). `where` is their directory in
    sysfs. `promised`: of the free ones, those that mappings have reserved and not touched yet.
    """

    node: int
    size: int
    total: int
    free: int
    where: str
    promised: int = 0

    @property
    def to_be_had(self) -> int:
        return max(0, self.free - self.promised)


def spelled(size: int) -> str:
    """Like "2 MiB"; `size` in KiB."""
    for unit, kib in (("GiB", 1 << 20), ("MiB", 1 << 10)):
        if size % kib == 0:
            return f"{size // kib} {unit}"
    return f"{size} KiB"
