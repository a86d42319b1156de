"""`sriovctl oracle [PF]`: how many VFs each slot can carry, and why not more. Looks only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..decide import oracle
from ..decide.slot import Capacity, Slot
from ..kernel.devices import DEVICES
from ..kernel.files import Files
from ..vf.host import Host
from ..words.errors import BadConfig, CniError, KernelRefused, PfUnusable
from ..words.failures import Failures
from ..words.names import is_ifname
from ..words.pci import parse_pci_address
from . import refusal
from . import slot as slots


@dataclass(slots=True)
class Foretold:
    slot: Slot
    capacity: Capacity

    @property
    def is_enough(self) -> bool:
        """All VFs fit that card and driver offer."""
        return self.slot.total is not None and self.capacity.count >= self.slot.total

    def to_json(self) -> dict[str, Any]:
        """A contract with who parses it: keys are only ever added."""
        port = self.slot.ports[0] if self.slot.ports else None
        return {
            "name": self.slot.name,
            "pci": self.slot.pci,
            "driver": self.slot.driver,
            "numvfs": self.slot.numvfs,
            "totalvfs": self.slot.total,
            "count": self.capacity.count,
            "offset": self.slot.offset,
            "stride": self.slot.stride,
            "port": port.pci if port else "",
            "lastBus": port.subordinate if port else None,
            "ari": port.space.does_ari if port and port.space and port.space.is_whole else None,
            "limits": [limit.to_json() for limit in self.capacity.limits],
            "notes": self.capacity.notes,
        }


def run(files: Files, make_host: Callable[[], Host], where: str) -> tuple[list[Foretold], list[str]]:
    """Of one PF, or of all with what could not be looked at. A host is made only where a name is not in sysfs, as an
    altname.
    """
    if where:
        return [_of(files, find(files, make_host, where))], []
    failures = Failures()
    found = []
    for address in slots.pfs(files, failures):
        with failures.of(device=address):
            found.append(_of(files, address))
    return found, failures.told


def _of(files: Files, pci: str) -> Foretold:
    slot = slots.look(files, pci)
    return Foretold(slot, oracle.capacity(slot))


def after(
    files: Files, make_host: Callable[[], Host], where: str, number: int, count: int | None
) -> CniError:
    """What `number`, an errno, meant when somebody wrote to sriov_numvfs; `count` None = all that were offered."""
    slot = slots.look(files, find(files, make_host, where))
    wanted = (slot.total or 1) if count is None else count
    return refusal.explain(slot, wanted, KernelRefused(f"set numvfs of {slot.pci} to {wanted}", number))


def find(files: Files, make_host: Callable[[], Host], where: str) -> str:
    """The PCI address by name, altname or address, also of what cannot have VFs; the error says what it is instead."""
    try:
        pci = parse_pci_address(where)
    except ValueError:
        pci = _of_netdev(files, where)
        if not pci:
            netlink = make_host().netlink
            pci = _of_netdev(files, netlink.ifname(netlink.ifindex(where)))
        if not pci:
            remedy = f"PFs of this node: {', '.join(slots.pfs(files, Failures())) or 'none'}"
            raise PfUnusable(f"use PF {where}: no such interface on a PCI device", remedy) from None
    pf = files.target(f"{DEVICES}/{pci}/physfn").rpartition("/")[2]
    if pf:
        raise BadConfig(f"use PF {where}: it is a VF, of {pf}", f"sriovctl oracle {pf}")
    if not files.has(f"{DEVICES}/{pci}"):
        raise PfUnusable(f"use PF {where}: there is no such PCI device", "`sriovctl oracle` shows every PF")
    return pci


def _of_netdev(files: Files, name: str) -> str:
    """Empty for what does not sit on PCI."""
    if not is_ifname(name):
        return ""
    try:
        return parse_pci_address(files.target(f"/sys/class/net/{name}/device").rpartition("/")[2])
    except ValueError:
        return ""
