"""`sriovctl bind`, `unbind`, `restore`: a PCI device to another driver, and back to what it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..decide.planner import Facts, Plan
from ..kernel.files import Files
from ..vf.host import Host


@dataclass(slots=True)
class Outcome:
    """`before` and `driver` are the drivers as they were and are now, "" = none. `netdev` is what came of a kernel driver."""

    pci: str
    before: str
    driver: str
    changed: bool
    netdev: str = ""
    loaded: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """A contract with who parses it: keys are only ever added."""
        raise NotImplementedError


def find(host: Host, where: str) -> str:
    """The PCI address of DEVICE: itself, a netdev's name, or PF:INDEX."""
    raise NotImplementedError


def facts(host: Host, files: Files, address: str, wanted: str = "") -> Facts:
    """All that the planner asks. `wanted`: a driver that it may not know, whose module is looked for too."""
    raise NotImplementedError


def look(host: Host, files: Files, address: str, wanted: str, force: bool = False) -> Plan:
    """What `bind` would do: changes nothing."""
    raise NotImplementedError


def bind(host: Host, files: Files, address: str, wanted: str, force: bool = False) -> Outcome:
    """To that driver, "auto" or "kernel". What it was is kept first (state/bound.py)."""
    raise NotImplementedError


def unbind(host: Host, files: Files, address: str, force: bool = False) -> Outcome:
    raise NotImplementedError


def restore(host: Host, files: Files, address: str, force: bool = False) -> Outcome:
    """As it was before the first `bind` or `unbind`."""
    raise NotImplementedError
