"""A netavark plugin on the wire: what podman 5 puts on standard input to a Request, and its answers. Pure.

Source: containers/netavark, src/plugin.rs (96368f4), src/network/plugin.rs (005013b), src/network/types.rs (00de93c), and 90
calls that were recorded (tests/recordings/netavark-calls.jsonl).
"""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..conf import options, podman, values
from ..conf.requests import ARGS, RUNTIME
from ..conf.values import Key, Table
from ..words import jsontext
from ..words.domain import Attachment, Interface, IPConfig, Request, Result
from ..words.errors import BadConfig, BadEnvironment, BadJson, CniError
from ..words.inet import parse_address
from ..words.jsontext import words
from ..words.names import ID_LIMIT, ifname_fault, is_name
from . import cni

VERBS = ("info", "create", "setup", "teardown")
_API = "1.0.0"  # API_VERSION of src/plugin.rs

_OPTIONS = Table(
    {
        "interface_name": values.text,
        "static_ips": Key(values.texts, []),
        "static_mac": values.text,
        "options": Key(values.an_object, {}),
    }
)
_CALL = Table(
    {
        "container_id": values.text,
        "container_name": Key(values.text, ""),
        "network": values.an_object,
        "network_options": values.an_object,
    }
)


def info() -> str:
    return jsontext.render({"version": __version__, "api_version": _API})


def render_error(error: CniError) -> str:
    """podman shows nothing but this sentence."""
    return jsontext.render({"error": f"{error} [cni-sriov, code {error.code}]"})


# create ------------------------------------------------------------------------------------------------------------------


def parse_create(stdin: str) -> Request:
    """A Request whose conf is the network's: an ADD that nobody is to run."""
    request = Request("ADD", raw=jsontext.parse_object(stdin))
    request.conf = podman.read(request.raw, request.warnings, creating=True)
    cni.check_name(request.conf["name"])
    _check_name_servers(request.conf)
    return request


def render_network(request: Request) -> str:
    return jsontext.render(podman.completed(request.raw, request.conf))


def _check_name_servers(conf: dict[str, Any]) -> None:
    """netavark takes addresses, and no options of a resolver."""
    for where, dns in (("dns", conf.get("dns")), ("ipam.dns", conf.get("ipam", {}).get("dns"))):
        if not isinstance(dns, dict):
            continue
        for text in values.parsed(values.texts, dns.get("nameservers", []), f"read {where}.nameservers"):
            values.parsed(values.address, text, f"read {where}.nameservers")
        if dns.get("options"):
            raise BadConfig(
                f"read {where}.options: podman takes none from a plugin", "use --dns-option of podman run"
            )


# setup and teardown ------------------------------------------------------------------------------------------------------


def parse_setup(netns: str, stdin: str, environment: dict[str, str]) -> Request:
    """An ADD. What the container asks for is put where a runtime of CNI puts it, and so judged by `allowRequests`."""
    if not netns:
        raise BadEnvironment("read arguments of setup: the path of a network namespace is missing")
    told = _call(jsontext.parse_object(stdin))
    network, asked = (
        told["network"],
        _OPTIONS.read(podman.without_null(told["network_options"]), "read network_options."),
    )
    request = Request("ADD", _attachment(told, asked), netns, environment=environment)
    _check_attachment(request.attachment)
    request.conf = podman.read(network, request.warnings)
    cni.check_name(request.conf["name"])
    if told["container_name"]:
        request.args = {"K8S_POD_NAME": told["container_name"]}
    _add_wishes(request, asked)
    if told.get("port_mappings"):
        request.warnings.append("published ports have no effect: a VF's traffic does not pass the host")
    request.raw = request.conf
    return request


