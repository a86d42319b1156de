"""What is said of leases between who keeps them (leases/) and who chooses them (decide/subnets.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .inet import Prefix
from .stored import Stored, stored


@stored()
@dataclass(slots=True)
class Lease(Stored):
    """A subnet given to one interface: `subnet` "10.10.1.0/24", `address` "10.10.1.2/24", `gateway` "" if none.

    `pool` is the pool it was cut from (for the onlink route), `scope` the overlap domain. `sticky` is the key under
    which it is kept for the next attachment of the same pod, "" = forgotten at release.
    """

    scope: str
    subnet: str
    address: str
    gateway: str
    pool: str
    sticky: str = ""


@dataclass(frozen=True, slots=True)
class LeaseDir:
    """Where leases are. No two leases of one scope overlap, in whatever data directories."""

    data_dir: str
    scope: str

    @property
    def path(self) -> str:
        return f"{self.data_dir}/{self.scope}"


@dataclass(slots=True)
class Choice:
    """The leases to take, one per pool, and where next-fit goes on ({pool key: last address})."""

    leases: list[Lease]
    cursors: dict[str, int]


class View(Protocol):
    """What is to be seen of the leases of one scope."""

    @property
    def kept(self) -> list[Lease]:
        """Sticky leases of this pod that nobody else holds now."""

    def conflict(self, prefix: Prefix) -> bool:
        """Whether a lease contains, equals or lies in the prefix."""

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        """The lowest free aligned subnet of that length at or above `start`."""

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        """How many aligned subnets of that length are free; counting ends where they are `enough`."""

    def cursor(self, key: str) -> int | None:
        """The last address of the last automatic lease."""
