"""host-subnet as `ipam.type` of any main plugin: every verb. plugin.py has parsed the request already."""

from __future__ import annotations

from . import netconf, poolconf, protocol, reservation
from .commands import gc, ipam, status
from .domain import Result
from .errors import BadConfig, CniError, TryAgain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .domain import Request
    from .host import Host


def answer(request: Request, host: Host) -> str:
    section = request.conf.get("ipam")
    if not isinstance(section, dict) or section.get("type") != "host-subnet":
        raise BadConfig("read ipam.type: must be host-subnet when the plugin host-subnet is called")
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


def _locked(request: Request, section: dict[str, Any], host: Host) -> str:
    if request.verb == "ADD":
        return _add(request, section, host)
    scope, data_dir = poolconf.parse_place(section)
    if request.verb == "DEL":
        reservation.release_attachment(host, request.attachment, scope, data_dir)
    else:
        ipam.check(reservation.place(host), request.attachment, request.conf["name"], data_dir, scope)
    return ""


def _holds(request: Request, section: dict[str, Any], host: Host) -> bool:
    """False also where that cannot be told: a lock's file is made again by whoever needs it."""
    try:
        scope, data_dir = poolconf.parse_place(section)
        return reservation.place(host).store(data_dir, scope).find(request.attachment) is not None
    except CniError:
        return False


def _gc(request: Request, host: Host) -> None:
    keep = netconf.valid_attachments(request.conf)
    if keep is None:
        host.log.warning("GC without a list of valid attachments: nothing is removed")
        return
    failed = gc.collect_leases(request.conf["name"], keep, host)
    if failed:
        raise TryAgain(f"collect leases of {request.conf['name']}: {len(failed)} failed", "; ".join(failed))


def _status(request: Request, section: dict[str, Any], host: Host) -> None:
    conf = _parse(request, section)
    status.check_ipam(request.conf["name"], conf, host)


def _parse(request: Request, section: dict[str, Any]) -> poolconf.IpamConf:
    runtime_config = _object(request.conf, "runtimeConfig")
    args_cni = _object(_object(request.conf, "args"), "cni")
    return poolconf.parse(section, runtime_config, args_cni, request.args)


def _add(request: Request, section: dict[str, Any], host: Host) -> str:
    conf = _parse(request, section)
    protocol.check_carries(request.conf["cniVersion"], [pool.version for pool in conf.pools])
    with host.open_netns(request.netns) as netns:
        identity = list(netns.identity)
    use = [] if conf.allow_host_overlap else reservation.host_use(host, _parents(request, host))
    found = ipam.reserve(
        reservation.place(host),
        conf,
        request.attachment,
        request.conf["name"],
        request.netns,
        identity,
        use,
        foreign=True,
    )
    return protocol.render_result(Result([], found.ips, found.routes, found.dns), request.conf["cniVersion"])


def _parents(request: Request, host: Host) -> set[int]:
    """macvlan's and ipvlan's `master`: a pool may be cut from the LAN that the parent itself is on."""
    master = request.conf.get("master")
    if not isinstance(master, str) or not 0 < len(master) < 16:
        return set()
    return reservation.stacked_on(host, master)


def _object(raw: dict[str, Any], key: str) -> dict[str, Any]:
    value = raw.get(key, {})
    if not isinstance(value, dict):
        raise BadConfig(f"read {key} {value!r}: must be an object")
    return value
