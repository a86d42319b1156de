"""The CNI doors `sriov` and `host-subnet`: environment and standard input in, one JSON document out, one gate for every error.

The door makes a Call of what it is told, and wire/cni.py's table says what the verb needs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import __version__
from ..conf import hostsubnet, netconf
from ..conf.netconf import NetConf
from ..state.ledger import Ledger
from ..verbs import add, check, delete, gc, status
from ..vf.call import Call
from ..vf.host import Host
from ..wire import cni, prevresult, results
from ..words import versions
from ..words.domain import Request, Result
from ..words.errors import (
    BadConfig,
    CniError,
    IncompatibleVersion,
    InputOutput,
    NotRealRoot,
)
from ..words.failures import as_cni_error
from ..words.log import Log
from . import host_subnet, times

MakeHost = Callable[[Request, NetConf, bool], Host]

STDIN_LIMIT = 8 << 20
ABOUT = """cni-sriov {version}: CNI plugin that gives containers SR-IOV virtual functions.
It is called by a container runtime, with CNI_COMMAND set and a configuration on standard input.
CNI versions: {versions}. The operator's tool is sriovctl.
It carries {carried}.
"""


def entry() -> None:
    """The executable: real environment and files; ends at once, because tearing down the interpreter costs 2 ms."""
    _settle_files()
    if os.environ.get("CNI_SRIOV_TIMES") == "1":
        times.start()
    read_stdin = _read_stdin
    if os.environ.get("CNI_COMMAND") != "VERSION":
        _settle_signals()
    elif os.isatty(0):
        read_stdin = str  # VERSION needs no input (skel reads none), and a person who asks for it gives none
    os._exit(main(os.environ, read_stdin, _write_all, door=sys.argv[0].rpartition("/")[2]))


def _settle_files() -> None:
    """Whatever the runtime left open or closed: our files are 0600, and none of them becomes descriptor 0, 1 or 2, where
    the answer and the log would be written into it.
    """
    os.umask(0o077)
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/", os.O_RDONLY)  # takes the lowest free one; to read or write it fails, as it did


def _settle_signals() -> None:
    """Whatever the runtime left blocked or ignored: a child can be waited for, and an alarm arrives."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))


def _read_stdin() -> str:
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := os.read(0, 1 << 16):
            chunks.append(chunk)
            size += len(chunk)
            if size > STDIN_LIMIT:
                raise _unreadable(f"longer than {STDIN_LIMIT} bytes")
    except IsADirectoryError as error:  # or the stand-in of _settle_files
        raise _unreadable("it is closed, or a directory") from error
    except OSError as error:  # for writing only, or a terminal that hung up
        raise _unreadable(error.strerror or "?") from error
    # undecodable bytes become surrogates, which no name, key or value of ours admits
    return b"".join(chunks).decode("utf-8", "surrogateescape")


def _unreadable(why: str) -> CniError:
    return InputOutput(f"read standard input: {why}")


def _write_all(fd: int, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(fd, data) :]


def main(
    env: Mapping[str, str],
    read_stdin: Callable[[], str],
    write: Callable[[int, str], None],
    make_host: MakeHost | None = None,
    door: str = "sriov",
) -> int:
    """One call; the answer is the exit code. `write(fd, text)` gets the one document for fd 1."""
    if not env.get("CNI_COMMAND"):
        _say(
            write,
            2,
            ABOUT.format(
                version=__version__, versions=", ".join(versions.VERSIONS), carried=versions.carried()
            ),
        )
        read_stdin = str  # a person who tries it out gives none, and would wait for ever
    told = _Told()
    code = 0
    try:
        answer = _answer(told, door, env, read_stdin, make_host or _host)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the one gate: all leaves as one CNI error
        answer = results.render_error(as_cni_error(error), told.version)
        code = 1
    return code if _say(write, 1, answer + "\n" if answer else "") else 1