def parse_teardown(netns: str, stdin: str, environment: dict[str, str]) -> Request:
    """A DEL. Of its form is only asked whose it is: what there is to do is recorded."""
    try:
        raw = jsontext.parse_object(stdin)
    except BadJson:
        raw = jsontext.salvage(stdin)
    asked = raw.get("network_options")
    asked = asked if isinstance(asked, dict) else {}
    request = Request("DEL", _attachment(raw, asked), netns, environment=environment)
    _check_attachment(request.attachment)
    network = raw.get("network")
    request.conf = podman.salvage(network if isinstance(network, dict) else {}, request.warnings)
    if not isinstance(request.conf["name"], str):
        request.conf["name"] = ""
    request.raw = request.conf
    return request


def _call(raw: dict[str, Any]) -> dict[str, Any]:
    needed = dict.fromkeys(("container_id", "network", "network_options"))
    return _CALL.read(needed | podman.without_null(raw), "read ") | {
        "port_mappings": raw.get("port_mappings")
    }


def _attachment(call: dict[str, Any], asked: dict[str, Any]) -> Attachment:
    return Attachment(
        values.parsed(values.text, call.get("container_id"), "read container_id"),
        values.parsed(values.text, asked.get("interface_name"), "read network_options.interface_name"),
    )


def _check_attachment(attachment: Attachment) -> None:
    if not is_name(attachment.container_id):
        raise BadEnvironment(
            f"read container_id {words(attachment.container_id)}: must be at most {ID_LIMIT} letters, digits, '_', '.', '-'"
        )
    fault = ifname_fault(attachment.ifname, is_new=True) or ("" if attachment.ifname else "is empty")
    if fault:
        raise BadEnvironment(
            f"read interface_name {words(attachment.ifname)}: {fault}", "--network NAME:interface_name=net1"
        )


def _add_wishes(request: Request, asked: dict[str, Any]) -> None:
    """`--ip`, `--mac-address` and `--network NAME:KEY=VALUE`. podman repeats an address at `network reload`."""
    conf = request.conf
    ips = list(dict.fromkeys(asked["static_ips"]))
    if ips and not conf.get("ipam"):
        raise BadConfig(
            f"read static_ips {words(ips)}: network {conf['name']} has no pool, so its containers have no addresses",
            "create it with a --subnet, or leave --ip out",
        )
    runtime: dict[str, Any] = {"ips": ips} if ips else {}
    if asked.get("static_mac"):
        runtime["mac"] = asked["static_mac"]
    args: dict[str, Any] = {}
    for name, value in asked["options"].items():
        where = f"read option {name} of the container"
        text = values.parsed(values.text, value, where)
        if name == "deviceID":
            runtime[name] = options.typed(RUNTIME.parsers[name], text, where)
        elif name in ARGS.keys:
            parse = ARGS.parsers.get(name)
            args[name] = [text] if parse is None else options.typed(parse, text, where)
        else:
            request.warnings.append(f"option {name} of the container is none of ours, and has no effect")
    conf |= {"runtimeConfig": runtime} if runtime else {}
    conf |= {"args": {"cni": args}} if args else {}


# the answer of setup -----------------------------------------------------------------------------------------------------


def render_status(result: Result) -> str:
    """Routes are done, and nobody asks for them."""
    interfaces = {
        entry.name: _interface(entry, [ip for ip in result.ips if ip.interface in {None, number}])
        for number, entry in enumerate(result.interfaces)
    }
    document: dict[str, Any] = {"interfaces": interfaces}
    servers = [text for text in result.dns.get("nameservers", []) if _is_address(text)]
    if servers:
        document["dns_server_ips"] = servers
    domain = result.dns.get("domain")
    search = [*([domain] if domain else []), *result.dns.get("search", [])]
    if search:
        document["dns_search_domains"] = list(dict.fromkeys(search))
    return jsontext.render(document)


def _interface(entry: Interface, ips: list[IPConfig]) -> dict[str, Any]:
    subnets = [{"ipnet": ip.address} | ({"gateway": ip.gateway} if ip.gateway else {}) for ip in ips]
    return {"mac_address": entry.mac, "subnets": subnets}


def _is_address(text: str) -> bool:
    """A file of name servers may have one with a zone, at which netavark would fail."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True
