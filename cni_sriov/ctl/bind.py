"""`sriovctl bind`, `unbind`, `restore`: a PCI device to another driver, and back to what it was.

What it was is kept before anything is changed (state/bound.py), so that each of the three goes on where one was killed.
While a network driver goes or comes, the node's claims lock is held: no ADD can choose a VF in between. Not while
a user-space driver lets go: that may wait for the process that has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..decide import planner
from ..decide.planner import NONE, Facts, Plan
from ..kernel import binding, modules
from ..kernel.files import Files
from ..state import bound, cdi
from ..state.bound import Bound
from ..vf import nodes, unbound
from ..vf.card import NAMED_S, wait_named
from ..vf.host import Host
from ..words.device import NETWORK
from ..words.errors import BadConfig, CniError, KernelRefused, PfUnusable
from ..words.failures import Failures
from ..words.pci import is_userspace, parse_pci_address
from . import drivers, rebound, slot, vfs

_DIGITS = 5  # of a VF's index, which has 16 bits


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
        return {
            "pci": self.pci,
            "before": self.before,
            "driver": self.driver,
            "changed": self.changed,
            "netdev": self.netdev,
            "loaded": self.loaded,
            "notes": self.notes,
        }


# which device ---------------------------------------------------------------------------------------------------------


def find(host: Host, where: str) -> str:
    """The PCI address of DEVICE: itself, a netdev's name, or PF:INDEX."""
    try:
        address = parse_pci_address(where)
    except ValueError:
        pf, colon, index = where.rpartition(":")
        is_index = bool(colon) and index.isascii() and index.isdecimal() and len(index) <= _DIGITS
        address = _vf(host, pf, int(index)) if is_index else _of_netdev(host, where)
    if not host.sysfs.exists(address):
        raise PfUnusable(f"use device {where}: there is none at {address}", "lspci -D lists them")
    return address


def _vf(host: Host, where: str, index: int) -> str:
    pf = vfs.find_pf(host, where)
    found = dict(host.sysfs.virtfns(pf.pci_address)).get(index)
    if found is None:
        name = pf.ifname or pf.pci_address
        offer = slot.offer(host.files, pf)
        raise PfUnusable(
            f"use VF {index} of {name}: it has {pf.numvfs} VFs, from 0 on",
            f"`sriovctl vfs {name}` lists them" if offer is None else offer.command,
        )
    return found


def _of_netdev(host: Host, name: str) -> str:
    address = host.sysfs.pci_of_netdev(vfs.name_of(host, name))
    if not address:
        raise BadConfig(
            f"use device {name}: it is no PCI device and no netdev of one in the host",
            "a device is named by PCI address, netdev, or PF:INDEX, like 0000:01:10.0, enp1s0f0v0, enp1s0f0:0",
        )
    return address


# the verbs ------------------------------------------------------------------------------------------------------------


def look(host: Host, files: Files, address: str, wanted: str, force: bool = False) -> Plan:
    """What `bind` would do: changes nothing."""
    return planner.plan(drivers.gather(host, files, address, wanted), wanted, force)


def look_back(host: Host, files: Files, address: str, force: bool = False) -> Plan | None:
    """What `restore` would do; None where nothing is kept."""
    kept = _kept(host, address)
    return look(host, files, address, kept.driver, force) if kept is not None else None


def bind(host: Host, files: Files, address: str, wanted: str, force: bool = False) -> Outcome:
    """To that driver, "auto" or "kernel"."""
    with _alone(host, "sriovctl bind"):
        known = drivers.gather(host, files, address, wanted)
        return _go(host, files, known, planner.plan(known, wanted, force), _kept(host, address))


def unbind(host: Host, files: Files, address: str, force: bool = False) -> Outcome:
    """From whatever driver it has; none gets it instead."""
    with _alone(host, "sriovctl unbind"):
        known = drivers.gather(host, files, address)
        return _go(host, files, known, planner.plan(known, NONE, force), _kept(host, address))


def restore(host: Host, files: Files, address: str, force: bool = False) -> Outcome:
    """As it was before the first `bind` or `unbind`."""
    with _alone(host, "sriovctl restore"):
        kept = _kept(host, address)
        if kept is None:
            bound.forget(host.ledger.run_dir, address)
            driver, note = host.sysfs.driver(address), "nothing to restore: no bind or unbind changed it"
            return Outcome(address, driver, driver, False, _netdev(host, address), notes=[note])
        known = drivers.gather(host, files, address, kept.driver)
        return _go(host, files, known, planner.plan(known, kept.driver, force), kept)


@contextmanager
def _alone(host: Host, verb: str) -> Iterator[None]:
    host.ledger.open_run_dir()
    with bound.lock(host.ledger.run_dir, verb):
        yield


def _kept(host: Host, address: str) -> Bound | None:
    return bound.of(host.ledger.run_dir, address, host.sysfs.inode(address))


