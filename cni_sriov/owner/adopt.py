"""Attachments that sriov-cni made before the binary was exchanged: a Record out of its cache file (wire/sriovcni.py).

Lazy: its file stays the record until a DEL, GC or reclaim gives the VF back, and goes last (Ledger.forget); until then
sriov-cni can be put back. A file of an earlier boot, and one whose VF a newer file
names too, say nothing of the VF any more: then only the addresses are given back. What it attached in DPDK mode was on a
driver for user space already, and is a Record with a plane; if the operator gave the VF its network driver since, it is
one of a VF that is home.
"""

from __future__ import annotations

from typing import Any

from ..conf import hostsubnet
from ..ipam import delegate, own
from ..kernel import devices
from ..kernel.netns import Netns
from ..state.sriovcni import marked_netns, name_of
from ..vf import cachefiles
from ..vf.cachefiles import CacheFile
from ..vf.card import in_host
from ..vf.host import Host
from ..wire import sriovcni
from ..wire.sriovcni import BadCache, Cache
from ..words.domain import Attachment, Link
from ..words.errors import BadNetns, CniError, KernelRefused, PfUnusable
from ..words.failures import Failures
from ..words.gone import is_gone
from ..words.pci import is_userspace
from ..words.plane import VFIO, DataPlane
from ..words.record import Record, VfState


def find(host: Host, attachment: Attachment) -> Record | None:
    """The Record of an attachment that has none of ours; the caller holds its lock. None, and logged, if its file cannot
    be trusted. PfUnusable where only the operator can go on.
    """
    name = name_of(attachment)
    found = next((file for file in cachefiles.all_files(host, name) if file.name == name), None)
    if found is None:
        return None
    try:
        return _record(host, attachment, found)
    except BadCache as error:
        cachefiles.complain(host, found.path, error)
        return None


def unknown(host: Host, network: str, keep: set[Attachment]) -> set[Attachment]:
    """For GC: the network's attachments that nobody knows any more. One that may be meant in `keep` is not among them."""
    gone = set()
    failures = Failures(host.log.error, cachefiles.UNUSABLE)
    theirs: list[CacheFile] = []
    with failures.of(what="sriov-cni's files"):
        theirs = cachefiles.all_files(host)
    for found in theirs:
        if found.cache.network == network and not keep.intersection(found.possible):
            with failures.of(file=found.path):
                gone |= _unknown(host, found)
    return gone


def _unknown(host: Host, found: CacheFile) -> set[Attachment]:
    attachment = attachment_of(host, found)
    if attachment is None:
        host.log.warning("left alone: container and interface cannot be told apart", file=found.path)
    else:
        return {attachment}
    return set()


def records(host: Host) -> list[Record]:
    """For the operator: whoever has a VF by sriov-cni's files. Changes nothing."""
    made = []
    failures = Failures(host.log.error, cachefiles.UNUSABLE)
    for found in cachefiles.all_files(host):
        with failures.of(file=found.path):
            attachment = attachment_of(host, found) or found.possible[-1]
            try:
                made.append(_record(host, attachment, found))
            except BadCache as error:
                cachefiles.complain(host, found.path, error)
    return [record for record in made if record.boot_id]


def attachment_of(host: Host, found: CacheFile) -> Attachment | None:
    """Which of the possible ones it is: what the file says, else what the VF is called in the container."""
    possible = found.possible
    if len(possible) == 1:
        return possible[0]
    for ifname in (found.cache.ifname, _name_in_pod(host, found)):
        named = [attachment for attachment in possible if attachment.ifname == ifname]
        if named:
            return named[0]
    return None


def _name_in_pod(host: Host, found: CacheFile) -> str:
    netns, link = _where(host, found.cache.vf, marked_netns(found.directory, found.cache.vf))
    if netns is not None:
        netns.close()
    return link.ifname if netns is not None and link is not None else ""


# a Record ------------------------------------------------------------------------------------------------------------


def _record(host: Host, attachment: Attachment, found: CacheFile) -> Record:
    """BadCache where the file says what cannot be. `boot_id` "" = it has nothing to do with the VF any more."""
    cache = found.cache
    if cache.ifname not in {"", attachment.ifname}:
        raise BadCache(f"it is of interface {cache.ifname}")
    pf = host.sysfs.pf_of_vf(cache.vf)
    if pf is None and host.sysfs.exists(cache.vf):
        raise BadCache(f"its deviceID {cache.vf} is no VF")
    index = host.sysfs.vf_index(cache.vf)
    is_its = not found.outdated and pf is not None and index is not None
    record = Record(
        attachment,
        cache.network,
        pf.pci_address if pf else "",
        cache.vf,
        index or 0,
        _told_netns(host, attachment),
        [],
        host.ledger.boot_id if is_its else "",
        status="done",
        driver=host.sysfs.driver(cache.vf),
        parent_dev=cache.vf,
        settings=cache.settings,
        ipam=_ipam(host, cache),
        addresses=sriovcni.promised(host.request.conf.get("prevResult"), attachment.ifname),
        adopted=found.directory,
    )
    marked = marked_netns(found.directory, cache.vf)
    if is_its:
        record.baseline = cache.baseline
        if cache.is_dpdk and is_userspace(record.driver):
            _note_user_space(host, record, marked)
        else:
            if cache.is_dpdk and cache.baseline.mac:  # whoever's it was, the VF had it
                cache.baseline.own_mac, cache.baseline.mac = cache.baseline.mac, ""
            _look_where_it_is(host, record, cache.baseline, marked)
        _leave_out_unreported(host, record, cache.baseline)
    elif found.outdated in {"", cachefiles.EARLIER_BOOT}:  # then the VF's mark is its own, and goes with it
        record.netns = marked or record.netns
    return record


