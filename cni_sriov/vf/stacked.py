"""What is stacked on a VF's netdev, in its own netns and in others, and how the netdev gets rid of it.

When a netdev moves, the kernel takes it out of bridges, bonds and VRFs and off packet sockets. A VLAN, macvlan, ipvlan
or macvtap stays on it (vlan_device_event and its like do nothing unless the netdev is destroyed), and goes on sending
through the VF, whoever has it next. In the same netns it is found by its IFLA_LINK. In another one nothing of the VF
tells of it, but for what it adds while it is UP: it wants all-hosts multicasts of the VF, and a macvlan in passthru
mode wants promiscuity. Where such a sign is found the netdev is made anew, which ends whatever was on the old one.
"""

from __future__ import annotations

import errno
import sys

from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..words.domain import Link
from ..words.errors import BadNetns, InputOutput, KernelRefused
from ..words.record import Record
from .card import NAMED_S, wait_named
from .host import Host

DELETED_MOST = 32  # each that is UP costs a grace period of 10 ms; with the netdev all of them go at once
ANEW_AGAIN_S = 0.5  # of a driver that made none the last time, whoever wants the VF
_ALL_HOSTS = "01005e000001"  # 224.0.0.1 by RFC 1112: every netdev that is UP and has IPv4 wants it
# those that tell the link below which groups they want (dev_mc_sync); a tunnel does not
_TELLING = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"}
_TELLING_MASTERS = {"bond", "team"}
_PAIRS = {"veth", "netkit", "vxcan"}  # their IFLA_LINK is the other end


def uppers(links: list[Link], link: Link, netns_id: int = -1) -> list[Link]:
    """Those of `links` that are stacked on it. It is in their netns, or in the one that they know by that ID."""
    return [
        upper
        for upper in links
        if upper.lower == link.ifindex and upper.lower_netns == netns_id and upper.kind not in _PAIRS
    ]


def telling(links: list[Link], link: Link) -> list[Link]:
    """Those of its own netns that want multicasts of it: what is stacked on it, and the bond it is a port of."""
    bonds = [above for above in links if above.ifindex == link.master and above.kind in _TELLING_MASTERS]
    return bonds + [upper for upper in uppers(links, link) if upper.kind in _TELLING]


def delete(netlink: Netlink, found: list[Link]) -> None:
    if len(found) > DELETED_MOST:
        raise KernelRefused(f"delete {len(found)} links", errno.E2BIG)
    for upper in found:
        try:
            netlink.delete(upper.ifindex)
        except KernelRefused as refused:
            if refused.errno != errno.ENODEV:  # it was stacked on another of them, or the pod was quicker
                raise


def is_shared(multicast: str, link: Link, here: list[Link]) -> bool:
    """Whether more want all-hosts multicasts of it than itself and `here` (`telling`). `multicast`: its netns'
    dev_mcast.
    """
    return _users(multicast, link.ifindex) > link.is_up + sum(upper.is_up for upper in here)


def has_strangers(netns: Netns, multicast: str, link: Link, here: list[Link]) -> bool:
    """Whether something in another netns is stacked on it, and UP: `here` is what is known in its own.

    Groups like 239.0.0.1 have the same MAC as 224.0.0.1, so a program may have joined it a second time.
    """
    if not is_shared(multicast, link, here):
        return False
    own = _joined(netns.proc_net("igmp"), link.ifindex) if link.is_up else 0
    return _users(multicast, link.ifindex) > own + sum(upper.is_up for upper in here)


def _users(multicast: str, ifindex: int) -> int:
    """/proc/net/dev_mcast: ifindex, name, users, global use, address (dev_mc_seq_show). `ip maddr` is global, and no sign."""
    for line in multicast.split("\n"):
        fields = line.split()
        if len(fields) == 5 and fields[0] == str(ifindex) and fields[4] == _ALL_HOSTS:
            return int(fields[2]) - int(fields[3])
    return 0


def _joined(igmp: str, ifindex: int) -> int:
    """How many groups of the interface have the MAC of 224.0.0.1. /proc/net/igmp: a line for it, then one a group,
    the address as a number of this machine.
    """
    count, ours = 0, False
    for line in igmp.split("\n"):
        fields = line.split()
        if not line.startswith("\t"):
            ours = fields[:1] == [str(ifindex)]
        elif ours and fields:
            address = int(fields[0], 16).to_bytes(4, sys.byteorder)
            count += address[1] & 0x7F == 0 and address[2:] == b"\0\1"
    return count


def in_another_netns(host: Host, link: Link) -> str:
    """The path of a netns with something stacked on this link of the host, DOWN or UP; "" if none is found.

    Looks into every netns that a process is in or that is mounted: only where nothing else can tell. One whose links
    change all the time, or cannot be had, may have it.
    """
    for inode, paths in host.live_netns().items():
        for path in paths if inode else ():  # 0: processes that cannot be looked at
            try:
                with host.open_path(path) as netns:
                    if netns.identity[-1] != inode:
                        continue  # it leads elsewhere by now
                    if not netns.is_own() and _is_above(host, netns, link):
                        return path
                    break
            except BadNetns:
                continue  # that process ended meanwhile; another one may be in there
            except (InputOutput, KernelRefused):
                return path
    return ""


def _is_above(host: Host, netns: Netns, link: Link) -> bool:
    with host.netlink_in(netns) as there:
        # the list first: the kernel gives our netns its ID there when it first tells of a link that is stacked here
        links = [upper for upper in there.links() if upper.lower == link.ifindex and upper.lower_netns >= 0]
        return bool(links) and bool(uppers(links, link, there.netns_id(host.own_netns.fd)))


def make_anew(host: Host, record: Record) -> None:
    """Unbind the VF's driver and bind it again: the kernel ends what is on the old netdev, in whatever netns, and makes a
    new one in the host. The Record says so first: where this is cut off, the next call goes on. KernelRefused if the
    driver does not let go or makes no netdev. Name, MAC and the like are then the kernel's, not the baseline's.
    """
    note(host, record)
    driver = host.sysfs.driver(record.vf)
    made_none = driver and not host.sysfs.has_netdev(record.vf)
    if driver in {"", record.driver}:  # else the operator gave it another one, and the netdev went with that
        if driver:
            host.sysfs.unbind(record.vf)
        host.sysfs.bind(record.vf, record.driver)
        if wait_named(host, record.vf, ANEW_AGAIN_S if made_none else NAMED_S) is None:
            what = f"make the netdev of VF {record.vf} anew"
            raise KernelRefused(what, errno.ENODEV, "its driver made none")
        host.log.warning("the VF's netdev was made anew", vf=record.vf, attachment=record.attachment)
    record.anew = False
    host.ledger.put(record)


def note(host: Host, record: Record) -> None:
    """Durably: it must not go to anybody as it is, even if this call is killed."""
    if not record.anew:
        record.anew = True
        host.ledger.put(record)