# the act --------------------------------------------------------------------------------------------------------------


def _go(host: Host, files: Files, known: Facts, plan: Plan, kept: Bound | None) -> Outcome:
    device, notes = known.device, list(plan.notes)
    for driver in plan.loads:
        modules.load(files, driver)
    is_home = kept is not None and plan.driver == kept.driver
    if kept is not None and is_home and device.override != kept.override:
        plan.is_change = True  # it was cut off while that said the driver
    if plan.is_change:
        try:
            notes += _change(host, files, known, plan, kept)
        except KernelRefused as refused:
            raise unbound.explain(host, known, plan.driver, refused) from refused
    elif is_home and kept is not None:  # it was cut off behind the last step
        with host.ledger.node_lock("sriovctl bind"):
            _refuse_in_use(host, files, known, plan)
            notes += _as_before(host, known, kept)
    if not host.sysfs.exists(device.address):  # nor has it a driver then, which is no success of unbind's
        raise unbound.vanished(device.address, plan.driver)
    driver = host.sysfs.driver(device.address)
    notes += _publish(host, device.address)
    return Outcome(
        device.address,
        device.driver,
        driver,
        plan.is_change,
        _netdev(host, device.address),
        plan.loads,
        notes,
    )


def _change(host: Host, files: Files, known: Facts, plan: Plan, kept: Bound | None) -> list[str]:
    device, sysfs = known.device, host.sysfs
    is_kernels = bool(device.driver) and not is_userspace(device.driver)
    given = "" if is_kernels else rebound.given_mac(host, device)
    with host.ledger.node_lock("sriovctl bind"):
        _refuse_in_use(host, files, known, plan)
        cdi.remove(host.cdi_dir, device.address)  # no container gets it any more
        if kept is None:
            kept = rebound.seen(host, device)
            bound.keep(host.ledger.run_dir, device.address, kept)
        if is_kernels and device.driver != plan.driver:
            binding.leave(sysfs, device.address, plan.driver or None)
    if (
        not is_kernels and device.driver != plan.driver
    ):  # it may wait, and an ADD sees who is at work (vf/vfio.py)
        binding.leave(sysfs, device.address, plan.driver or None)
    with host.ledger.node_lock("sriovctl bind"):
        if plan.driver:
            _enter(host, known, plan, kept)
        elif plan.driver == kept.driver and kept.override != device.override:
            sysfs.set_override(device.address, kept.override)
        if plan.driver != kept.driver:
            if plan.driver and not is_userspace(plan.driver) and device.base_class == NETWORK:
                wait_named(host, device.address, NAMED_S)
            return []
        return _as_before(host, known, kept, given)


def _publish(host: Host, address: str) -> list[str]:
    """As a CDI device, or not any more. It has its driver, whatever becomes of that."""
    failures = Failures()
    with failures.of():
        nodes.settle(host, address)
    return [f"its CDI specification is not as it should be: {why}" for why in failures.told]


def _refuse_in_use(host: Host, files: Files, known: Facts, plan: Plan) -> None:
    """Who came since we looked, before the lock was ours."""
    address = known.device.address
    uses = drivers.uses(host, files, known.device) or [
        f"open in {who}" for who in nodes.held_unseen(host, address)
    ]
    if uses:
        raise planner.in_use(known, plan.driver, uses)


def _enter(host: Host, known: Facts, plan: Plan, kept: Bound) -> None:
    address = known.device.address
    stays = plan.driver if is_userspace(plan.driver) else ""
    stays = kept.override if plan.driver == kept.driver else stays
    got = binding.enter(host.sysfs, address, plan.driver, stays)
    if got != plan.driver:
        error = unbound.no_driver(known, plan.driver, got)
        error.details += _put_back(host, known, kept)
        raise error


def _put_back(host: Host, known: Facts, kept: Bound) -> str:
    """The driver that it had, after another one did not take it."""
    device = known.device
    words = f"\n{device.address} has no driver now: `sriovctl restore {device.address}`"
    if not device.driver:
        return ""
    try:
        got = binding.enter(host.sysfs, device.address, device.driver, device.override)
        if got == device.driver == kept.driver:
            _as_before(host, known, kept)
    except (KernelRefused, CniError) as error:
        return f"{words} ({error})"
    return f"\n{device.address} is on {got} again" if got == device.driver else words


def _as_before(host: Host, known: Facts, kept: Bound, given: str = "") -> list[str]:
    """Its netdev too; then nothing need be kept."""
    device, notes = known.device, rebound.settle(host, known.device, kept, given)
    if kept.numvfs and not device.numvfs:
        notes.append(
            f"it had {kept.numvfs} VFs: `sriovctl vfs {device.address} {kept.numvfs}` makes them anew"
        )
    bound.forget(host.ledger.run_dir, device.address)
    return notes


def _netdev(host: Host, address: str) -> str:
    return next(iter(host.sysfs.netdevs(address)), "")
