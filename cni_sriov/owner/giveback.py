"""The inverse of each effect of ADD, from the Record: used by ADD's undo, DEL and reclaim, so they cannot drift apart. Every one is idempotent: what is already so is left alone, what is gone is success.

Order on the way back: netdev home and free of what is stacked on it, then its MAC, then its MTU and name, then the
PF's knobs.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import Any

from ..decide import knobs
from ..ipam import reservation
from ..kernel.netlink import ZERO_MAC, Netlink
from ..kernel.netns import Netns
from ..state import deviceinfo
from ..vf import homename, stacked
from ..vf.host import Host, link_among, link_in_pod
from ..words.domain import PF, Link, Record, VfState
from ..words.errors import CniError, KernelRefused, TryAgain

HOME_TIMEOUT_S = 2.0  # lab.md 6.7: a netns dies well under a second, unless a process lives in it


class NotYet(Exception):
    """The VF cannot be returned now, and repeating the call at once would not help: somebody holds the netns its netdev
    is in, or the PF is down, without carrier or in another netns.
    """


def give_back(host: Host, record: Record, verify_timeout_ms: int) -> bool:
    """Everything an attachment holds, the Record last: ADD's undo, DEL, GC and reclaim all end here.

    False: all is free but the VF: its netdev is in a netns that neither can be reached nor dies, or its PF is down,
    without carrier or in another netns, so that its settings cannot be restored. The Record stays as "released", and a later call
    finishes. Raises after having done all it could; the Record then stays as it was.
    """
    failed = None
    for inverse in (reservation.release, _forget_device_info):
        try:
            inverse(host, record)
        except CniError as error:
            failed = failed or error
    try:
        if record.boot_id == host.ledger.boot_id and host.ledger.owns(record):
            return_vf(host, record, verify_timeout_ms)
    except NotYet as reason:
        if failed is None:
            record.status, record.leases, record.addresses, record.ipam = "released", [], [], {}
            record.device_info = ""
            host.ledger.put(record)
            host.log.warning(
                "the VF is not back yet", vf=record.vf, attachment=record.attachment, reason=reason
            )
            return False
    if failed is not None:
        raise failed
    host.ledger.forget(record)
    return True


def _forget_device_info(_: Host, record: Record) -> None:
    if record.device_info:
        deviceinfo.remove(record)


def return_vf(host: Host, record: Record, verify_timeout_ms: int) -> None:
    """The VF as it was found, whatever the conf said.

    Does all it can and reports all that failed. NotYet: only time or the operator can help; TryAgain: it failed, or
    reads back differently for too long.
    """
    if record.baseline is None or host.lost_vf(record):
        return
    failed: list[str] = []
    by_pf: list[str] = []  # of these only, the PF may be the reason
    away = _try(failed, bring_home, host, record)
    found = _look(by_pf, host, record)
    if record.anew or (found.link is not None and found.link.is_held):
        away = away or _make_anew(host, record)
        found = _look(by_pf, host, record)
    _try(by_pf, restore_mac, host, record, found)
    for inverse in (restore_mtu, restore_txqueuelen, restore_modes, restore_name):
        _try(failed, inverse, host, record, found)
    _try(by_pf, restore_knobs, host, record, found)
    if failed or by_pf:
        what = f"restore vf {record.vf}: {'; '.join(failed + by_pf)}"
        why = "" if failed else pf_out_of_reach(host, record)
        if why:  # containerd would repeat DEL for ever, and no repetition can help
            raise NotYet(f"{what}; {why}")
        raise TryAgain(what, "what is left stays recorded; the next DEL or ADD tries again")
    if away is not None:
        raise away
    verify(host, record, verify_timeout_ms)
    homename.settle(host)


def _make_anew(host: Host, record: Record) -> NotYet | None:
    """A driver that does not come back keeps the VF from everybody, and no DEL from its end."""
    try:
        stacked.make_anew(host, record)
    except KernelRefused as refused:
        return NotYet(f"its netdev cannot be made anew: {refused}")
    return None


def _try(failed: list[str], inverse: Callable[..., None], *args: Any) -> NotYet | None:
    try:
        inverse(*args)
    except NotYet as reason:
        return reason
    except KernelRefused as refused:
        failed.append(str(refused))
    return None


def pf_out_of_reach(host: Host, record: Record) -> str:
    """What only the operator can change: igb refuses rates while the PF is down (lab.md 6.4) or its cable is out
    (igb_ndo_set_vf_bw wants E1000_STATUS_LU), and whoever moved the PF into another netns (6.16) took all settings of
    its VFs there. "" = the PF is not to blame.
    """
    pf = _pf(host, record)
    if pf is None:
        return ""
    link = host.netlink.link_by_index(pf.ifindex) if pf.ifindex else None
    if link is None:
        return f"PF {record.pf} is in another netns" if pf.driver else ""
    if not link.is_up:
        return "the PF is down"
    return "" if link.carrier else "the PF has no carrier"


class Found:
    """A VF in the host, as it is: its netdev and the PF with its view of it, None where they are not to be seen."""

    __slots__ = ("admin", "link", "pf")

    def __init__(self, pf: PF | None, admin: VfState | None, link: Link | None) -> None:
        self.pf = pf
        self.admin = admin
        self.link = link


def _look(failed: list[str], host: Host, record: Record) -> Found:
    """A PF that does not answer is no reason to leave the VF's own side as it is."""
    try:
        return look(host, record)
    except KernelRefused as refused:
        failed.append(str(refused))
    link: Link | None = None
    try:
        link = host.vf_link(record.vf)
    except KernelRefused as refused:
        failed.append(str(refused))
    return Found(None, None, link)


