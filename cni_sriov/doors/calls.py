"""A Request made a Call, and its verb run: what all doors of `sriov` share. Each has its own words for the way in and out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from ..conf import hostsubnet, netconf
from ..conf.netconf import NetConf
from ..state.ledger import Ledger
from ..verbs import add, check, delete, gc, status
from ..vf.call import Call
from ..vf.host import Host
from ..wire import cni, prevresult, results
from ..words.domain import Request, Result
from ..words.errors import BadConfig, CniError, IncompatibleVersion, NotRealRoot
from ..words.failures import as_cni_error
from ..words.log import Log

MakeHost = Callable[[Request, NetConf, bool], Host]


def make(request: Request, make_host: MakeHost) -> Call:
    """The whole configuration is judged, as far as the verb asks for it; nothing is touched."""
    conf = _conf(request)
    override = request.environment.get("CNI_NETNS_OVERRIDE", "").lower() in {"1", "true"}
    host = make_host(request, conf, override)
    tell(request, host)
    if conf.cni_dir:
        host.ledger.cache_dirs.insert(0, conf.cni_dir)
    if conf.refused_rate and request.verb == "ADD":
        host.log.warning("bandwidth may be lowered, not raised", reason=conf.refused_rate)
    is_ours = cni.VERBS[request.verb].leases and hostsubnet.is_asked(conf.ipam)
    return Call(request, conf, host, hostsubnet.parse(conf.ipam, conf.requests) if is_ours else None)


RUN: dict[str, Callable[[Call], Result | None]] = {
    "ADD": add.run,
    "DEL": delete.run,
    "CHECK": check.run,
    "GC": gc.run,
    "STATUS": status.run,
}


def run(call: Call) -> Result | None:
    """ADD undoes itself on SIGTERM and SIGINT; what goes by the record finishes what it began (rule 6)."""
    verb, conf = call.request.verb, call.conf
    if verb == "ADD":
        if conf.version < "0.3.0":
            results.check_carries(conf.version, _families(call))
        on_stop(_raise_stop)
    elif cni.VERBS[verb].is_by_record:
        on_stop(signal.SIG_IGN)
    try:
        return RUN[verb](call)
    except (Exception, SystemExit) as error:
        if call.host.log.is_kept:
            _tell_failure(call.host.log, as_cni_error(error))
        raise


def _tell_failure(log: Log, error: CniError) -> None:
    """The runtime is answered the same; its log is seldom where the node's other lines are."""
    log.error("failed", code=error.code, reason=error.msg, details=error.details)


def _families(call: Call) -> list[int]:
    """Of the addresses in the answer, IP versions; a foreign IPAM may give one of each."""
    conf, ours = call.conf, call.ipam
    found = [pool.version for pool in ours.pools] if ours else [4, 6] if conf.ipam else []
    return found + prevresult.families(conf.prev_result)


def _conf(request: Request) -> NetConf:
    """Strict for ADD and STATUS. A CHECK is about what ADD left: a conf that was spoiled since is told, and no more."""
    if cni.VERBS[request.verb].is_by_record:
        return netconf.parse_for_delete(request.conf)
    strict = cni.VERBS[request.verb].is_strict
    if "prevResult" in request.conf:
        try:
            prevresult.settle(request.conf)
        except (BadConfig, IncompatibleVersion) as error:
            if strict:
                raise
            request.warnings.append(f"{error}; what is recorded is compared alone")
            del request.conf["prevResult"]
    try:
        return netconf.parse(request.conf, request.args, adding=request.verb == "ADD")
    except BadConfig as error:
        if strict:
            raise
        request.warnings.append(str(error))
        return netconf.parse_for_delete(request.conf)


def tell(request: Request, host: Host) -> None:
    """What is wrong with the call's form, and did not stop it."""
    for fault in request.warnings:
        host.log.warning("the call is not as it should be", reason=fault)
    for path, spelling in request.respelled:
        host.log.debug("a key is spelled otherwise", key=path, spelling=spelling)


def real_host(request: Request, conf: NetConf, allow_own_netns: bool) -> Host:
    """The machine itself, for whoever may change it."""
    if not _is_real_root():
        raise NotRealRoot(
            f"run {request.verb}: needs root in the host, and runs as uid {os.geteuid()}, perhaps in a user namespace"
        )
    context = {"verb": request.verb, "containerID": request.attachment.container_id}
    context |= {
        "ifname": request.attachment.ifname,
        "traceparent": request.environment.get("TRACEPARENT", ""),
    }
    log = Log(conf.log_level, conf.log_file, context)
    return Host(Ledger(conf.state_dir, log), log, allow_own_netns=allow_own_netns, request=request)


def _is_real_root() -> bool:
    """Uid 0 of another user namespace (rootless podman) may change no netdev of the host."""
    try:
        initial = os.stat("/proc/self/ns/user").st_ino == 0xEFFFFFFD  # PROC_USER_INIT_INO, linux/proc_ns.h
    except OSError:
        initial = True  # no /proc: the first thing that needs it says so
    return initial and os.geteuid() == 0


def _raise_stop(*_: object) -> None:
    on_stop(signal.SIG_IGN)  # a second signal must not stop the undoing
    sys.exit(1)


def on_stop(handler: Callable[..., None] | signal.Handlers) -> None:
    """For SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
