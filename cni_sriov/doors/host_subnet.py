"""host-subnet as `ipam.type` of any main plugin: every verb. doors/cni.py has parsed the request already."""

from __future__ import annotations

import functools
from typing import Any

from ..conf import hostsubnet
from ..conf.requests import Requests, valid_attachments
from ..ipam import own
from ..owner import reclaim, records
from ..verbs import gc, status
from ..vf.host import Host
from ..wire import results
from ..words.domain import Request, Result
from ..words.errors import BadConfig, CniError, TryAgain
from ..words.lease import LeaseDir

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
    is_known = functools.partial(_holds, request, section, host)
    with records.held(host, request.attachment, request.verb, is_known) as lock:
        answer = _locked(request, section, host)
        if request.verb == "DEL":
            lock.forget()
    return answer


def _section(request: Request, host: Host) -> dict[str, Any]:
    """`ipam`. It may have been changed since ADD, which must stop neither DEL nor CHECK nor GC."""
    section = request.conf.get("ipam")
    if hostsubnet.is_asked(section):
        return section
    error = BadConfig("read ipam.type: must be host-subnet when the plugin host-subnet is called")
    if request.verb in {"ADD", "STATUS"}:
        raise error
    host.log.warning("the call is not as it should be", reason=error)
    return section if isinstance(section, dict) else {}


def _locked(request: Request, section: dict[str, Any], host: Host) -> str:
    if request.verb == "ADD":
        return _add(request, section, host)
    where = _lease_dir(request, section, host)
    if request.verb == "CHECK":
        where = where or hostsubnet.parse_lease_dir({})
        own.check_leases(host, request.attachment, request.conf["name"], where)
    elif where is not None:
        own.release_leases(host, request.attachment, where)
    elif request.fault is not None:
        raise request.fault
    return ""


def _lease_dir(request: Request, section: dict[str, Any], host: Host) -> LeaseDir | None:
    """Where the attachment's leases are, None if it has none. Where they are not as the conf says, it was changed since,
    and this node knows where it keeps leases. Those of a Record are not this door's.
    """
    try:
        where = hostsubnet.parse_lease_dir(section)
        if own.store(host, where).has(request.attachment):
            return where
    except BadConfig as error:
        host.log.warning("the call is not as it should be", reason=error)
    found = own.where_held(host, request.attachment) if host.ledger.find(request.attachment) is None else None
    if found is not None:
        host.log.warning(
            "leases are not where the configuration says", scope=found.scope, dataDir=found.data_dir
        )
    return found


def _holds(request: Request, section: dict[str, Any], host: Host) -> bool:
    """False also where that cannot be told: a lock's file is made again by whoever needs it."""
    try:
        where = hostsubnet.parse_lease_dir(section)
        return own.store(host, where).find(request.attachment) is not None
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
        asked.refuse_forbidden(request.conf, {}, _OURS)
    return hostsubnet.parse(section, asked)


def _add(request: Request, section: dict[str, Any], host: Host) -> str:
    conf = _parse(request, section)
    results.check_carries(request.conf["cniVersion"], [pool.version for pool in conf.pools])
    results.check_carries_routes(request.conf["cniVersion"], conf.routes)
    own.read_dns(conf)
    with host.open_netns(request.netns) as netns:
        identity, cookie = list(netns.identity), netns.cookie
    used = [] if conf.allow_host_overlap else own.host_use(host, _parents(request, host))
    whose = request.attachment, request.conf["name"], request.netns
    found = reclaim.reserve(host, own.Asked(conf, *whose, identity, cookie, used, foreign=True))
    return results.render_result(Result([], found.ips, found.routes, found.dns), request.conf["cniVersion"])


def _parents(request: Request, host: Host) -> set[int]:
    """macvlan's and ipvlan's `master`, by name or altname: a pool may be cut from the LAN that the parent itself is on."""
    master = request.conf.get("master")
    ifindex = host.netlink.ifindex(master) if isinstance(master, str) and master.isprintable() else 0
    return own.stacked_on(host, host.netlink.ifname(ifindex)) if ifindex else set()
