"""Who holds which leases, and its file form: what a lease file says, and what its name says."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Self

from ..words import jsontext
from ..words.domain import Attachment
from ..words.errors import BadEnvironment
from ..words.inet import name_of, parse_prefix
from ..words.jsontext import words
from ..words.lease import Lease
from ..words.stored import Shape, checked, opened, stamped


def _now() -> int:
    return int(time.time())


@dataclass(slots=True)
class Holding:
    """All leases of one attachment. `attachment` None = sticky leases that are kept for a pod, attached or not.

    `netns_identity` is the netns as [st_dev, st_ino], `netns_cookie` what tells it from the next one of that number, 0 = not
    known: valid in the boot `boot_id` only. `lifetime`: for how many seconds after the release it is kept for its pod, 0 =
    while there is room. `beyond` is what a later version wrote beside these.
    """

    attachment: Attachment | None
    leases: list[Lease]
    network: str
    netns: str
    netns_identity: list[int]
    boot_id: str
    created: int = field(default_factory=_now)
    netns_cookie: int = 0
    lifetime: int = 0
    beyond: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> list[str]:
        return [name_of(lease.subnet) for lease in self.leases]

    def render(self) -> bytes:
        raw = {
            "attachment": self.attachment.to_json() if self.attachment else None,
            "leases": [lease.to_json() for lease in self.leases],
        }
        rest = {key: getattr(self, _ATTRIBUTE.get(key, key)) for key in _REST}
        return jsontext.render(stamped(raw | rest | self.beyond)).encode()

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """ValueError, KeyError or TypeError if `raw` is not what `render` gives."""
        raw = _ABSENT | opened(raw)
        who = raw["attachment"]
        attachment = None if who is None else Attachment.from_json(who)
        leases = [Lease.from_json(lease) for lease in raw["leases"]]
        for lease in leases:
            parse_prefix(lease.subnet)
        if not leases:
            raise ValueError("it leases nothing")
        holding = cls(attachment, leases, *checked(raw, _REST).values())
        if len(raw) > 2 + len(_REST):
            holding.beyond = {name: raw[name] for name in raw if name not in _KNOWN}
        return holding


_REST: Shape = {
    "network": (str,),
    "netns": (str,),
    "netns_id": (list,),
    "boot_id": (str,),
    "created": (int,),
    "netns_cookie": (int,),
    "lifetime": (int,),
}
_KNOWN = {"attachment", "leases", *_REST}
_ATTRIBUTE = {"netns_id": "netns_identity"}  # a Record's word for it
_ABSENT = {"netns_cookie": 0, "lifetime": 0}  # earlier versions did not write it


def owner_name(attachment: Attachment | None) -> str:
    """The owner's file name; judged again here, since it must never leave its directory."""
    name = attachment.filename if attachment else ""
    if not (name[:1].isalnum() and "/" not in name and name.isprintable() and len(name.encode()) <= 255):
        raise BadEnvironment(f"use attachment {words(name)}: containerID and ifname are no safe file name")
    return name


def key_name(sticky: str) -> str:
    """A file name for network/namespace/pod/ifname; what is too long ends in a hash of the whole (FNV-1a, 64 bits).

    The lease holds the whole key, so two keys of one hash cannot take each other's lease.
    """
    name = sticky.replace("/", "@")
    if len(name.encode()) <= 255:
        return name
    number = 0xCBF29CE484222325
    for byte in sticky.encode():
        number = (number ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{name[:200]}~{number:016x}"
