"""The network cards: what they can, what they are bound to, who uses them."""

from __future__ import annotations

from ...decide.facts_card import Card, CardVf
from ...kernel import devices
from ...kernel.files import Files
from ...vf.host import Host
from ...words.device import NETWORK, Device
from ...words.failures import Failures
from ...words.pci import is_userspace, parse_pci_address
from .. import slot, vfs
from . import processes
from .processes import Process


def find(host: Host, files: Files, where: str) -> str:
    """The address of a network device that is no VF; the error says what `where` is instead."""
    try:
        address = parse_pci_address(where)
    except ValueError:
        address = host.sysfs.pci_of_netdev(vfs.name_of(host, where))
    if address and _is_card(devices.device(files, address)):
        return address
    return vfs.find_pf(host, where).pci_address


def _is_card(device: Device) -> bool:
    return (device.base_class == NETWORK or device.totalvfs > 0) and not device.pf


def pci_devices(files: Files, failures: Failures) -> list[Device]:
    """All of the node. One that cannot be looked at goes to `failures`."""
    found = []
    for address in files.names(devices.DEVICES):
        with failures.of(device=address):
            found.append(devices.device(files, address))
    return found


def look(
    host: Host,
    files: Files,
    failures: Failures,
    found: list[Device],
    running: list[Process],
    wanted: str = "",
) -> list[Card]:
    """Every network device that is no VF, or the `wanted` one alone. What fails at one hides no other."""
    cards = []
    for device in found:
        if _is_card(device) and wanted in {"", device.address}:
            with failures.of(card=device.address):
                card = _card(host, files, device, found, running)
                cards.append(card)
                with failures.of(users=f"who uses VFs of {card.name}"):
                    card.users = _users(host, files, device.address)
    return cards


def _card(host: Host, files: Files, device: Device, found: list[Device], running: list[Process]) -> Card:
    card = Card(device, is_userspace=is_userspace(device.driver), is_meant=is_userspace(device.override))
    card.slot = slot.look(files, device.address)
    names = host.sysfs.netdevs(device.address) or devices.netdevs(files, device.address)
    card.ifname = next(iter(names), "")
    link = host.netlink.link(card.ifname) if card.ifname else None
    if link is not None:
        card.is_up, card.has_carrier = link.is_up, link.carrier
    if card.is_userspace:
        card.holders = processes.holders(files, running, device)
    by_address = {one.address: one for one in found}
    for index, address in host.sysfs.virtfns(device.address):
        if address in by_address:  # else it has gone, or could not be looked at, which is told
            card.vfs.append(_vf(files, index, by_address[address], running))
    pf = host.sysfs.pf_by_pci(device.address)
    if pf is not None:
        card.probes_drivers = host.sysfs.probes_drivers(pf.pci_address)
    return card


def _users(host: Host, files: Files, address: str) -> list[str]:
    pf = host.sysfs.pf_by_pci(address)
    return vfs.users(host, files, pf) if pf is not None else []


def _vf(files: Files, index: int, device: Device, running: list[Process]) -> CardVf:
    vf = CardVf(index, device, is_userspace(device.driver), is_userspace(device.override))
    if vf.is_userspace:
        vf.holders = processes.holders(files, running, device)
    return vf
