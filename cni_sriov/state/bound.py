"""What a device was before `sriovctl` gave it another driver: one file a device below /run/cni-sriov/bound, written before
anything is changed, dropped when all is as it was.

It is of one device instance (Sysfs.inode): of a VF that numvfs made anew nothing is kept, and a boot begins anew, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ..words.record import VfState
from ..words.stored import Stored, checked, opened, parsed, rendered, stamped, stored
from . import files
from .lock import Lock


@stored()
@dataclass(slots=True)
class Bound(Stored):
    """`driver` "" = none was bound. `state` has its netdev, and what the PF told of a VF; None: it had no netdev. `numvfs`
    is how many VFs a PF had.
    """

    inode: int
    driver: str
    override: str
    numvfs: int = 0
    state: VfState | None = None

    def to_json(self) -> dict[str, Any]:
        state = self.state.to_json() if self.state is not None else None
        return stamped(Stored.to_json(self) | {"state": state})

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is none of a format we know."""
        raw = opened(raw)
        fields = checked(raw, cls.shape)
        if fields["state"] is not None:
            fields["state"] = VfState.from_json(fields["state"])
        bound = cls(**fields)
        bound.keep(raw)
        return bound


def lock(run_dir: str, verb: str) -> Lock:
    """Who gives a device another driver has it, from before he looks at who uses that until it has its driver."""
    return Lock(f"{run_dir}/bound.lock", verb)


def of(run_dir: str, address: str, inode: int) -> Bound | None:
    """None if nothing is kept of that instance. Unreadable (11) or InputOutput if its file is there and cannot be read."""
    path = _path(run_dir, address)
    text = files.read(path)
    found = parsed(path, text, Bound.from_json) if text is not None else None
    return found if found is not None and found.inode == inode else None


def keep(run_dir: str, address: str, bound: Bound) -> None:
    """By whoever has the lock of `sriovctl bind`."""
    files.ensure_directory(_directory(run_dir))
    files.replace(_path(run_dir, address), rendered(f"the driver of {address}", bound.to_json()))


def forget(run_dir: str, address: str) -> None:
    files.forget(_path(run_dir, address))


def _directory(run_dir: str) -> str:
    return f"{run_dir}/bound"


def _path(run_dir: str, address: str) -> str:
    return f"{_directory(run_dir)}/{address}"
