"""A VF's netdev on its way home: out of the pod, and free of what is stacked on it."""

from __future__ import annotations

import errno

from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..words.domain import Link
from ..words.errors import BadNetns, KernelRefused
from ..words.gone import is_passing
from ..words.record import Record
from . import homename, stacked
from .card import among, by_name, in_host
from .host import Host

ALTNAMES_MOST = 32  # each is a request under RTNL; a container can give 496 (64 KiB: rtnl_alt_ifname)
HOME_TIMEOUT_S = 2.0  # kernels.md 6.7: a netns dies well under a second, unless a process lives in it


def is_home(host: Host, record: Record) -> bool:
    """Whether it is in the host, where no VF is that a living container has. One that CNI_NETNS_OVERRIDE let be in the
    host has it there as well.
    """
    away = record.status == "released" or not _is_in_own_netns(host, record)
    return away and in_host(host, record.vf) is not None


def is_out(host: Host, record: Record) -> bool:
    """Whether its container may still use it: then what it has been given is nobody else's. In our own netns
    (CNI_NETNS_OVERRIDE) an address that is still on it tells.
    """
    here = in_host(host, record.vf)
    if here is None:
        return host.sysfs.has_netdev(record.vf)
    own = _is_in_own_netns(host, record)
    return own and any(address.is_global for address in host.netlink.addresses(here.ifindex))


def is_in_pod(host: Host, record: Record) -> bool:
    """Whether it is where ADD put it, under a name that we gave. What cannot be looked at is not there."""
    try:
        found = _pod(host, record)
        if found is None:
            return False
        netns, pod, _ = found
        with netns, pod:
            return by_name(pod, record) is not None
    except KernelRefused:
        return False


def _is_in_own_netns(host: Host, record: Record) -> bool:
    return host.own_netns.is_the_one(record.netns_identity, record.netns_cookie)


def take_home(host: Host, record: Record) -> None:
    """The netdev into the host netns. What no move brings there is noted to be made anew (stacked.make_anew), which takes
    it out of any netns: DEL is its owner's word, and whoever else calls has proof.
    """
    here = in_host(host, record.vf)
    if here is not None:
        if _is_in_own_netns(host, record):
            _strip(host, here, record)
        elif _was_away(record, here):
            _judge_homecomer(host, record, here)
        return
    if record.anew or not host.sysfs.has_netdev(record.vf):
        return
    found = _pod(host, record)
    if found is not None:
        netns, pod, multicast = found
        with netns, pod:
            if _fetch(host, netns, pod, multicast, record):
                return
    here = host.netlink.wait_link(lambda link: link.parent_dev == record.vf, HOME_TIMEOUT_S)
    here = here or in_host(host, record.vf)  # before Linux 5.14 a link names no parent
    if here is not None:
        _judge_homecomer(host, record, here)
        return
    host.log.warning("the VF is in a netns that cannot be reached and does not die", vf=record.vf)
    stacked.note(host, record)


def _was_away(record: Record, here: Link) -> bool:
    """An ADD that died, or failed, mostly did so before it handed the VF over; else this has the pod's name for it."""
    return record.status != "in-progress" or record.baseline is None or here.ifname != record.baseline.ifname


def _pod(host: Host, record: Record) -> tuple[Netns, Netlink, str] | None:
    """The pod's netns, with what `visit` tells of it, if its path still leads to the one that ADD saw: another pod may
    have the path by now.
    """
    try:
        netns = host.open_path(record.netns)
    except BadNetns:
        return None
    try:
        if list(netns.identity) == record.netns_identity:
            pod, multicast = host.visit(netns)  # tells the cookie, so that nobody need go in twice
            if netns.is_the_one(record.netns_identity, record.netns_cookie):
                return netns, pod, multicast
            pod.close()
    except BaseException:
        netns.close()
        raise
    netns.close()
    return None


def _judge_homecomer(host: Host, record: Record, here: Link) -> None:
    """Its netns died, and what was stacked on it there died too; in a netns inside that one it lives on. Its altnames
    came with it.
    """
    if len(here.altnames) > ALTNAMES_MOST:
        host.log.warning("the VF has too many altnames", vf=record.vf, altnames=len(here.altnames))
        stacked.note(host, record)
    if not record.anew:
        path = stacked.in_another_netns(host, here)
        if path:
            host.log.warning("something is still stacked on the VF", vf=record.vf, netns=path)
            stacked.note(host, record)


