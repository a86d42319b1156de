"""The Handover of a VF to a program in user space, by vfio-pci or UIO (vf/handover.py says what each act is for): nothing of
it is in the container's netns, and the program opens the device's node.

The admin MAC is set before the driver changes: the program gets what the PF has then (kernels.md 3.5). A write to
driver/unbind waits for whoever has the device open, without a limit (3.6): so nothing is written there while somebody has.
"""

from __future__ import annotations

import os

from ..conf import planeconf
from ..conf.netconf import NetConf
from ..decide import knobs, planner
from ..kernel import binding, devices, holders, modules
from ..kernel.netlink import ZERO_MAC, Netlink
from ..kernel.netns import Netns
from ..state import bound, deviceinfo
from ..words.domain import VF, IpamResult, Link, Route
from ..words.errors import DriverRefused, KernelRefused, PfUnusable
from ..words.modules import UIO, VFIO
from ..words.pci import is_userspace
from ..words.plane import VFIO as KIND
from ..words.plane import DataPlane
from ..words.record import Record
from . import admin, crypto, driverfacts, netdev, netnslife, nodes, unbound
from .card import NAMED_S, Card, NotYet, poll, wait_named
from .host import Host
from .pod import InPod

DRIVERS = (VFIO, *UIO)
LET_GO_S = 2.0  # a process that was told to end closes what it has open


# choosing -------------------------------------------------------------------------------------------------------------


def is_wanted(conf: NetConf, driver: str) -> bool:
    """Whether the conf means this kind of a VF that has that driver now."""
    match conf.plane.driver:
        case "kernel":
            return False
        case "":
            return bool(conf.device) and driver in DRIVERS
        case "auto":
            return driver not in planner.BIFURCATED
    return True


def busy(host: Host, conf: NetConf, vf: VF, addressed: set[int]) -> str:
    """By the planner of `sriovctl bind`. What it says of a free VF is noted in that: the driver, or why there is none."""
    why = netdev.busy(host, conf, vf, addressed) if _makes_netdev(vf.driver) else _on_its_way(host, vf)
    if why:
        return why
    # of a VF that is on its driver already; where the conf names the driver that is told without a VF
    planeconf.refuse_netdevs(conf.settings.asked(), conf.plane, f"VF {vf.pci_address} is on {vf.driver}")
    wanted = conf.plane.driver or vf.driver
    facts = driverfacts.of_vf(host.files, vf.pci_address, wanted)
    try:
        plan = planner.plan(facts, wanted)
    except PfUnusable as refused:
        vf.refused = refused
        return refused.msg
    vf.lasting = False
    vf.plane = DataPlane(KIND, plan.driver, facts.device.override)
    return driverfacts.others_use(host, facts, plan.driver)


def _on_its_way(host: Host, vf: VF) -> str:
    """To another driver, perhaps: `sriovctl bind` looks for claims under the node's lock, which we hold, and acts after it."""
    lock = bound.lock(host.ledger.run_dir, "ADD")
    try:
        if lock.try_share():
            return ""
    finally:
        lock.release()
    vf.lasting = False
    return "sriovctl is giving a device another driver just now"


def _makes_netdev(driver: str) -> bool:
    return bool(driver) and not is_userspace(driver)


# there ----------------------------------------------------------------------------------------------------------------


def find(host: Host, record: Record) -> Link | None:
    """Its netdev, if it is on its network driver."""
    return netdev.find(host, record) if _makes_netdev(record.driver) else None


def hand_over(card: Card, netns: Netns, netlink: Netlink, conf: NetConf) -> InPod:
    """MAC and knobs by the PF, then the driver, then all of it is read back."""
    _choose_mac(card)
    admin.set_down(card)
    _set_mac(card)
    admin.set_knobs(card)
    _bind(card)
    _read_back(card, conf)
    record = card.record
    nodes.give(card.host, record, conf.plane.owner)
    nodes.publish(card.host, record)
    return InPod(card.host, netns, netlink, Link(0, record.attachment.ifname, mac=_mac(record)))


def _mac(record: Record) -> str:
    """That of its netdev where nobody can set one; "" if that cannot be known."""
    return record.settings.mac or (record.baseline.own_mac if record.baseline is not None else "")


def _choose_mac(card: Card) -> None:
    """Always one by the PF: else the program gets a random one, which no result can tell. Its netdev's where none was
    asked; of a VF without one, what the PF shows.
    """
    record = card.record
    if record.settings.mac is not None:
        if card.pf is None:
            raise PfUnusable(
                f"set mac on VF {record.vf}: only its PF can, which is not visible here",
                "set it on the machine that has the PF, and leave it out here",
            )
        return
    if card.admin is None:  # nobody can set one
        return
    shown = "" if card.admin.mac == ZERO_MAC else card.admin.mac
    mac = card.link.mac if card.link is not None else shown or _random_mac()
    record.settings = record.settings.copy()
    record.settings.mac = mac
    card.host.ledger.put(record)


def _random_mac() -> str:
    """Locally administered, unicast."""
    return ":".join(f"{byte:02x}" for byte in (2, *os.urandom(5)))


