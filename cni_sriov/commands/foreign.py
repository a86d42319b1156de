"""An IPAM plugin that is not ours (host-local, static, dhcp, whereabouts): asked by the spec's rules.

What it needs for its DEL is kept in the Record, so that a reclaim or GC can give its addresses back too.
"""

from __future__ import annotations

from .. import delegate, jsontext
from ..domain import IpamResult, IPConfig, Route
from ..errors import CniError, InputOutput
from ..inet import parse_address, parse_interface, parse_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..domain import Record, Request
    from ..host import Host

_KEPT = ("cniVersion", "name", "type", "ipam", "args", "runtimeConfig", "dns")


def remember(host: Host, request: Request) -> dict[str, Any]:
    """The Record's `ipam`: the plugin's name, its conf, and CNI_ARGS as it came. BadConfig if there is no such plugin."""
    delegate.find(request.conf["ipam"]["type"], host.cni_path)
    args = ";".join(f"{key}={value}" for key, value in request.args.items())
    return {"type": request.conf["ipam"]["type"], "conf": kept(request.conf), "args": args}


def kept(conf: dict[str, Any]) -> dict[str, Any]:
    """What a DEL needs of the conf."""
    return {key: conf[key] for key in _KEPT if key in conf}


def add(host: Host, request: Request, record: Record) -> IpamResult:
    """ADD of the delegate, in the netns where the interface is already, with its MAC and UP (dhcp needs that)."""
    try:
        document = _call(host, "ADD", record, request.conf)
    except CniError:
        _delete_what_failed(host, record)
        raise
    try:
        return _parse_result(jsontext.parse_object(document))
    except (CniError, ValueError, KeyError, TypeError) as error:
        raise InputOutput(
            f"read the answer of ipam {record.ipam['type']}: {error}", document[:200]
        ) from error


def _delete_what_failed(host: Host, record: Record) -> None:
    """SPEC section 4: a failed ADD gets its DEL. If that fails too (a conf it cannot read), nothing was given out, and
    the undo must not stop at it.
    """
    try:
        release(host, record)
    except CniError as error:
        host.log.warning(
            "DEL of the IPAM that failed its ADD failed too", attachment=record.attachment, reason=error
        )
    record.ipam = {}


def release(host: Host, record: Record) -> None:
    _call(host, "DEL", record, record.ipam["conf"])


def check(host: Host, request: Request, record: Record) -> None:
    _call(host, "CHECK", record, request.conf)


def forward(host: Host, verb: str, conf: dict[str, Any]) -> None:
    """GC and STATUS concern the network, not an attachment."""
    name = conf["ipam"]["type"]
    _answer(host, name, {"CNI_COMMAND": verb, "CNI_CONTAINERID": "", "CNI_NETNS": "", "CNI_IFNAME": ""}, conf)


def _call(host: Host, verb: str, record: Record, conf: dict[str, Any]) -> str:
    env = {
        "CNI_COMMAND": verb,
        "CNI_CONTAINERID": record.attachment.container_id,
        "CNI_IFNAME": record.attachment.ifname,
        "CNI_NETNS": record.netns,
        "CNI_ARGS": record.ipam["args"],
    }
    return _answer(host, record.ipam["type"], env, conf)


def _answer(host: Host, name: str, env: dict[str, str], conf: dict[str, Any]) -> str:
    executable = delegate.find(name, host.cni_path)
    status, answer = host.run_plugin(executable, env, jsontext.render(conf))
    if status:
        raise _error(name, status, answer)
    return answer


def _error(name: str, status: int, answer: str) -> CniError:
    """The delegate's own error with its code, if that is one of the spec's: from 100 on they mean something else to
    each plugin (999 is skel's for "it failed"). What is no CNI error is quoted.
    """
    try:
        told = jsontext.parse_object(answer)
        code, msg, details = told["code"], told["msg"], told.get("details", "")
        if type(code) is int and code > 0 and isinstance(msg, str) and isinstance(details, str):
            if code >= 100:
                return InputOutput(
                    f"ipam {name}: {msg}", "; ".join(filter(None, [details, f"its code was {code}"]))
                )
            return CniError(f"ipam {name}: {msg}", details, code)
    except (CniError, KeyError):
        pass
    return InputOutput(f"ipam {name}: ended with status {status} and said {answer[:200]!r}")


def _parse_result(document: dict[str, Any]) -> IpamResult:
    """An abbreviated result of any cniVersion: `ips`, or up to 0.2.0 ip4 and ip6 with their own routes."""
    entries, raw_routes = _objects(document, "ips"), _objects(document, "routes")
    for key in ("ip4", "ip6"):
        family = document.get(key)
        if family:
            entries.append({"address": family["ip"], "gateway": family.get("gateway")})
            raw_routes += _objects(family, "routes")
    ips = [_ip(entry) for entry in entries]
    if not ips:
        raise ValueError("it has no addresses")
    dns = document.get("dns") or {}
    if not isinstance(dns, dict):
        raise ValueError(f"dns {dns!r} is not an object")
    return IpamResult(ips, [_route(raw, ips) for raw in raw_routes], dns)


def _objects(raw: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = raw.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{key} is not a list of objects")
    return list(entries)


def _ip(entry: dict[str, Any]) -> IPConfig:
    address, gateway = _text(entry, "address"), _text(entry, "gateway")
    parse_interface(address)
    if gateway:
        parse_address(gateway)
    return IPConfig(address, gateway, None)


def _route(raw: dict[str, Any], ips: list[IPConfig]) -> Route:
    """Without `gw`, the gateway of the family's address; without that, on link (plugins' ipam.ConfigureIface)."""
    dst = str(parse_prefix(_text(raw, "dst")))
    gateways = [ip.gateway for ip in ips if ip.gateway and (":" in ip.address) == (":" in dst)]
    gateway = _text(raw, "gw") or (gateways[0] if gateways else "")
    priority = raw.get("priority") or 0
    if type(priority) is not int or not 0 <= priority < 1 << 32:
        raise ValueError(f"route priority {priority!r} is no metric")
    if gateway:
        parse_address(gateway)
    return Route(
        dst, gateway, scope=0 if gateway else 253, priority=priority
    )  # RT_SCOPE_LINK, linux/rtnetlink.h


def _text(raw: dict[str, Any], key: str) -> str:
    value = raw.get(key) or ""
    if not isinstance(value, str):
        raise ValueError(f"{key} {value!r} is not a string")
    return value