def _fetch(host: Host, netns: Netns, pod: Netlink, multicast: str, record: Record) -> bool:
    """Out of the pod, and first what is stacked on it there; False if it is not in there."""
    links = _links(pod)
    link = by_name(pod, record) if links is None else among(links, record)
    if link is None:
        return False
    above = stacked.uppers(links or [], link)
    if above or link.master:
        _unstack(host, pod, record, above)
        link = _leave_port(pod, link)
        multicast = netns.proc_net("dev_mcast")  # whoever still wants some is elsewhere
    if links is None or stacked.has_strangers(netns, multicast, link, []):
        host.log.warning("something may be stacked on the VF in another netns", vf=record.vf)
        stacked.note(host, record)
    if not _move_home(host, pod, link, record):
        stacked.note(host, record)
        return True
    here = in_host(host, record.vf) if above else None
    if here is not None:  # what the pod made between our look and the move
        links = _links(pod)
        if links is None:
            stacked.note(host, record)
        _unstack(host, pod, record, stacked.uppers(links or [], here, pod.netns_id(host.own_netns.fd)))
    return True


def _leave_port(pod: Netlink, link: Link) -> Link:
    """Out of a bond, which the move would end as well: it wants multicasts of its ports, as what is elsewhere does."""
    if not link.master:
        return link
    try:
        pod.set_master(link.ifindex, 0)
    except KernelRefused:
        return link  # it is taken for one elsewhere then, and the netdev made anew
    return pod.link_by_index(link.ifindex) or link  # a bond sets a port that leaves it DOWN


def _links(pod: Netlink) -> list[Link] | None:
    """None: they change all the time, and a pod that does that must not hinder its DEL."""
    try:
        return pod.links()
    except KernelRefused as refused:
        if refused.errno != errno.EINTR:
            raise
        return None


def _unstack(host: Host, netlink: Netlink, record: Record, above: list[Link]) -> None:
    if not above:
        return
    host.log.info("deleting what is stacked on the VF", vf=record.vf, links=[link.ifname for link in above])
    try:
        stacked.delete(netlink, above)
    except KernelRefused as refused:  # it ends with the netdev then
        host.log.warning("it cannot be deleted", vf=record.vf, reason=refused)
        stacked.note(host, record)


def _strip(host: Host, link: Link, record: Record) -> None:
    """The container is the host's own netns (CNI_NETNS_OVERRIDE): no move takes its routes and addresses away, and a VF
    with a global address is never taken, so all of them are the attachment's.
    """
    if host.sysfs.uppers(link.ifname):
        _unstack(host, host.netlink, record, stacked.uppers(host.netlink.links(), link))
        _leave_port(host.netlink, link)
    host.netlink.set_down(link.ifindex)
    for address in host.netlink.addresses(link.ifindex):
        if address.is_global:
            host.netlink.del_address(link.ifindex, address.address)


def _move_home(host: Host, pod: Netlink, link: Link, record: Record) -> bool:
    """DOWN, without altnames and under a name of the host's, all of it in the pod: a move with a new name is two steps to
    the kernel (do_setlink), and between them udev, NetworkManager and the host's other VFs would meet what the container
    calls it. DOWN first: a move while UP costs a grace period more. False: it is not to be moved.
    """
    try:
        if len(link.altnames) > ALTNAMES_MOST:
            raise KernelRefused(f"remove {len(link.altnames)} altnames of {link.ifname}", errno.E2BIG)
        for altname in link.altnames:  # the move fails where the host has one of them
            homename.ignoring(pod.del_altname, link.ifindex, altname)
        pod.move(link.ifindex, host.own_netns.fd, _rename(host, pod, link, record))
    except KernelRefused as refused:
        if is_passing(refused):
            raise  # to make it anew would be too much for that, and the next DEL can move it
        host.log.warning("the VF could not be moved home", vf=record.vf, reason=refused)
        return in_host(host, record.vf) is not None  # the netns died, and the kernel was quicker
    return True


def _rename(host: Host, pod: Netlink, link: Link, record: Record) -> str:
    """Its name in the host, or one that it waits under where that is taken in the host or in the pod."""
    assert record.baseline is not None
    spare = f"vf{record.vf.replace(':', '').replace('.', '')}"[:15]
    for name in (record.baseline.ifname, spare):
        if host.netlink.ifindex(name):
            continue
        try:
            _set_down_as(pod, link, name)
        except KernelRefused as refused:
            if refused.errno != errno.EEXIST:
                raise
            continue
        return name
    raise KernelRefused(f"rename {link.ifname} to {record.baseline.ifname} or {spare}", errno.EEXIST)


def _set_down_as(pod: Netlink, link: Link, name: str) -> None:
    try:
        pod.set_down(link.ifindex, name)
    except KernelRefused as refused:
        if refused.errno != errno.EBUSY:
            raise
        pod.set_down(
            link.ifindex
        )  # before Linux 6.2 what is UP cannot be renamed, and the name comes first (do_setlink)
        pod.set_down(link.ifindex, name)
