"""What to type where VFs are wanted: only what `sriovctl vfs` then takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import oracle
from .slot import Slot
from .trouble import quoted


@dataclass(slots=True)
class Offer:
    """`count`: how many VFs there is room for. Where there is none, `why`, and `command` comes before `sriovctl vfs`."""

    count: int
    why: str
    command: str

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "why": self.why, "command": self.command}


def of(slot: Slot) -> Offer:
    name, found = quoted(slot.name or slot.pci), oracle.capacity(slot)
    if found.count:
        return Offer(found.count, "", f"sriovctl vfs {name} {found.count}")
    limit = found.limits[0]
    first = f"sriovctl bind {slot.pci} kernel" if limit.rule == "driver" else f"sriovctl oracle {name}"
    return Offer(0, limit.reason, first)
