"""host-subnet as `ipam.type` of any main plugin: ADD, DEL, CHECK. plugin.py has parsed the request already."""

from __future__ import annotations

from . import poolconf, protocol, reservation
from .commands import ipam
from .domain import IPConfig, Result
from .errors import BadConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .domain import Request
    from .host import Host


def answer(request: Request, host: Host) -> str:
    section = request.conf.get("ipam")
    if not isinstance(section, dict) or section.get("type") != "host-subnet":
        raise BadConfig("read ipam.type: must be host-subnet when the plugin host-subnet is called")
    host.ledger.open_run_dir()
    with host.ledger.attachment_lock(request.attachment, request.verb) as lock:
        if request.verb == "ADD":
            return _add(request, section, host)
        scope, data_dir = poolconf.parse_place(section)
        if request.verb == "DEL":
            reservation.release_attachment(host, request.attachment, scope, data_dir)
            lock.forget()
        else:
            ipam.check(reservation.place(host), request.attachment, request.conf["name"], data_dir, scope)
    return ""


def _add(request: Request, section: dict[str, Any], host: Host) -> str:
    runtime_config = _object(request.conf, "runtimeConfig")
    args_cni = _object(_object(request.conf, "args"), "cni")
    conf = poolconf.parse(section, runtime_config, args_cni, request.args)
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
    ips = [IPConfig(lease.address, lease.gateway, None) for lease in found.leases]
    return protocol.render_result(Result([], ips, found.routes, found.dns), request.conf["cniVersion"])


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