def _say(write: Callable[[int, str], None], fd: int, text: str) -> bool:
    """False if nobody can hear it: a closed or broken pipe, a full disk. The runtime then takes ADD for failed, and DELs."""
    try:
        if text:
            write(fd, text)
    except OSError as error:
        if fd != 2:
            _say(write, 2, f"cni-sriov: write the answer: {error.strerror}\n")
        return False
    return True


@dataclass(slots=True)
class _Told:
    """The `version` that an error must speak: known once standard input is parsed."""

    version: object = None


def _answer(
    told: _Told, door: str, env: Mapping[str, str], read_stdin: Callable[[], str], make_host: MakeHost
) -> str:
    if env.get("CNI_COMMAND") == "VERSION":
        return _version(read_stdin)
    stdin, unread = _conf_text(env, read_stdin)
    try:
        request = cni.parse_request(env, stdin, door)
    except Exception:
        told.version = cni.version_of(stdin)
        raise
    if unread is not None:
        request.fault, request.warnings = unread, [str(unread)]
    told.version = request.conf["cniVersion"]
    if request.is_void:
        return ""
    if door == "host-subnet":
        host = make_host(request, netconf.parse_for_delete(request.conf), True)
        _tell(request, host)
        return host_subnet.answer(request, host)
    return _dispatch(_call(request, make_host))


def _call(request: Request, make_host: MakeHost) -> Call:
    conf = _conf(request)
    override = request.environment.get("CNI_NETNS_OVERRIDE", "").lower() in {"1", "true"}
    host = make_host(request, conf, override)
    _tell(request, host)
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


def _dispatch(call: Call) -> str:
    """ADD undoes itself on SIGTERM and SIGINT; what goes by the record finishes what it began (rule 6)."""
    verb, conf = call.request.verb, call.conf
    if verb == "ADD":
        if conf.version < "0.3.0":
            results.check_carries(conf.version, _families(call))
        _on_stop(_raise_stop)
    elif cni.VERBS[verb].is_by_record:
        _on_stop(signal.SIG_IGN)
    try:
        result = RUN[verb](call)
    except (Exception, SystemExit) as error:
        if call.host.log.is_kept:
            _tell_failure(call.host.log, as_cni_error(error))
        raise
    return "" if result is None else results.render_result(result, conf.version, conf.prev_result)


def _tell_failure(log: Log, error: CniError) -> None:
    """The runtime is answered the same; its log is seldom where the node's other lines are."""
    log.error("failed", code=error.code, reason=error.msg, details=error.details)


def _families(call: Call) -> list[int]:
    """Of the addresses in the answer, IP versions; a foreign IPAM may give one of each."""
    conf, ours = call.conf, call.ipam
    found = [pool.version for pool in ours.pools] if ours else [4, 6] if conf.ipam else []
    return found + prevresult.families(conf.prev_result)


def _conf_text(env: Mapping[str, str], read_stdin: Callable[[], str]) -> tuple[str, CniError | None]:
    """A DEL whose conf cannot be read is like one that was given none: it goes on by what is recorded."""
    try:
        return read_stdin(), None
    except InputOutput as error:
        if env.get("CNI_COMMAND") != "DEL":
            raise
        return "", error


def _version(read_stdin: Callable[[], str]) -> str:
    try:
        stdin = read_stdin()
    except Exception:  # our versions are the same, whatever is on standard input
        stdin = ""
    return versions.render(stdin)


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


def _tell(request: Request, host: Host) -> None:
    for fault in request.warnings:
        host.log.warning("the call is not as it should be", reason=fault)
    for path, spelling in request.respelled:
        host.log.debug("a key is spelled otherwise", key=path, spelling=spelling)


def _host(request: Request, conf: NetConf, allow_own_netns: bool) -> Host:
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
    _on_stop(signal.SIG_IGN)  # a second signal must not stop the undoing
    sys.exit(1)


def _on_stop(handler: Callable[..., None] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
