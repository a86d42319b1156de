"""ADD: choose and claim a VF, record what it was, set it up, move it into the pod. Any failure undoes all of it."""

from __future__ import annotations

import signal
from functools import partial

from .. import ipam
from ..conf.hostsubnet import IpamConf
from ..conf.netconf import VERIFY_TIMEOUT_MS, NetConf
from ..ipam import own
from ..kernel.netlink import Netlink
from ..kernel.netns import Netns
from ..owner import death, giveback, holder, reclaim, records
from ..state import deviceinfo
from ..vf import admin, baseline, claim, handover, hugepages, vppcontainer, vpphost, vpptap
from ..vf.call import Call
from ..vf.card import Card
from ..vf.host import Host
from ..words.domain import Interface, IpamResult, IPConfig, Link, Request, Result, Route
from ..words.errors import (
    AttachedAlready,
    CniError,
    IfnameExists,
    MacInUse,
    NoFreeVf,
    TryAgain,
)
from ..words.failures import REFUSED
from ..words.origin import Origin
from ..words.record import Record


def run(call: Call) -> Result:
    """Hold the attachment's lock, refuse a second attachment, then attach."""
    request, conf, ipam_conf, host = call.request, call.conf, call.ipam, call.host
    if ipam_conf is not None:
        own.read_dns(ipam_conf)
    vppcontainer.judge(request, conf)
    with host.open_netns(request.netns) as netns, host.netlink_in(netns) as inside_pod:
        host.ledger.open()
        with records.held(host, request.attachment, "ADD"):
            _take_back_dead(request, conf, host)
            _refuse_taken_name(request, inside_pod)
            return _attach(request, conf, ipam_conf, host, netns, inside_pod)


def _refuse_taken_name(request: Request, inside_pod: Netlink) -> None:
    name = request.attachment.ifname
    if inside_pod.ifindex(name):
        raise IfnameExists(f"add interface {name}: {request.netns} has one of that name")


def _take_back_dead(request: Request, conf: NetConf, host: Host) -> None:
    """An ADD that died left its record in progress: undo it and go on. A finished one stays, and this ADD fails."""
    record = host.ledger.find(request.attachment)
    if record is None:
        return
    if record.status == "done" and not death.proof(host, record):
        raise AttachedAlready(
            f"add {request.attachment}: it is attached already, to {record.device}",
            "DEL it before it is added again",
        )
    if not giveback.give_back(host, record, conf.verify_timeout_ms):
        raise TryAgain(
            f"add {request.attachment}: its former {record.device} cannot be returned yet",
            "its driver does not let go of it, or its PF is down, without carrier or in another netns; see the log",
        )
    host.log.warning("took back what a former ADD left", attachment=request.attachment, vf=record.vf)


def _attach(
    request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host, netns: Netns, inside_pod: Netlink
) -> Result:
    record = None
    try:
        record = _claim(request, conf, ipam_conf, host, netns)
        kind = handover.of(record)
        record.ipam = ipam.to_store(host, ipam_conf)
        card = baseline.find(host, record, conf)
        if conf.device_info_file:
            deviceinfo.leave(host.ledger.put, record, conf.device_info_dir, conf.device_info_file)
        found = reclaim.reserve(host, _asked(host, ipam_conf, card)) if ipam_conf else None
        admin.bring_pf_up(card, conf)
        given = kind.hand_over(card, netns, inside_pod, conf)
        routes = kind.configure(given, record, conf, found)
        late = ipam.of(record).add(host, record, conf)
        if late is not None:
            found, routes = late, kind.add_late(given, record, conf, late)
        if vppcontainer.is_asked(conf):
            vppcontainer.leave(given, record, conf, found, routes)
        kind.announce(given, found, conf.announce_wait_ms)
        _note_done(host, record, found)  # last: who dies before has not answered, and is taken back
        if host.log.has_routine:
            _tell(host, record)
        return _result(record, conf, given.link, found, routes)
    except (
        BaseException
    ) as error:  # SIGTERM's SystemExit too, which may come when the claim is hardly written
        _undo(host, record, request, conf, error)
        raise


def _claim(request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host, netns: Netns) -> Record:
    """Of others' things only what is provably nobody's is changed; the error says who has what is in the way."""
    if conf.plane.is_vpp_host:
        return vpphost.take(host, request, conf, ipam_conf, netns)
    pfs = claim.eligible_pfs(host, conf)
    if conf.plane.hugepages:
        pfs = hugepages.with_enough(host, conf, pfs)
    try:
        return reclaim.then_again(
            partial(claim.take, host, request, conf, netns, pfs),
            NoFreeVf,
            MacInUse,
            make_way=reclaim.WayToVf(host, conf, pfs),
        )
    except NoFreeVf as error:
        raise holder.told_of_vfs(host, error, pfs) from None
    except MacInUse as error:
        raise holder.told_of_mac(host, error) from None


def _asked(host: Host, conf: IpamConf, card: Card) -> own.Asked:
    """What VPP still has of attachments that are given up goes first: it would keep that from everybody."""
    asked = own.asked_for(host, conf, card.record, card.pf)
    if not card.record.vf:
        reclaim.finish(host, partial(vpptap.is_left, by=card.record), VERIFY_TIMEOUT_MS)
        asked.used += vpphost.used(host, card.record)
    return asked


def _note_done(host: Host, record: Record, found: IpamResult | None) -> None:
    record.leases = found.leases if found else []
    record.addresses = [ip.address for ip in found.ips] if found else []
    record.status = "done"
    host.ledger.put(record)


def _tell(host: Host, record: Record) -> None:
    """All that `sriovctl explain` can still say of it when the Record is gone."""
    origin = Origin.of(record.origin)
    asked = ", ".join(f"{name} {value}" for name, value in record.settings.asked().items())
    told = {
        "pod": origin.pod,
        "network": record.network,
        "netns": record.netns,
        "vf": record.vf,
        "pf": record.pf,
        "reason": origin.reason,
        "set": asked,
        "crypto": record.plane.crypto if record.plane is not None else "",
        "addresses": ", ".join(record.addresses),
    }
    host.log.routine("attached", **{key: value for key, value in told.items() if value})


def _undo(host: Host, record: Record | None, request: Request, conf: NetConf, error: BaseException) -> None:
    """The same inverses as DEL's. What fails among them is told beside the error, never instead of it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    try:
        record = record or host.ledger.find(request.attachment)
        if record is None:
            return  # nothing is claimed
        record.status = "in-progress"
        if giveback.give_back(host, record, conf.verify_timeout_ms):
            host.log.routine("undone", attachment=record.attachment, vf=record.vf, reason=error)
    except (*REFUSED, OSError) as second:
        host.log.error("undo failed", attachment=request.attachment, reason=second)
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