def look(host: Host, record: Record) -> Found:
    """Once for all inverses: in a burst each look-up queues for RTNL behind others' moves, 15 ms each."""
    pf = _pf(host, record)
    link = host.vf_link(record.vf)
    if link is None and host.sysfs.has_netdev(record.vf):
        link = host.vf_link(record.vf)  # renamed by udev while we looked for it
    return Found(pf, _admin_state(host, record, pf), link)


def bring_home(host: Host, record: Record) -> None:
    """The netdev into the host netns. DOWN first as its own message: a move while UP costs a grace period more."""
    here = host.vf_link(record.vf)
    if here is not None:
        if host.is_in_own_netns(record):
            _strip(host, here, record)
        elif record.status != "in-progress":
            _judge_homecomer(host, record, here)
        return
    if not host.sysfs.has_netdev(record.vf):
        return
    found = host.find_pod(record)
    if found is not None:
        netns, pod, multicast = found
        with netns, pod:
            if _fetch(host, netns, pod, multicast, record):
                return
    here = host.netlink.wait_link(lambda link: link.parent_dev == record.vf, HOME_TIMEOUT_S)
    if here is None:
        raise NotYet("its netdev is in a netns that cannot be reached and does not die")
    _judge_homecomer(host, record, here)


def _judge_homecomer(host: Host, record: Record, here: Link) -> None:
    """Its netns died, and what was stacked on it there died too; in a netns inside that one it lives on."""
    if not record.anew:
        path = stacked.in_another_netns(host, here)
        if path:
            host.log.warning("something is still stacked on the VF", vf=record.vf, netns=path)
            stacked.note(host, record)


def _fetch(host: Host, netns: Netns, pod: Netlink, multicast: str, record: Record) -> bool:
    """Out of the pod, and first what is stacked on it there; False if it is not in there."""
    links = _links(pod)
    link = link_in_pod(pod, record) if links is None else link_among(links, record)
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
    pod.set_down(link.ifindex)
    _move_home(host, pod, link, record)
    here = host.vf_link(record.vf) if above else None
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


