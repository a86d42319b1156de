"""What a network card is like, for the doctor's rules: a PF, or a device that is none and perhaps could be."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..words.device import Device
from .slot import Slot


@dataclass(slots=True)
class Holder:
    """A process that has a device open from user space. `kind`: what it is by its maps, "" = neither.

    `by`: what of its was found, each a path and what is there: /proc/12/fd/9, /dev/vfio/3. `memlock`: how many bytes of memory
    it may lock, None = any number.
    """

    pid: int
    name: str
    kind: str = ""
    by: list[tuple[str, str]] = field(default_factory=list)
    memlock: int | None = None

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


@dataclass(slots=True)
class CardVf:
    """One VF of a card. `is_userspace`: its driver hands it to user space; `is_meant`: its driver_override names such one."""

    index: int
    device: Device
    is_userspace: bool = False
    is_meant: bool = False
    holders: list[Holder] = field(default_factory=list)


@dataclass(slots=True)
class Card:
    """`ifname` "" = it has no netdev here. `is_userspace` and `is_meant` as of a VF. `holders`: who has it open from user
    space; `users`: who uses VFs of it, a line each. `slot`: what the oracle asks.
    """

    device: Device
    ifname: str = ""
    is_up: bool = False
    has_carrier: bool = False
    is_userspace: bool = False
    is_meant: bool = False
    slot: Slot | None = None
    probes_drivers: bool = True
    holders: list[Holder] = field(default_factory=list)
    vfs: list[CardVf] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.ifname or self.device.address

    @property
    def capability(self) -> int | None:
        """TotalVFs as the config space has it, -1 = it has no SR-IOV capability, None = it cannot be read so far."""
        space = self.slot.space if self.slot else None
        if space is None or not space.is_whole or space.is_gone:
            return None
        return space.sriov.total_vfs if space.sriov else -1

    @property
    def sysfs(self) -> str:
        """Its directory there."""
        return f"/sys/bus/pci/devices/{self.device.address}"
