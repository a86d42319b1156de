"""A PF's slot as found, and how many VFs it can carry: the nouns of decide/oracle.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..words.pcispace import Space

Rule = Literal["gone", "capability", "driver", "total", "firmware", "bus", "memory", "window"]


@dataclass(slots=True)
class Region:
    """The memory of one VF BAR for all VFs, as `resource` tells it; `size` 0 = not even its size is known there."""

    bar: int
    first: int
    size: int
    is_assigned: bool
    is_prefetchable: bool


@dataclass(slots=True)
class Port:
    """A bridge above the PF. `space` None: it could not be read."""

    pci: str
    subordinate: int | None
    space: Space | None


@dataclass(slots=True)
class Slot:
    """What one PF and its slot say. None = it is not there, or cannot be seen.

    `name` is for sentences. `hands_over`: its driver leaves the PF to user space and makes no VFs. `offset` and `stride`
    are what the kernel reckons with. `total` is sriov_totalvfs, which the driver may have lowered. `regions` None: there
    is no `resource`. `ports` begin with the one next to the PF; none = it sits on a root bus. `functions` are the PFs of
    the card. `unseen` says what could not be read, and why.
    """

    pci: str
    name: str = ""
    is_there: bool = True
    driver: str = ""
    hands_over: bool = False
    numvfs: int = 0
    total: int | None = None
    offset: int | None = None
    stride: int | None = None
    space: Space | None = None
    regions: list[Region] | None = None
    ports: list[Port] = field(default_factory=list)
    functions: int = 1
    unseen: list[str] = field(default_factory=list)

    @property
    def routing_id(self) -> int:
        """Bus, device and function as the 16 bits that PCI Express routes by."""
        _, bus, rest = self.pci.split(":")
        device, _, function = rest.partition(".")
        return int(bus, 16) << 8 | int(device, 16) << 3 | int(function, 16)


def vfs(count: int) -> str:
    """In words: 1 VF, 7 VFs."""
    return f"{count} VF{'' if count == 1 else 's'}"


@dataclass(slots=True)
class Limit:
    """At most `count` VFs, because of `reason`, a sentence with the numbers; `remedy` has what to do, a line each.
    `is_certain`: the kernel refuses more; else it most likely does.
    """

    count: int
    reason: str
    rule: Rule = "capability"
    remedy: str = ""
    is_certain: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "rule": self.rule,
            "certain": self.is_certain,
            "reason": self.reason,
            "remedy": self.remedy,
        }


@dataclass(slots=True)
class Capacity:
    """`count` is the smallest of all limits; those that bind come first. `notes`: what else is worth knowing."""

    count: int
    limits: list[Limit]
    notes: list[str] = field(default_factory=list)

    def against(self, count: int) -> Limit | None:
        """The first limit that is in the way of that many VFs; a certain one before a likely one."""
        broken = [limit for limit in self.limits if limit.count < count]
        return min(broken, key=lambda limit: not limit.is_certain, default=None)