def _move_home(host: Host, pod: Netlink, link: Link, record: Record) -> None:
    assert record.baseline is not None
    wanted = record.baseline.ifname
    for (
        altname
    ) in link.altnames:  # they move along, and the move fails where the host has one: the pod may give any
        if altname not in record.baseline.altnames or host.netlink.ifindex(altname):
            homename.ignoring(pod.del_altname, link.ifindex, altname)
    name = (
        wanted
        if not host.netlink.ifindex(wanted)
        else f"vf{record.vf.replace(':', '').replace('.', '')}"[:15]
    )
    try:
        pod.move(link.ifindex, host.own_netns.fd, name)
    except KernelRefused:
        if host.vf_link(record.vf) is None:
            raise
        # it did move, under the pod's name: restore_name puts that right


def restore_mac(host: Host, record: Record, found: Found) -> None:
    """Admin MAC cleared, own address back, admin MAC back: with an admin MAC and trust off the VF may set none
    (lab.md 6.2). Where the driver refuses to clear, the old own address becomes the admin MAC.
    """
    base, pf, link, admin = record.baseline, found.pf, found.link, found.admin
    if base is None:
        return
    if link is None:
        _restore_admin_mac_alone(host, record, found)
        return
    if (
        record.settings.mac is None
        and link.mac == base.own_mac
        and (admin is None or admin.mac is None or admin_mac(admin, link) == base.mac)
    ):
        return  # where ADD set an admin MAC it may be one that cannot be seen: the VF's own address
    if admin is not None and admin.mac is not None and pf is not None:
        try:
            host.netlink.set_vf_mac(pf.ifindex, record.vf_index, ZERO_MAC)
            if link.mac == base.own_mac:
                _put_off_mac(host, link)
        except KernelRefused as refused:
            host.log.warning(
                "admin MAC cannot be cleared; the VF's own becomes it", vf=record.vf, reason=refused
            )
            host.netlink.set_vf_mac(pf.ifindex, record.vf_index, base.own_mac)
    host.netlink.set_mac(link.ifindex, base.own_mac)
    if base.mac and pf is not None:
        host.netlink.set_vf_mac(pf.ifindex, record.vf_index, base.mac)


def _put_off_mac(host: Host, link: Link) -> None:
    """The kernel asks no driver for the address that its netdev has (dev_set_mac_address), but igb's clearing took
    that one off the PF's filter: with another one in between it comes back, and the VF hears again.
    """
    host.netlink.set_mac(link.ifindex, f"{int(link.mac[:2], 16) ^ 2:02x}{link.mac[2:]}")


def _restore_admin_mac_alone(host: Host, record: Record, found: Found) -> None:
    """The driver was unbound under the pod, and the own address went with the netdev (lab.md 6.12)."""
    base, pf, admin = record.baseline, found.pf, found.admin
    if host.sysfs.has_netdev(record.vf) or base is None or pf is None or admin is None:
        return
    if record.settings.mac is not None and admin.mac != base.mac:
        host.netlink.set_vf_mac(pf.ifindex, record.vf_index, base.mac or ZERO_MAC)


def admin_mac(admin: VfState, link: Link) -> str | None:
    """Where the PF shows the VF's own address, that is no admin MAC: drivers show what the VF set (lab.md 6.3)."""
    return "" if admin.mac == link.mac else admin.mac


def restore_mtu(host: Host, record: Record, found: Found) -> None:
    link = found.link
    if link is not None and record.baseline is not None and record.baseline.mtu not in {0, link.mtu}:
        host.netlink.set_mtu(link.ifindex, record.baseline.mtu)


def restore_txqueuelen(host: Host, record: Record, found: Found) -> None:
    link, base = found.link, record.baseline
    if link is not None and base is not None and base.txqueuelen not in {None, link.txqueuelen}:
        host.netlink.set_txqueuelen(link.ifindex, base.txqueuelen or 0)


