"""How a VF is given to a program in user space instead of as a netdev: what ADD did for that, and what was there before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .jsontext import words
from .pci import parse_pci_address
from .stored import Stored, checked, stored

SOFTWARE = "software"  # DataPlane.crypto
VFIO, VPP_HOST = "vfio", "vpp-host"  # vf/handover.py has one kind for each

_ID_MOST = (1 << 32) - 2  # uid_t; the last one means "leave it"


@stored(crypto="")
@dataclass(slots=True)
class DataPlane(Stored):
    """`kind`: which Handover it is. `driver`: the user-space driver that ADD wants on the VF; what it had is
    Record.driver, and `override` what driver_override said. `owners`: uid and gid as found, by device node. `files`: what
    ADD wrote for it and takes away again. `crypto`: the QAT VF that goes with it, "software" where none was free, "" where
    none was asked for. `vpp`: VPP's part, {} without it.
    """

    kind: str
    driver: str = ""
    override: str = ""
    owners: dict[str, list[int]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    crypto: str = ""
    vpp: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        raw = cls.absent | raw
        plane = cls(**checked(raw, cls.shape))
        if plane.crypto not in {"", SOFTWARE}:
            parse_pci_address(plane.crypto)  # it becomes a part of paths
        for owner in plane.owners.values():  # and what root gives
            if [type(one) for one in owner] != [int, int] or min(owner) < 0 or max(owner) > _ID_MOST:
                raise ValueError(f"owners has {words(owner)}")
        plane.keep(raw)
        return plane
