"""Who uses a device, for who would give it another driver, and the planner's facts with that. Looks only."""

from __future__ import annotations

from ..decide.planner import Facts
from ..kernel import devices
from ..kernel.files import Files
from ..vf import driverfacts
from ..vf.host import Host
from ..words.device import Device
from . import node, vfs


def gather(host: Host, files: Files, address: str, wanted: str = "") -> Facts:
    """`wanted`: a driver that the planner may not know, whose module is looked for too."""
    facts = driverfacts.gather(host, files, address, wanted)
    facts.uses = uses(host, files, facts.device)
    return facts


def uses(host: Host, files: Files, device: Device) -> list[str]:
    """Who has it, a line each, but for processes that have its node open (kernel/holders.py)."""
    claim = claim_on(host, device.address)
    lines = [claim] if claim else []
    for name in devices.netdevs(files, device.address):
        lines += _netdev_uses(host, name)
    if device.driver and host.sysfs.has_netdev(device.address) and not device.netdevs and not claim:
        lines.append("its netdev is in another network namespace")
    pf = host.sysfs.pf_by_pci(device.address)
    return lines + (vfs.users(host, files, pf) if pf is not None else [])


def claim_on(host: Host, address: str) -> str:
    """Who has its claim, "" for nobody."""
    return node.holder(node.owners(host), host.ledger.claimed(), address)


def _netdev_uses(host: Host, name: str) -> list[str]:
    uppers = host.sysfs.uppers(name)
    ifindex = host.netlink.ifindex(name)
    held = [f.address for f in host.netlink.addresses(ifindex) if f.is_global] if ifindex else []
    lines = [f"{name} is a port of {', '.join(uppers)}"] if uppers else []
    return lines + ([f"{name} has the address {', '.join(held)}"] if held else [])