def _told_netns(host: Host, attachment: Attachment) -> str:
    """CNI_NETNS, if the call is for that container: versions without pci/ recorded none."""
    env = host.request.environment
    return env.get("CNI_NETNS", "") if env.get("CNI_CONTAINERID") == attachment.container_id else ""


def _note_user_space(host: Host, record: Record, marked: str) -> None:
    """DPDK mode: the VF was on that driver before, and stays there. Of its container nothing is seen but the netns."""
    record.plane = DataPlane(VFIO, record.driver, devices.override(host.files, record.vf))
    record.netns = marked or record.netns
    try:
        with host.open_path(record.netns) as netns:
            record.netns_identity, record.netns_cookie = list(netns.identity), netns.cookie
    except BadNetns:
        pass  # it is gone, or was never told


def _look_where_it_is(host: Host, record: Record, base: VfState, marked: str) -> None:
    """What sriov-cni did not record is taken for what it was: as it is now."""
    netns, link = None, None
    for path in (marked, record.netns):
        if link is None:
            netns, link = _where(host, record.vf, path)
    record.netns = netns.path if netns is not None else marked or record.netns
    if netns is not None:
        record.netns_identity, record.netns_cookie = list(netns.identity), netns.cookie
        netns.close()
    if link is not None:
        record.parent_dev = link.parent_dev
        base.ifname = base.ifname or (link.ifname if netns is None else "")
        base.own_mac = base.own_mac or link.mac
        base.mtu = base.mtu or link.mtu
        ours = {base.ifname, record.attachment.ifname}
        base.altnames = [name for name in link.altnames if name not in ours]
    if not (record.driver or base.ifname):
        raise PfUnusable(
            f"use VF {record.vf}: sriov-cni attached it in DPDK mode, and it has no driver now",
            f"give it one, then again: `sriovctl bind {record.vf} vfio-pci`, or `sriovctl bind {record.vf} kernel`",
        )
    if not base.own_mac:
        raise BadCache("it has no EffectiveMAC, and the VF cannot be seen")


def _leave_out_unreported(host: Host, record: Record, base: VfState) -> None:
    """Where a driver tells nothing of a knob, Go's netlink has false or 0, and that is not what it was."""
    pf = host.sysfs.pf_by_pci(record.pf)
    if pf is None or not pf.ifindex:
        return
    try:
        now = host.netlink.vf_state(pf.ifindex, record.vf_index)
    except KernelRefused as refused:
        if not is_gone(refused):
            raise
        return
    for knob in ("mac", "vlan", "min_tx_rate", "max_tx_rate", "spoofchk", "trust", "link_state"):
        if getattr(now, knob) is None:
            setattr(base, knob, None)


def _where(host: Host, vf: str, path: str) -> tuple[Netns | None, Link | None]:
    """(the pod's netns, the VF's netdev there); no netns if it is in the host, nothing if neither there nor at `path`."""
    link = in_host(host, vf)
    if link is not None or not path:
        return None, link
    try:
        netns = host.open_path(path)
    except BadNetns:
        return None, None
    try:
        if not netns.is_own():
            with host.netlink_in(netns) as pod:
                link = pod.link_by_pci(vf)
    except BaseException:
        netns.close()
        raise
    if link is None:
        netns.close()
        return None, None
    return netns, link


def _ipam(host: Host, cache: Cache) -> dict[str, Any]:
    """Of the IPAM its cache has the type alone: the rest is in the conf of the call, if that is of the same network."""
    conf = host.request.conf if host.request.conf.get("name") == cache.network else {}
    section = conf.get("ipam")
    if hostsubnet.is_asked(section):  # from the start, or imported since (sriovctl import)
        try:
            return own.stored(hostsubnet.parse_lease_dir(section))
        except CniError:
            return {}
    if not cache.ipam_type:
        return {}
    given = host.request.raw
    if not isinstance(section, dict) or section.get("type") != cache.ipam_type:
        given = {
            "cniVersion": "0.4.0",
            "name": cache.network,
            "type": "sriov",
            "ipam": {"type": cache.ipam_type},
        }
    return delegate.stored(host, cache.ipam_type, given)
