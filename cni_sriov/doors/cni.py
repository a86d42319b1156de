"""The CNI doors `sriov` and `host-subnet`: environment and standard input in, one JSON document out, one gate for every error.

Nothing is imported before it is needed: VERSION answers before anything else is loaded (docs/speed.md).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping

from .. import __version__
from ..conf import hostsubnet, netconf, requests
from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..ipam import delegate
from ..owner import records
from ..state.ledger import Ledger
from ..verbs import add, check, delete, gc, status
from ..vf.host import Host
from ..wire import cni, prevresult
from ..words import versions
from ..words.domain import Request
from ..words.errors import (
    BadConfig,
    CniError,
    IncompatibleVersion,
    InputOutput,
    NotRealRoot,
)
from ..words.failures import as_cni_error
from ..words.lease import LeaseDir
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
    except IsADirectoryError as error:  # or _settle's stand-in
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
    call = Call()
    code = 0
    try:
        answer = call.answer(door, env, read_stdin, make_host or _host)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the one gate: all leaves as one CNI error
        answer = cni.render_error(as_cni_error(error), call.version)
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


class Call:
    """One verb; `version` is known once standard input is parsed, for the error that may follow."""

    __slots__ = ("version",)

    def __init__(self) -> None:
        self.version: object = None

    def answer(
        self, door: str, env: Mapping[str, str], read_stdin: Callable[[], str], make_host: MakeHost
    ) -> str:
        if env.get("CNI_COMMAND") == "VERSION":
            return _version(read_stdin)
        stdin, unread = _conf_text(env, read_stdin)
        try:
            request = cni.parse_request(env, stdin, door)
        except Exception:
            self.version = cni.version_of(stdin)
            raise
        if unread is not None:
            request.fault, request.warnings = unread, [str(unread)]
        self.version = request.conf["cniVersion"]
        if request.is_void:
            return ""

        if door == "host-subnet":
            host = make_host(request, netconf.parse_for_delete(request.conf), True)
            _tell(request, host)
            return host_subnet.answer(request, host)
        conf = _conf(request)
        override = env.get("CNI_NETNS_OVERRIDE", "").lower() in {"1", "true"}
        host = make_host(request, conf, override)
        _tell(request, host)
        host.cni_path, host.environment = request.path, dict(env)
        host.conf, host.raw = request.conf, request.raw
        if conf.cni_dir:
            host.ledger.cache_dirs.insert(0, conf.cni_dir)
        return _VERBS[request.verb](request, conf, host)


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
    if request.verb in {"DEL", "GC"}:
        return netconf.parse_for_delete(request.conf)
    strict = request.verb != "CHECK"
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
        "traceparent": os.environ.get("TRACEPARENT", ""),
    }
    log = Log(conf.log_level, conf.log_file, context)
    return Host(Ledger(conf.state_dir, log), log, allow_own_netns=allow_own_netns)


def _is_real_root() -> bool:
    """Uid 0 of another user namespace (rootless podman) may change no netdev of the host."""
    try:
        initial = os.stat("/proc/self/ns/user").st_ino == 0xEFFFFFFD  # PROC_USER_INIT_INO, linux/proc_ns.h
    except OSError:
        initial = True  # no /proc: the first thing that needs it says so
    return initial and os.geteuid() == 0


def _add(request: Request, conf: NetConf, host: Host) -> str:
    ipam_conf = _ipam_conf(conf)
    if conf.version < "0.3.0":
        cni.check_carries(conf.version, _families(conf, ipam_conf))
    _on_stop(_raise_stop)
    return cni.render_result(add.run(request, conf, ipam_conf, host), conf.version, conf.prev_result)


def _families(conf: NetConf, ipam_conf: IpamConf | None) -> list[int]:
    """Of the addresses in the answer, IP versions; a foreign IPAM may give one of each."""
    found = [pool.version for pool in ipam_conf.pools] if ipam_conf else [4, 6] if conf.ipam else []
    return found + prevresult.families(conf.prev_result)


def _ipam_conf(conf: NetConf) -> IpamConf | None:
    if conf.ipam.get("type") != "host-subnet":
        return None
    return hostsubnet.parse(conf.ipam, conf.requests)


def _del(request: Request, conf: NetConf, host: Host) -> str:
    _on_stop(None)
    if request.fault is not None and records.record_of(host, request.attachment) is None:
        raise request.fault
    delete.run(request, conf, _lease_dir(request), host)
    return ""


def _lease_dir(request: Request) -> LeaseDir | None:
    """Where the conf's leases are; None if it says nothing that can be used, which must not stop a DEL."""
    ipam = request.conf.get("ipam")
    if not isinstance(ipam, dict) or ipam.get("type") != "host-subnet":
        return None
    try:
        return hostsubnet.parse_lease_dir(ipam)
    except CniError:
        return None


def _check(request: Request, conf: NetConf, host: Host) -> str:
    check.run(request, conf, host)
    return ""


def _gc(request: Request, conf: NetConf, host: Host) -> str:
    _on_stop(None)
    try:
        gc.run(conf.name, requests.valid_attachments(request.conf), host, conf.verify_timeout_ms)
    finally:
        _forward(request, host)
    return ""


def _status(request: Request, conf: NetConf, host: Host) -> str:
    status.run(conf, _ipam_conf(conf), host)
    _forward(request, host)
    return ""


def _forward(request: Request, host: Host) -> None:
    """GC and STATUS go to a foreign IPAM too (SPEC 1.1.0, section 4), if the conf names one."""
    section = request.conf.get("ipam")
    kind = section.get("type") if isinstance(section, dict) else None
    if kind and isinstance(kind, str) and kind != "host-subnet":
        delegate.forward(host, request.verb)


_VERBS = {"ADD": _add, "DEL": _del, "CHECK": _check, "GC": _gc, "STATUS": _status}


def _raise_stop(*_: object) -> None:
    _on_stop(None)  # a second signal must not stop the undoing
    sys.exit(1)


def _on_stop(handler: Callable[..., None] | None) -> None:
    """ADD undoes itself on SIGTERM and SIGINT; DEL finishes what it began (rule 6)."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler or signal.SIG_IGN)
