"""Where the netdev of a VF is: in the host by its PCI address, in a pod by what the Record says of it."""

from __future__ import annotations

from ..kernel.netlink import Netlink
from ..words.domain import Link, Record
from .host import Host


def in_host(host: Host, vf: str) -> Link | None:
    """The VF's netdev if it is in the host netns now."""
    for name in host.sysfs.netdevs(vf):
        link = host.netlink.link(name)
        if link is not None and link.parent_dev in {vf, ""}:
            return link
    return None


def among(links: list[Link], record: Record) -> Link | None:
    """The VF's netdev of those in the pod: by name if what bears the name is still the VF, else by PCI address.

    A half-failed move leaves the host's name there. Where the driver names no parent device, the name has to do.
    """
    ours = [link for link in links if link.parent_dev == record.parent_dev]
    for name in _names(record):
        for link in ours:
            if link.ifname == name:
                return link
    return ours[0] if ours and record.parent_dev else None


def by_name(pod: Netlink, record: Record) -> Link | None:
    """The same by name alone, where the list cannot be had."""
    for name in filter(None, _names(record)):
        link = pod.link(name)
        if link is not None and link.parent_dev == record.parent_dev:
            return link
    return None


def _names(record: Record) -> tuple[str, str]:
    return record.attachment.ifname, record.baseline.ifname if record.baseline else ""
