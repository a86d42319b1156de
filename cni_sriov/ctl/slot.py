"""What a PF's slot says, gathered for decide/oracle.py. Looks only; what cannot be seen is not known, and is told so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeVar

from ..decide import offer as offers
from ..decide.offer import Offer
from ..decide.slot import Port, Region, Slot
from ..kernel import devices
from ..kernel.devices import DEVICES
from ..kernel.files import Files
from ..words import pcispace
from ..words.device import NETWORK, Device
from ..words.domain import PF
from ..words.errors import InputOutput
from ..words.failures import Failures
from ..words.modules import VFIO
from ..words.pci import is_userspace, parse_pci_address

T = TypeVar("T")
# lines of `resource`: PCI_IOV_RESOURCES, behind 6 BARs and the ROM (linux/pci.h)
_FIRST_REGION, _REGIONS = 7, 6
_UNSET, _PREFETCH = 0x20000000, 0x2000  # IORESOURCE_UNSET, IORESOURCE_PREFETCH: linux/ioport.h


def look(files: Files, pf_pci: str) -> Slot:
    """Of any device. ValueError where that is no PCI address; InputOutput where the device, its driver or its number of
    VFs cannot be looked at: nothing could be said then.
    """
    slot = Slot(parse_pci_address(pf_pci))
    seen = _Looker(files, slot.unseen)
    where = f"{DEVICES}/{slot.pci}"
    real = files.real(where)
    slot.is_there = bool(real)
    if not slot.is_there:
        return slot
    slot.driver = files.target(f"{where}/driver").rpartition("/")[2]
    slot.total = _number(files.text(f"{where}/sriov_totalvfs"))
    slot.numvfs = _number(files.text(f"{where}/sriov_numvfs")) or 0
    slot.name = next(iter(seen.names(f"{where}/net")), "")
    slot.hands_over = is_userspace(slot.driver) and not _makes_vfs(seen, slot.driver)
    slot.space = seen.space(slot.pci)
    found = slot.space.sriov if slot.space else None
    # what the kernel reckons with; kernels before 4.15 do not show it
    slot.offset = _or(seen.number(f"{where}/sriov_offset"), found.offset if found else None)
    slot.stride = _or(seen.number(f"{where}/sriov_stride"), found.stride if found else None)
    slot.regions = _regions(seen.text(f"{where}/resource"))
    slot.ports = [_port(seen, pci) for pci in above(real)]
    slot.functions = _functions(seen, slot.pci)
    return slot


def offer(files: Files, pf: PF) -> Offer | None:
    """None where it has VFs."""
    return None if pf.numvfs or not pf.pci_address else offers.of(look(files, pf.pci_address))


def pfs(files: Files, failures: Failures | None = None) -> list[str]:
    """Addresses of all devices that can have VFs, and of network cards whose capability the kernel refuses. `failures`
    gets what could not be looked at; without it, that raises.
    """
    found = []
    for address in files.names(DEVICES):
        with failures.of(device=address) if failures else nullcontext():
            if _is_pf(files, devices.device(files, address)):
                found.append(address)
    return found


def _is_pf(files: Files, device: Device) -> bool:
    if device.pf:
        return False
    if files.has(f"{DEVICES}/{device.address}/sriov_totalvfs"):
        return True
    data = files.data(f"{DEVICES}/{device.address}/config") if device.base_class == NETWORK else None
    return pcispace.parse(data or b"").sriov is not None


def above(real: str) -> list[str]:
    """The bridges above a device by its path in /sys/devices, the next one first."""
    found = []
    for name in real.split("/")[:-1]:
        try:
            found.append(parse_pci_address(name))
        except ValueError:
            continue  # "devices", "pci0000:00"
    return found[::-1]


def _makes_vfs(seen: _Looker, driver: str) -> bool:
    """vfio-pci does where it was loaded with enable_sriov=1 (vfio_pci_sriov_configure)."""
    return driver == VFIO and seen.text("/sys/module/vfio_pci/parameters/enable_sriov") == "Y"


def _functions(seen: _Looker, pci: str) -> int:
    """PFs of the card: functions beside it that can have VFs."""
    beside, _, _ = pci.rpartition(".")
    others = [f"{DEVICES}/{beside}.{function}/sriov_totalvfs" for function in range(8)]
    return max(1, sum(seen.text(path) is not None for path in others))


def _port(seen: _Looker, pci: str) -> Port:
    space = seen.space(pci)
    told = seen.number(f"{DEVICES}/{pci}/subordinate_bus_number")
    bridge = space.bridge if space else None
    return Port(pci, _or(told, bridge.subordinate if bridge else None), space)


def _regions(text: str | None) -> list[Region] | None:
    """Each line has begin, end and flags; all zeros = there is none, or the kernel gave it up (reset_resource)."""
    lines = (text or "").splitlines()[_FIRST_REGION : _FIRST_REGION + _REGIONS]
    if len(lines) < _REGIONS:
        return None
    regions = []
    for bar, line in enumerate(lines):
        first, last, flags = (int(word, 16) for word in line.split())
        if last or flags:
            is_assigned = bool(first) and not flags & _UNSET
            size = last - first + 1 if last else 0
            regions.append(Region(bar, first, size, is_assigned, bool(flags & _PREFETCH)))
    return regions


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _or(told: int | None, read: int | None) -> int | None:
    return read if told is None else told


class _Looker:
    """Files whose failures are told in `unseen` instead of raised: an oracle says what it can."""

    def __init__(self, files: Files, unseen: list[str]) -> None:
        self._files = files
        self._unseen = unseen

    def text(self, path: str) -> str | None:
        return self._see(self._files.text, path, None)

    def number(self, path: str) -> int | None:
        return _number(self.text(path))

    def names(self, path: str) -> list[str]:
        return self._see(self._files.names, path, [])

    def space(self, pci: str) -> pcispace.Space | None:
        """None if there is no `config`, or it is cut off before any sense."""
        data = self._see(self._files.data, f"{DEVICES}/{pci}/config", None)
        if data is None or len(data) < pcispace.HEADER:
            self._unseen.append(f"not seen: the configuration space of {pci}")
            return None
        space = pcispace.parse(data)
        if not space.is_whole and not space.is_gone:
            self._unseen.append(
                f"not seen: the configuration space of {pci} beyond {len(data)} bytes, which only root can read"
            )
        return space

    def _see(self, look: Callable[[str], T], path: str, unseen: T) -> T:
        try:
            return look(path)
        except InputOutput as error:
            self._unseen.append(f"not seen: {error.msg}")
            return unseen
