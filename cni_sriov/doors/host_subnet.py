"""host-subnet as `ipam.type` of any main plugin: every verb. doors/cni.py has parsed the request already."""

from __future__ import annotations

from typing import Any

from ..conf import hostsubnet
from ..conf.requests import Requests, valid_attachments
from ..ipam import own, reservation
from ..leases.holding import Holding
from ..verbs import gc, status
from ..vf.host import Host
from ..wire import cni
from ..words.domain import Request, Result
from ..words.errors import BadConfig, CniError, TryAgain

_OURS = ("ips", "subnets")  # of allowRequests; what else a pod asks for is the main plugin's


def answer(request: Request, host: Host) -> str:
    section = _section(request, host)
    if request.verb == "STATUS":
        _status(request, section, host)
        return ""
    host.ledger.open_run_dir()
    if request.verb == "GC":
        _gc(request, host)
        return ""
    with host.ledger.attachment_lock(request.attachment, request.verb) as lock:
        try:
            answer = _locked(request, section, host)
        except CniError:
            if not _holds(request, section, host):
                lock.forget()  # a refused call leaves nothing, not even its lock's file
            raise
        if request.verb == "DEL":
            lock.forget()
    return answer


def _section(request: Request, host: Host) -> dict[str, Any]:
    """`ipam`. It may have been changed since ADD, which must stop neither DEL nor CHECK nor GC."""
    section = request.conf.get("ipam")
    if isinstance(section, dict) and section.get("type") == "host-subnet":
        return section
    error = BadConfig("read ipam.type: must be host-subnet when the plugin host-subnet is called")
    if request.verb in {"ADD", "STATUS"}:
        raise error
    host.log.warning("the call is not as it should be", reason=error)
    return section if isinstance(section, dict) else {}


def _locked(request: Request, section: dict[str, Any], host: Host) -> str:
    if request.verb == "ADD":
        return _add(request, section, host)
    place = _place(request, section, host)
    if request.verb == "CHECK":
        scope, data_dir = place or hostsubnet.parse_place({})
        own.check(reservation.place(host), request.attachment, request.conf["name"], data_dir, scope)
    elif place is not None:
        reservation.release_attachment(host, request.attachment, *place)
    elif request.fault is not None:
        raise request.fault
    return ""


def _place(request: Request, section: dict[str, Any], host: Host) -> tuple[str, str] | None:
    """(scope, data directory) of the attachment's leases, None if it has none. Where they are not as the conf says, it
    was changed since, and this node knows where it keeps leases. Those of a Record are not this door's.
    """
    at = reservation.place(host)
    try:
        scope, data_dir = hostsubnet.parse_place(section)
        if at.store(data_dir, scope).has(request.attachment):
            return scope, data_dir
    except BadConfig as error:
        host.log.warning("the call is not as it should be", reason=error)
    found = own.where_held(at, request.attachment) if host.ledger.find(request.attachment) is None else None
    if found is not None:
        host.log.warning("leases are not where the configuration says", scope=found[0], dataDir=found[1])
    return found


def _holds(request: Request, section: dict[str, Any], host: Host) -> bool:
    """False also where that cannot be told: a lock's file is made again by whoever needs it."""
    try:
        scope, data_dir = hostsubnet.parse_place(section)
        return reservation.place(host).store(data_dir, scope).find(request.attachment) is not None
    except CniError:
        return False


def _gc(request: Request, host: Host) -> None:
    keep = valid_attachments(request.conf)
    if keep is None:
        gc.say_no_list(request.conf["name"], host)
    failed = gc.collect_leases(request.conf["name"], keep, host)
    if failed:
        raise TryAgain(f"collect leases of {request.conf['name']}: {len(failed)} failed", "; ".join(failed))


def _status(request: Request, section: dict[str, Any], host: Host) -> None:
    conf = _parse(request, section)
    status.check_ipam(request.conf["name"], conf, host)


def _parse(request: Request, section: dict[str, Any]) -> hostsubnet.IpamConf:
    asked = Requests.of(request.conf, request.args)
    if request.verb == "ADD":
        asked.refuse_forbidden(request.conf, _OURS)
    return hostsubnet.parse(section, asked)


def _add(request: Request, section: dict[str, Any], host: Host) -> str:
    conf = _parse(request, section)
    cni.check_carries(request.conf["cniVersion"], [pool.version for pool in conf.pools])
    cni.check_carries_routes(request.conf["cniVersion"], conf.routes)
    own.read_dns(conf)
    with host.open_netns(request.netns) as netns:
        identity, cookie = list(netns.identity), netns.cookie
    use = [] if conf.allow_host_overlap else reservation.host_use(host, _parents(request, host))
    who = Holding(
        request.attachment, [], request.conf["name"], request.netns, identity, "", netns_cookie=cookie
    )
    found = reservation.lease(host, conf, who, use, other_main=True)
    return cni.render_result(Result([], found.ips, found.routes, found.dns), request.conf["cniVersion"])


def _parents(request: Request, host: Host) -> set[int]:
    """macvlan's and ipvlan's `master`, by name or altname: a pool may be cut from the LAN that the parent itself is on."""
    master = request.conf.get("master")
    ifindex = host.netlink.ifindex(master) if isinstance(master, str) and master.isprintable() else 0
    return reservation.stacked_on(host, host.netlink.ifname(ifindex)) if ifindex else set()
