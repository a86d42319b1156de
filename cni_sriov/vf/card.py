"""One VF and its PF as they are now, looked at once for all that is to be done, on the way there and on the way back;
where its netdev is, and the one way to wait for what comes by itself.

In a burst each look-up queues for RTNL behind others' moves, 15 ms each. So what follows works by ifindex, and what
vanishes meanwhile is ENODEV then.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from ..kernel.netlink import Netlink
from ..words.domain import PF, Link
from ..words.errors import KernelRefused
from ..words.record import Record, VfState
from .host import Host

T = TypeVar("T")

NAMED_S = 5.0  # udev takes 0.3-0.6 s to name a VF (kernels.md 6.14)


class NotYet(Exception):
    """The VF cannot be returned now, and repeating the call at once would not help: its driver does not let go of
    it or makes no netdev, or the PF is down, without carrier or in another netns.
    """


@dataclass(slots=True)
class Card:
    """`pf` None: it is gone, or not visible (vf/lone.py). `admin`: what it tells of the VF, None if it tells nothing.
    `link`: the VF's netdev, None unless it is in the host. `port`: the PF's netdev, which only ADD looks at.
    `stale`: something was set since. `told`: its traits, once they were asked for.
    """

    host: Host
    record: Record
    pf: PF | None = None
    link: Link | None = None
    admin: VfState | None = None
    port: Link | None = None
    stale: bool = False
    told: dict[str, str] | None = None

    def traits(self, known: Collection[str] | None = None) -> dict[str, str]:
        """What else a container can change on its netdev (Netlink.traits); {} if that is not in the host. `known`: no other
        is asked for.
        """
        if self.told is None:
            self.told = {}  # also where that fails, which is told once
            self.told = self.host.netlink.traits(self.link, known) if self.link is not None else {}
        return self.told

    @property
    def where(self) -> str:
        return f"{self.pf.ifname} vf {self.record.vf_index}" if self.pf else f"VF {self.record.vf}"

    @property
    def driver(self) -> str:
        """Whose word it is what can be set: the PF's, the VF's own where that is not visible."""
        return self.pf.driver if self.pf else self.record.driver


def look(host: Host, record: Record) -> Card:
    """KernelRefused if the PF does not answer, or is not shown although its VF is."""
    pf = pf_of(host, record)
    if pf is None and record.pf and host.sysfs.exists(record.vf):
        raise KernelRefused(
            f"look at PF {record.pf}", errno.ENODEV, f"its VF {record.vf} is there, and it is not"
        )
    return Card(host, record, pf, _link(host, record), _admin(host, record, pf))


def look_at_link(host: Host, record: Record) -> Card:
    """The VF's own side alone, where the PF does not answer."""
    return Card(host, record, link=in_host(host, record.vf))


def pf_of(host: Host, record: Record) -> PF | None:
    return host.sysfs.pf_by_pci(record.pf) if record.pf else None


def port_of(host: Host, pf: PF | None) -> Link | None:
    """The PF's netdev; None if that is not in the host netns, or no PF is visible."""
    return host.netlink.link_by_index(pf.ifindex) if pf is not None and pf.ifindex else None


def _link(host: Host, record: Record) -> Link | None:
    link = in_host(host, record.vf)
    if link is None and host.sysfs.has_netdev(record.vf):
        return in_host(host, record.vf)  # renamed by udev while we looked for it
    return link


def _admin(host: Host, record: Record, pf: PF | None) -> VfState | None:
    """None if the PF is gone or lists no such VF: then there is nothing to restore."""
    if pf is None or not pf.ifindex:
        return None
    try:
        return host.netlink.vf_state(pf.ifindex, record.vf_index)
    except KernelRefused as refused:
        if refused.errno in {errno.ENODEV, errno.ENOENT}:
            return None
        raise


def lost(host: Host, record: Record) -> str:
    """Why the VF that ADD took is no more, "" if it is there. numvfs to 0 and back makes a new one at its address, which
    is not the attachment's and must not be touched for it (kernels.md 6.11). KernelRefused if that cannot be seen.
    """
    if not record.vf:
        return ""  # it never had one
    inode = host.sysfs.inode(record.vf)
    if not inode:
        host.sysfs.must_show_all()
        return "the VF is gone"
    return "" if record.vf_inode in {0, inode} else "the VF is gone, and a new one has its address"


# where the netdev is --------------------------------------------------------------------------------------------------


def in_host(host: Host, vf: str) -> Link | None:
    """The VF's netdev if it is in the host netns now."""
    for name in host.sysfs.netdevs(vf):
        link = host.netlink.link(name)
        if link is not None and link.parent_dev in {vf, ""}:
            return link
    return None


def wait_named(host: Host, vf: str, timeout_s: float) -> Link | None:
    """Its netdev in the host, once udev is through with it, which would rename it behind us: after that the name is our own to
    give. Whatever it is then when the time is over.
    """
    link = None

    def unnamed() -> bool:
        nonlocal link
        link = in_host(host, vf)
        return link is None or not host.sysfs.udev_named(link.ifindex)

    poll(unnamed, timeout_s)
    return link


def among(links: list[Link], record: Record) -> Link | None:
    """The VF's netdev of those in the pod, by its PCI address, whatever it is called there now.

    Of several of one device it is the one with the name that we gave, or the host's, which a half-failed move leaves.
    Where the driver names no device, the name has to do.
    """
    sure = [link for link in links if link.parent_dev == record.vf]
    ours = sure or [link for link in links if link.parent_dev == record.parent_dev]
    for name in _names(record):
        for link in ours:
            if link.ifname == name:
                return link
    return sure[0] if sure else None


def by_name(pod: Netlink, record: Record) -> Link | None:
    """The same by name alone, where the list cannot be had."""
    for name in filter(None, _names(record)):
        link = pod.link(name)
        if link is not None and link.parent_dev in {record.vf, record.parent_dev}:
            return link
    return None


def _names(record: Record) -> tuple[str, str]:
    return record.attachment.ifname, record.baseline.ifname if record.baseline else ""


# waiting -------------------------------------------------------------------------------------------------------------


def poll(missing: Callable[[], T], timeout_s: float, pause_s: float = 0.02) -> T:
    """Ask what is missing until that is nothing or the time is over; the answer is what is missing then."""
    deadline = time.monotonic() + timeout_s
    while (still := missing()) and time.monotonic() < deadline:
        time.sleep(pause_s)
    return still
