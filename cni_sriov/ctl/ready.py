"""Whether new VFs can be used: they have drivers, netdevs and names; and what else there is to know of their PF."""

from __future__ import annotations

import time

from ..vf.host import Host
from ..words.domain import PF, VF
from ..words.pci import is_userspace
from . import node

NAMED_TIMEOUT_S = 10.0  # udev takes 0.3-0.6 s (kernels.md 6.14); loading the VF driver's module is in it
_POLL_S = 0.05


def wait(host: Host, pf: PF, count: int, timeout_s: float) -> list[str]:
    """Until every VF can be used, or the time is over: then what each of them lacks."""
    with_drivers = host.sysfs.probes_drivers(pf.pci_address)
    deadline = time.monotonic() + timeout_s
    while True:
        missing = _lacks(host, pf, count, with_drivers)
        if not missing or time.monotonic() >= deadline:
            return missing
        time.sleep(_POLL_S)


def _lacks(host: Host, pf: PF, count: int, with_drivers: bool) -> list[str]:
    found = host.sysfs.vfs(pf)
    lines = [f"{len(found)} of {count} VFs are there"] if len(found) != count else []
    for vf in found:
        reason = _lack(host, vf, with_drivers)
        if reason:
            lines.append(f"vf {vf.index} ({vf.pci_address}): {reason}")
    return lines


def _lack(host: Host, vf: VF, with_drivers: bool) -> str:
    if not vf.driver:
        return "no driver is bound; is its module there, or blacklisted?" if with_drivers else ""
    if is_userspace(vf.driver):
        return ""
    if not vf.ifname:
        here = host.sysfs.has_netdev(vf.pci_address)
        return "" if here else f"driver {vf.driver} made no netdev; dmesg may say why"
    named = host.sysfs.udev_named(host.netlink.ifindex(vf.ifname))
    return "" if named else f"{vf.ifname} is not named by udev yet"


def notes(host: Host, row: node.PfRow) -> list[str]:
    name = row.pf.ifname or row.pf.pci_address
    told = []
    if row.pf.ifname and not row.is_up and row.vfs:
        told.append(
            f"{name} is down: its VFs carry nothing until it is up. ADD brings it up (pfUp),"
            f" or you: ip link set {name} up"
        )
    if row.vfs and not host.sysfs.probes_drivers(row.pf.pci_address):
        told.append(f"{name} binds no driver to new VFs: sriov_drivers_autoprobe is 0")
    return told
