"""ADD: choose and claim a VF, record what it was, set it up, move it into the pod. Any failure undoes all of it."""

from __future__ import annotations

import signal
from typing import Any

from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..ipam import delegate, own, reservation
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..owner import giveback, reclaim
from ..state import deviceinfo
from ..state.files import Lock
from ..vf import admin, baseline, claim, handover
from ..vf.host import Host
from ..words.domain import Interface, IpamResult, IPConfig, Link, Record, Request, Result, Route
from ..words.errors import (
    AttachedAlready,
    CniError,
    IfnameExists,
    KernelRefused,
    MacInUse,
    NoFreeVf,
    TryAgain,
)


def run(request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host) -> Result:
    """Hold the attachment's lock, refuse a second attachment, then attach."""
    if ipam_conf is not None:
        own.read_dns(ipam_conf)
    with host.open_netns(request.netns) as netns, host.netlink_in(netns) as inside_pod:
        host.ledger.open()
        with host.ledger.attachment_lock(request.attachment, "ADD") as lock:
            try:
                _take_back_dead(request, conf, host)
                _refuse_taken_name(request, inside_pod)
                return _attach(request, conf, ipam_conf, host, netns, inside_pod)
            except BaseException:
                _forget_lock(request, host, lock)
                raise


def _forget_lock(request: Request, host: Host, lock: Lock) -> None:
    """A refused ADD leaves nothing, not even its lock's file; the error that is on its way is told first."""
    try:
        if host.ledger.find(request.attachment) is None:
            lock.forget()
    except CniError as error:
        host.log.warning("lock file stays", attachment=request.attachment, reason=error)


def _refuse_taken_name(request: Request, inside_pod: Netlink) -> None:
    name = request.attachment.ifname
    if inside_pod.ifindex(name):
        raise IfnameExists(f"add interface {name}: {request.netns} has one of that name")


def _take_back_dead(request: Request, conf: NetConf, host: Host) -> None:
    """An ADD that died left its record in progress: undo it and go on. A finished one stays, and this ADD fails."""
    record = host.ledger.find(request.attachment)
    if record is None:
        return
    if record.status == "done" and not reclaim.death_proof(host, record):
        raise AttachedAlready(
            f"add {request.attachment}: it is attached already, to VF {record.vf}",
            "DEL it before it is added again",
        )
    if not giveback.give_back(host, record, conf.verify_timeout_ms):
        raise TryAgain(
            f"add {request.attachment}: its former VF {record.vf} cannot be returned yet",
            "it is in a netns that does not die, or its PF is down, without carrier or in another netns; see the log",
        )
    host.log.warning("took back what a former ADD left", attachment=request.attachment, vf=record.vf)


def _attach(
    request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host, netns: Netns, inside_pod: Netlink
) -> Result:
    record, kind = _claim(request, conf, host, netns), handover.of(conf.driver)
    try:
        record.ipam = _way_back(host, request, ipam_conf)
        card = baseline.find(host, record, conf)
        if conf.device_info_file:
            deviceinfo.leave(host.ledger, record, conf.device_info_file)
        found = reservation.reserve(host, ipam_conf, record) if ipam_conf else None
        admin.bring_pf_up(card, conf)
        given = kind.hand_over(card, netns, inside_pod, conf)
        routes = kind.configure(given, record, conf, found)
        if "type" in record.ipam:
            found = delegate.add(host, record, conf)
            routes = kind.add_late(given, conf, found)
        kind.announce(given, found, conf.announce_wait_ms)
        _note_done(host, record, found)  # last: who dies before has not answered, and is taken back
        return _result(record, conf, given.link, found, routes)
    except BaseException as error:  # SIGTERM's SystemExit too
        _undo(host, record, conf, error)
        raise


def _claim(request: Request, conf: NetConf, host: Host, netns: Netns) -> Record:
    """Of others' things only what is provably nobody's is changed; the error says who has what is in the way."""
    pfs = claim.eligible_pfs(host, conf)
    try:
        return reclaim.then_again(
            lambda: claim.take(host, request, conf, netns, pfs),
            NoFreeVf,
            MacInUse,
            make_way=reclaim.WayToVf(host, conf, pfs),
        )
    except (NoFreeVf, MacInUse) as error:
        raise reclaim.with_holders(host, error) from None


def _way_back(host: Host, request: Request, ipam_conf: IpamConf | None) -> dict[str, Any]:
    """Record.ipam: how to give back what the IPAM will give."""
    if ipam_conf is not None:
        return {"dataDir": ipam_conf.data_dir, "scope": ipam_conf.scope}
    return delegate.remember(host) if request.conf.get("ipam") else {}


def _note_done(host: Host, record: Record, found: IpamResult | None) -> None:
    record.leases = found.leases if found else []
    record.addresses = [ip.address for ip in found.ips] if found else []
    record.status = "done"
    host.ledger.put(record)


def _undo(host: Host, record: Record, conf: NetConf, error: BaseException) -> None:
    """The same inverses as DEL's. What fails among them is told beside the error, never instead of it."""
    record.status = "in-progress"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        if giveback.give_back(host, record, conf.verify_timeout_ms):
            host.log.info("undone", attachment=record.attachment, vf=record.vf, reason=error)
    except (CniError, KernelRefused) as second:
        host.log.error("undo failed", attachment=record.attachment, vf=record.vf, reason=second)
        if isinstance(error, CniError):
            error.details = "; ".join(filter(None, [error.details, f"also: {second}"]))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # a stop signal that came meanwhile ends it now


def _result(
    record: Record, conf: NetConf, link: Link, found: IpamResult | None, routes: list[Route]
) -> Result:
    interface = Interface(link.ifname, link.mac, link.mtu, record.netns, record.vf)
    if found is None:
        return Result([interface], [], [], conf.dns)
    ips = [IPConfig(ip.address, ip.gateway, 0) for ip in found.ips]
    return Result([interface], ips, routes, conf.dns or found.dns)
