"""Whether the netns that an ADD saw lives on: at its path, or wherever a process or a mount keeps it."""

from __future__ import annotations

from collections.abc import Iterable

from ..kernel.netns import Netns
from ..words.errors import BadNetns
from ..words.record import Record
from .host import Host


def opened(host: Host, paths: Iterable[str], inode: int) -> Netns | None:
    """The first of them that leads to the netns of that number, which may be another one's by now."""
    for path in paths:
        try:
            netns = host.open_path(path)
        except BadNetns:
            continue
        if netns.identity[-1] == inode:
            return netns
        netns.close()
    return None


def is_over(host: Host, record: Record) -> bool:
    """What cannot be seen is no proof; nor, without cookies, is a netns that has the number. Of what sriov-cni attached the
    path may be all that is known, and that it leads nowhere is its own proof.
    """
    if not record.netns_identity:
        return bool(record.adopted and record.netns) and not _leads_anywhere(host, record.netns)
    inode, live_netns = record.netns_identity[-1], host.live_netns()
    live = live_netns.get(inode, [])
    netns = opened(host, [record.netns, *live], inode)
    if netns is None:
        return not live and 0 not in live_netns
    with netns:
        return bool(record.netns_cookie and netns.cookie) and netns.cookie != record.netns_cookie


def _leads_anywhere(host: Host, path: str) -> bool:
    try:
        host.open_path(path).close()
    except BadNetns:
        return False
    return True
