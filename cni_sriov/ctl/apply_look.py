"""What a PF and its VFs are, for decide/provision.py. Looks only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..conf.hostfile import HostFile, PfEntry, VfRange
from ..decide import oracle, planner, provision
from ..decide.oracle import Capacity
from ..decide.planner import Facts, Plan
from ..decide.wanted import DEFAULTS, Defaults, PfFacts, VfFacts
from ..kernel import devices
from ..kernel.files import Files
from ..vf import card, golden
from ..vf.host import Host
from ..words.device import Device
from ..words.domain import PF, VF, Link
from ..words.errors import CniError, Unreadable
from ..words.record import VfState
from . import bind, drivers, ready, slot, vfs

_QUEUE = "/run/udev/queue"  # there while udev has events to work off: udev_queue_is_empty, systemd's libudev


class Drivers(Protocol):
    """Which driver a word of the file comes to, and the act."""

    def look(self, address: str, wanted: str) -> Plan:
        """CniError says why not."""

    def fresh(self, pf: PF, wanted: str) -> Plan:
        """Of a VF of that PF that is not made yet."""

    def bind(self, address: str, wanted: str) -> object:
        """Read back; refused while somebody has the device."""


@dataclass(slots=True)
class NodeDrivers:
    """By bind.py. Which modules there are is looked up once for VFs that are alike: depmod's lists have 20 000 lines. Who
    uses a VF is for the plan to judge.
    """

    host: Host
    files: Files
    known: dict[tuple[object, ...], Facts] = field(default_factory=dict)

    def look(self, address: str, wanted: str) -> Plan:
        device = devices.device(self.files, address)
        members = [devices.device(self.files, member) for member in device.members if member != address]
        return self._plan(device, members, address, wanted)

    def _plan(self, device: Device, members: list[Device], like: str, wanted: str) -> Plan:
        alike = device.pf, device.vendor, device.device, device.driver, device.override, bool(device.group)
        if alike not in self.known:
            self.known[alike] = drivers.gather(self.host, self.files, like)  # of every driver of a file
        known = self.known[alike]
        return planner.plan(replace(known, device=device, members=members, holders=[], uses=[]), wanted)

    def fresh(self, pf: PF, wanted: str) -> Plan:
        """Judged by its PF's place. VFs of a driver that keeps its devices have the PF's own driver; a VF has an IOMMU group
        of its own.
        """
        device = devices.device(self.files, pf.pci_address)
        device = replace(device, pf=pf.pci_address, totalvfs=0, numvfs=0, override="")
        return self._plan(device, [], pf.pci_address, wanted)

    def bind(self, address: str, wanted: str) -> object:
        return bind.bind(self.host, self.files, address, wanted)


@dataclass(slots=True)
class Site:
    """What `apply` looks at and acts by. `named_timeout_s`: how long new VFs may take until udev has named them."""

    host: Host
    files: Files
    drivers: Drivers
    named_timeout_s: float = ready.NAMED_TIMEOUT_S

    def capacity(self, pf_pci: str) -> Capacity:
        return oracle.capacity(slot.look(self.files, pf_pci))


def pfs(host: Host) -> list[PF]:
    """All, with their PCI IDs."""
    found = host.sysfs.pfs()
    for pf in found:
        pf.vendor, pf.device = (int(text or "0", 16) for text in host.sysfs.ids(pf.pci_address))
    return found


def pf_facts(site: Site, entry: PfEntry, pf: PF) -> PfFacts:
    """CniError or KernelRefused where something cannot be seen."""
    host = site.host
    link = host.netlink.link_by_index(pf.ifindex) if pf.ifindex else None
    is_asked = entry.numvfs not in {None, pf.numvfs}
    capacity = site.capacity(pf.pci_address) if is_asked else Capacity(pf.totalvfs, [])
    found = PfFacts(pf, link, capacity, probes=host.sysfs.probes_drivers(pf.pci_address))
    if is_asked:
        words = {one.driver for one in entry.vfs or [] if one.driver not in {"", "kernel"}}
        found.fresh = {wanted: _or_why_not(site.drivers.fresh, pf, wanted) for wanted in sorted(words)}
    admin = host.netlink.vf_states(link.ifindex) if link is not None and pf.numvfs else {}
    for vf, use in vfs.uses(host, site.files, pf):
        found.vfs.append(_vf(site, vf, entry.of(vf.index), admin.get(vf.index), use))
    return found


def _or_why_not(look: Callable[..., Plan], *args: object) -> Plan | CniError:
    try:
        return look(*args)
    except CniError as why_not:
        return why_not


def _vf(site: Site, vf: VF, wanted: VfRange | None, admin: VfState | None, use: str) -> VfFacts:
    found = VfFacts(vf.index, vf.pci_address, vf.driver, use=use)
    if wanted is None:
        return found
    if wanted.driver:
        found.driver_plan = _or_why_not(site.drivers.look, vf.pci_address, wanted.driver)
    link = card.in_host(site.host, vf.pci_address) if wanted.mtu is not None else None
    found.now = defaults_of(admin, link)
    try:
        first = golden.of(site.host, vf.pci_address)
    except Unreadable as error:
        found.unclear = str(error)
    else:
        found.first = None if first is None else defaults_of(first.state, None, first.state.mtu)
    return found


def defaults_of(admin: VfState | None, link: Link | None, mtu: int = 0) -> Defaults:
    """What is told of them."""
    told = {} if admin is None else {name: getattr(admin, name) for name in ("trust", "spoofchk")}
    told["mtu"] = (link.mtu if link is not None else mtu) or None
    return {name: told[name] for name in DEFAULTS if told.get(name) is not None}


# the boot -------------------------------------------------------------------------------------------------------------


def not_there_yet(site: Site, file: HostFile) -> list[str]:
    """What a boot still has to bring, a line each: PFs that must be there, names that udev has not given yet. While udev has
    work to do, also what may be there, and PFs whose driver has made no netdev.
    """
    host, known = site.host, pfs(site.host)
    chosen, missing = provision.select(file, known, host.netlink.ifindex)
    is_coming = site.files.has(_QUEUE)
    lines = [f"{entry.where} matches no PF yet" for entry in missing if is_coming or not entry.optional]
    for _, pf in chosen:
        if pf.ifindex and not host.sysfs.udev_named(pf.ifindex):
            lines.append(f"{pf.ifname} is not named by udev yet")
        elif not pf.ifindex and is_coming:
            lines.append(f"{pf.pci_address} has no network interface yet")
    return lines