def restore_modes(host: Host, record: Record, found: Found) -> None:
    """Promiscuous and all multicast go with the netdev from netns to netns: `tuning` sets them, tcpdump does not."""
    link = found.link
    if link is not None and record.baseline is not None and link.modes != record.baseline.modes:
        host.netlink.set_modes(link.ifindex, record.baseline.modes)


def restore_name(host: Host, record: Record, found: Found) -> None:
    """Name, altnames and UP. udev may have given the name to the pod-named netdev as an altname (lab.md 6.8)."""
    base, link = record.baseline, found.link
    if base is None or link is None:
        return
    for name in set(link.altnames) - set(base.altnames):
        homename.ignoring(host.netlink.del_altname, link.ifindex, name)
    has = host.netlink.ifname(link.ifindex)  # asked anew, without RTNL: udev may have renamed it
    if has != base.ifname and not homename.rename(host, link, base.ifname):
        homename.remember(host, record.vf, base.ifname)
    for name in set(base.altnames) - set(link.altnames):
        homename.ignoring(host.netlink.add_altname, link.ifindex, name)
    if base.up:
        host.netlink.set_up(link.ifindex)  # also where it was UP just now: the rename set it down


def restore_knobs(host: Host, record: Record, found: Found) -> None:
    """Each knob of the PF that differs from the baseline; what the driver does not report is left alone."""
    base, pf, now = record.baseline, found.pf, found.admin
    if base is None or pf is None:
        return
    if now is None:
        asked = record.settings.mac is not None or knobs.steps(base, record.settings)
        if pf.driver and asked:  # without a driver the settings are gone as well
            raise KernelRefused(
                f"restore knobs by PF {record.pf}", errno.ENODEV, "it has no netdev in the host"
            )
        return
    for step in knobs.steps(now, base):
        host.netlink.set_vf(pf.ifindex, record.vf_index, step.knob, *step.values)


def verify(host: Host, record: Record, timeout_ms: int) -> None:
    """Read back until the VF is its baseline: i40e and iavf apply MACs asynchronously (sriov-cni utils.go)."""
    deadline = time.monotonic() + timeout_ms / 1000
    while wrong := differences(host, record):
        if time.monotonic() >= deadline:
            raise TryAgain(f"restore vf {record.vf}: after {timeout_ms} ms still {', '.join(wrong)}")
        time.sleep(0.02)


def differences(host: Host, record: Record) -> list[str]:
    base = record.baseline
    if base is None:
        return []
    found = look(host, record)
    now, link = found.admin, found.link
    wrong = knobs.differences(now, base) if now is not None else []
    if link is None and host.sysfs.has_netdev(record.vf):
        wrong.append("no netdev in the host")  # renamed by udev while we looked for it
    if link is not None:
        wrong += [f"own MAC {link.mac}"] if link.mac != base.own_mac else []
        wrong += ["promiscuous or all multicast"] if link.modes != base.modes else []
        wrong += [f"mtu {link.mtu}"] if base.mtu not in {0, link.mtu} else []
        wrong += [f"txqueuelen {link.txqueuelen}"] if base.txqueuelen not in {None, link.txqueuelen} else []
        if now is not None and base.mac is not None and admin_mac(now, link) not in {base.mac, base.own_mac}:
            wrong.append(f"admin MAC {now.mac}")
    return wrong


def _pf(host: Host, record: Record) -> PF | None:
    return host.sysfs.pf_by_pci(record.pf) if record.pf else None


def _admin_state(host: Host, record: Record, pf: PF | None) -> VfState | None:
    """None if the PF is gone or lists no such VF: then there is nothing to restore."""
    if pf is None or not pf.ifindex:
        return None
    try:
        return host.netlink.vf_state(pf.ifindex, record.vf_index)
    except KernelRefused as refused:
        if refused.errno in {errno.ENODEV, errno.ENOENT}:
            return None
        raise