def _set_mac(card: Card) -> None:
    if card.record.settings.mac is not None and card.pf is not None:
        with admin.refusal(card, "mac"):
            admin.set_by_pf(card, card.record.settings.mac)


def _bind(card: Card) -> None:
    """To the driver that the planner named. What is there already stays."""
    host, record, plane = card.host, card.record, card.record.plane
    assert plane is not None
    if host.sysfs.driver(record.vf) == plane.driver:
        return
    facts = driverfacts.of_vf(host.files, record.vf, plane.driver)
    plan = planner.plan(facts, plane.driver)  # what may have changed since the VF was chosen
    for driver in plan.loads:
        modules.load(host.files, driver)
    try:
        binding.leave(host.sysfs, record.vf, plane.driver)
        got = binding.enter(host.sysfs, record.vf, plane.driver, plane.driver)
    except KernelRefused as refused:
        raise unbound.explain(host, facts, plane.driver, refused) from refused
    card.link = None  # it went with its driver
    if got != plane.driver:
        raise unbound.no_driver(facts, plane.driver, got)


def _read_back(card: Card, conf: NetConf) -> None:
    still = poll(lambda: _unlike(card), conf.verify_timeout_ms / 1000)
    if still:
        raise DriverRefused(
            f"set up {card.where}: driver {card.driver} took it without effect",
            f"after {conf.verify_timeout_ms} ms: {'; '.join(still)}",
        )


def _unlike(card: Card) -> list[str]:
    settings = card.record.settings
    if card.pf is None or card.admin is None:
        return []
    with admin.refusal(card, "what was asked"):
        now = card.host.netlink.vf_state(card.pf.ifindex, card.record.vf_index)
    wrong = knobs.differences(now, settings)
    return wrong if settings.mac in {None, now.mac} else [*wrong, f"admin MAC {now.mac}, not {settings.mac}"]


def configure(_given: InPod, _record: Record, _conf: NetConf, found: IpamResult | None) -> list[Route]:
    """Addresses and routes are for the program to use: the result tells them."""
    return found.routes if found is not None else []


def add_late(_given: InPod, _record: Record, _conf: NetConf, found: IpamResult) -> list[Route]:
    return found.routes


def announce(given: InPod, found: IpamResult | None, wait_ms: int) -> None:
    """There is nobody yet who could."""


def differences(host: Host, record: Record, conf: NetConf, _netns: Netns, _pod: Netlink) -> list[str]:
    plane = record.plane
    assert plane is not None
    now = host.sysfs.driver(record.vf)
    if now != plane.driver:
        return [f"VF {record.vf} is on {now or 'no driver'}, not {plane.driver}"]
    wrong = nodes.differences(host, record, conf.plane.owner) + crypto.differences(host, record)
    return wrong + deviceinfo.differences(record)


# and back -------------------------------------------------------------------------------------------------------------


def take_home(host: Host, record: Record) -> None:
    """The driver that it had, and that one's netdev named. NotYet while a process has it open: it goes on in its VLAN."""
    held = _held(host, record)
    if held:
        raise NotYet(f"it is open in {', '.join(held)}")
    assert record.plane is not None
    nodes.take_back(host, record)
    now = host.sysfs.driver(record.vf)
    if now not in {"", record.plane.driver, record.driver}:
        host.log.warning("the VF has got another driver; it stays there", vf=record.vf, driver=now)
        return
    if now != record.driver:
        now = _rebind(host, record, record.plane.override)
    elif devices.override(host.files, record.vf) != record.plane.override:  # it was cut off
        host.sysfs.set_override(record.vf, record.plane.override)
    if now != record.driver:
        raise NotYet(f"driver {record.driver} does not take it back; dmesg says why")
    if _makes_netdev(now) and wait_named(host, record.vf, NAMED_S) is None:
        raise NotYet(f"driver {record.driver} made no netdev")


def _rebind(host: Host, record: Record, override: str) -> str:
    """The driver that it has then. It may have had none."""
    if not record.driver:
        binding.leave(host.sysfs, record.vf, override)
        return host.sysfs.driver(record.vf)
    binding.leave(host.sysfs, record.vf, record.driver)
    return binding.enter(host.sysfs, record.vf, record.driver, override)


def _held(host: Host, record: Record) -> list[str]:
    """Who ends just now gets the time for it, but not from everybody who comes by."""
    timeout_s = 0 if record.status == "released" else LET_GO_S
    return poll(lambda: _open_in(host, record), timeout_s, 0.1)


def _open_in(host: Host, record: Record) -> list[str]:
    """Processes. One that has another device of its group open has nothing of what a network driver has."""
    if not is_userspace(host.sysfs.driver(record.vf)):
        return []
    return holders.holders(host.files, record.vf) or nodes.held_unseen(host, record.vf)


def is_home(host: Host, record: Record) -> bool:
    """No process has it open, and the container's netns is dead (rule 10 of the design)."""
    return not host.blind_spot() and netnslife.is_over(host, record) and not _open_in(host, record)


def is_in_pod(_host: Host, _record: Record) -> bool:
    return False


def is_out(host: Host, record: Record) -> bool:
    return bool(_open_in(host, record))
