"""What one attachment has in the files of its container's VPP: stored in its Record, so that they can be written again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from .jsontext import words
from .names import is_path
from .stored import Stored, checked, stored


@stored()
@dataclass(slots=True)
class Tap(Stored):
    """The way of ordinary programs through VPP. `id`: VPP calls its side tap<id>. `ifname`: the container's side.
    `addresses`: its addresses there, of the leases, no two of a family, each with the length that has VPP's own in it;
    `gateways`: VPP's. `defaults`: of which of these there is the default route. `routes`: what else is reached through VPP,
    (destination, gateway).
    """

    id: int
    ifname: str
    addresses: list[str]
    gateways: list[str]
    defaults: list[str]
    routes: list[list[str]]


@stored()
@dataclass(slots=True)
class VppPart(Stored):
    """`directory`: where the files are, in the host; what is in it and below `root` is made and removed with them.
    `mounted`: where the container has it. `name`: of the VF in VPP. `routes`: (destination, gateway), "" = on link.
    `queues`: how many for receiving, 0 = VPP's own choice. `options`: what the conf says of VPP as a whole. `crypto`: "" = not asked for, "software", or a QAT VF. `gone`: DEL has
    begun, and nobody writes it any more.
    """

    directory: str
    root: str
    mounted: str
    name: str
    vf: str
    mtu: int
    addresses: list[str]
    routes: list[list[str]]
    tap: Tap | None = None
    queues: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    crypto: str = ""
    gone: bool = False

    def to_json(self) -> dict[str, Any]:
        raw = Stored.to_json(self)
        raw["tap"] = self.tap.to_json() if self.tap is not None else None
        return raw

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        raw = cls.absent | raw
        fields = checked(raw, cls.shape)
        if fields["tap"] is not None:
            fields["tap"] = Tap.from_json(fields["tap"])
        part = cls(**fields)
        part._check_paths()
        part.keep(raw)
        return part

    def _check_paths(self) -> None:
        """Root writes and unlinks there: ValueError where none of ours can lead."""
        for path in filter(None, (self.directory, self.root)):  # a root of "" is /
            if not is_path(path):
                raise ValueError(f"{words(path)} is no path of a directory")
        if not f"{self.directory}/".startswith(f"{self.root}/"):
            raise ValueError(f"directory {words(self.directory)} is not below {words(self.root)}")
