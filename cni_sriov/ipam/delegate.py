"""An IPAM plugin that is not ours (host-local, static, dhcp, whereabouts): asked by the spec's rules.

It is given the whole configuration, as it came (SPEC 1.1.0, section 4): some read keys beside `ipam`. In a call about the
attachment (ADD with its undo, DEL, CHECK) that is the call's own. The Record keeps what ADD's was, for whoever gives the
addresses back without a call of that network: reclaim, GC, another ADD.
"""

from __future__ import annotations

from typing import Any

from ..conf import hostsubnet
from ..conf.keycase import value_of
from ..conf.netconf import NetConf
from ..kernel import process
from ..vf.host import Host
from ..wire import ipam_answer, results
from ..words import jsontext
from ..words.domain import IpamResult
from ..words.errors import BadConfig, CniError, InputOutput, TryAgain
from ..words.jsontext import words
from ..words.record import Record
from ..words.stored import rendered

Way = tuple[dict[str, Any], dict[str, str]]  # conf, environment

_NOT_KEPT = ("prevResult", "cni.dev/valid-attachments")  # of one call; a DEL may lack them
_USUAL_PATH = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"]


def remember(host: Host) -> dict[str, Any]:
    """The Record's `ipam`. BadConfig if there is no such plugin, or if the conf is none that could be read back."""
    name = host.request.conf["ipam"]["type"]
    process.find(name, host.request.path)
    found = stored(host, name, host.request.raw)
    rendered(f"the configuration for the DEL of ipam {name}", found, is_foreign=True)
    return found


def stored(host: Host, name: str, conf: dict[str, Any]) -> dict[str, Any]:
    """The plugin's name, what a DEL without a conf of its own needs (all but what was of that call alone), CNI_ARGS as it
    came, and where plugins are (`sriovctl gc` is told no CNI_PATH).
    """
    return {
        "type": name,
        "conf": {key: value for key, value in conf.items() if key not in _NOT_KEPT},
        "args": host.request.environment.get("CNI_ARGS", ""),
        "path": ":".join(host.request.path),
    }


def add(host: Host, record: Record, conf: NetConf) -> IpamResult | None:
    """ADD of the delegate, in the netns where the interface is already, with its MAC and UP (dhcp needs that).

    IncompatibleVersion if the result of that version has no room for all its addresses.
    """
    try:
        document = _answer(
            host,
            "ADD",
            record.ipam["type"],
            (host.request.raw, _variables(host.request.environment)),
            host.request.path,
        )
    except CniError:
        _delete_what_failed(host, record)
        raise
    try:
        found = ipam_answer.parse(jsontext.parse_object(document), conf.version)
    except (CniError, ValueError) as error:
        raise InputOutput(
            f"read the answer of ipam {record.ipam['type']}: {error}", document[:200]
        ) from error
    results.check_carries(conf.version, [6 if ":" in ip.address else 4 for ip in found.ips])
    return found


def _delete_what_failed(host: Host, record: Record) -> None:
    """SPEC section 4: a failed ADD gets its DEL. If that fails too (a conf it cannot read), nothing was given out, and
    the undo must not stop at it.
    """
    try:
        release(host, record)
    except TryAgain:  # it could not be started now: the undo tries it again, and then the DEL
        raise
    except CniError as error:
        host.log.warning(
            "DEL of the IPAM that failed its ADD failed too", attachment=record.attachment, reason=error
        )
    record.ipam = {}


def release(host: Host, record: Record) -> None:
    """The call's conf if its `ipam` is the one of ADD: beside it may be newer credentials. Else the Record's: the address
    is where ADD got it. If the first is refused and the other says something else, the other too.
    """
    called, kept = _of_call(host, record), _of_record(record)
    if called is None:
        ways = [kept]
    elif value_of(called[0], "ipam") == value_of(kept[0], "ipam"):
        ways = [called] if kept[0].items() <= called[0].items() else [called, kept]
    else:
        ways = [kept, called]
    _delete(host, record, ways)


def _delete(host: Host, record: Record, ways: list[Way]) -> None:
    name, path = record.ipam["type"], _path(host, record)
    try:
        process.find(name, path)
    except BadConfig as error:
        raise BadConfig(
            f"give back the addresses of {record.attachment}: no ipam {name} in CNI_PATH",
            f"{error.details}; install it again. If it is gone for good, a link to /bin/true of that name says that"
            " nobody will give them back",
        ) from error
    try:
        _answer(host, "DEL", name, ways[0], path)
    except CniError as error:
        if len(ways) == 1:
            raise
        host.log.warning(
            "DEL of the IPAM failed, trying its other conf", attachment=record.attachment, reason=error
        )
        try:
            _answer(host, "DEL", name, ways[1], path)
        except CniError:
            raise error from None


def check(host: Host, record: Record, wrong: list[str]) -> list[str]:
    """It is asked where nothing else is wrong, and what it finds is an error of its own."""
    if not wrong:
        way = _of_call(host, record) or _of_record(record)
        _answer(host, "CHECK", record.ipam["type"], way, _path(host, record))
    return wrong


def forward(host: Host) -> None:
    """GC and STATUS concern the network, not an attachment: both go to a foreign IPAM, too, if the conf names one (SPEC
    1.1.0, section 4).
    """
    request = host.request
    section = request.conf.get("ipam")
    kind = section.get("type") if isinstance(section, dict) else None
    if kind and isinstance(kind, str) and not hostsubnet.is_asked(section):
        no_attachment = dict.fromkeys(("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"), "")
        _answer(host, request.verb, kind, (request.raw, no_attachment), request.path)


def _of_call(host: Host, record: Record) -> Way | None:
    """Conf and environment of the call as they came, if it is about this attachment, this network and this IPAM."""
    request = host.request
    env, section = request.environment, request.conf.get("ipam")
    told = (env.get("CNI_CONTAINERID"), env.get("CNI_IFNAME"), request.conf.get("name"))
    if told != (record.attachment.container_id, record.attachment.ifname, record.network):
        return None
    if not isinstance(section, dict) or section.get("type") != record.ipam["type"]:
        return None
    return request.raw, _variables(env)


def _variables(env: dict[str, str]) -> dict[str, str]:
    names = ("CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_ARGS")
    return {name: env.get(name, "") for name in names}


def _of_record(record: Record) -> Way:
    return record.ipam["conf"], {
        "CNI_CONTAINERID": record.attachment.container_id,
        "CNI_IFNAME": record.attachment.ifname,
        "CNI_NETNS": record.netns,
        "CNI_ARGS": record.ipam["args"],
    }


def _path(host: Host, record: Record) -> list[str]:
    """CNI_PATH of the call, then that of ADD, then the usual places: a Record of an earlier version has none."""
    kept = record.ipam["path"].split(":") if record.ipam["path"] else _USUAL_PATH
    return host.request.path + [directory for directory in kept if directory not in host.request.path]


def _answer(host: Host, verb: str, name: str, way: Way, path: list[str]) -> str:
    """The conf goes to the plugin alone: it may hold a password, so no message and no log line has it."""
    conf, env = way
    executable = process.find(name, path)
    env = env | {"CNI_COMMAND": verb, "CNI_PATH": ":".join(path)}
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
    return InputOutput(f"ipam {name}: ended with status {status} and said {words(answer[:200])}")
