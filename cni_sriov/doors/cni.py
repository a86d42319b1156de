"""The CNI doors `sriov` and `host-subnet`: environment and standard input in, one JSON document out, one gate for every error.

The door makes a Call of what it is told (doors/calls.py), and wire/cni.py's table says what the verb needs. The executable
begins here, too: podman 5 calls it with its verb as an argument (doors/netavark.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import __version__
from ..conf import netconf
from ..wire import cni, results
from ..words import versions
from ..words.errors import CniError, InputOutput
from ..words.failures import as_cni_error
from . import calls, host_subnet, netavark, stdio, times

ABOUT = """cni-sriov {version}: {door} is a CNI plugin that gives {gives}.
It is called by a container runtime, with CNI_COMMAND set and a configuration on standard input.
CNI versions: {versions}. The operator's tool is sriovctl. More: man {door}, man cni-sriov.conf.
It carries {carried}.
"""
GIVES = {
    "sriov": "containers SR-IOV virtual functions",
    "host-subnet": "each interface an IP subnet of its own",
}
_HELP, _VERSION = ("-h", "--help", "help"), ("-V", "--version", "version")


def entry() -> None:
    """The executable: real environment and files; ends at once, because tearing down the interpreter costs 2 ms."""
    stdio.settle_files()
    if os.environ.get("CNI_SRIOV_TIMES") == "1":
        times.start()
    read_stdin, command = stdio.read_stdin, os.environ.get("CNI_COMMAND")
    if command != "VERSION":
        stdio.settle_signals()
    elif os.isatty(0):
        read_stdin = str  # VERSION needs no input (skel reads none), and a person who asks for it gives none
    door, asked = sys.argv[0].rpartition("/")[2], sys.argv[1:2]
    if not command and netavark.is_asked(sys.argv):
        os._exit(netavark.main(sys.argv[1:], os.environ, read_stdin, stdio.write_all))
    if not command and asked and asked[0] in (*_HELP, *_VERSION):
        os._exit(introduce(door, stdio.write_all, is_short=asked[0] in _VERSION))
    os._exit(main(os.environ, read_stdin, stdio.write_all, door=door))


def introduce(door: str, write: stdio.Write, is_short: bool = False) -> int:
    """To a person who asks, on standard output."""
    told = about(door)
    return 0 if stdio.say(write, 1, told.partition(":")[0] + "\n" if is_short else told) else 1


def about(door: str) -> str:
    door = door if door in GIVES else "sriov"
    spoken = ", ".join(versions.VERSIONS)
    return ABOUT.format(
        version=__version__, door=door, gives=GIVES[door], versions=spoken, carried=versions.carried()
    )


def main(
    env: Mapping[str, str],
    read_stdin: Callable[[], str],
    write: stdio.Write,
    make_host: calls.MakeHost | None = None,
    door: str = "sriov",
) -> int:
    """One call; the answer is the exit code. `write(fd, text)` gets the one document for fd 1."""
    if not env.get("CNI_COMMAND"):
        stdio.say(write, 2, about(door))
        read_stdin = str  # a person who tries it out gives none, and would wait for ever
    told = _Told()
    code = 0
    try:
        answer = _answer(told, door, env, read_stdin, make_host or calls.real_host)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # the one gate: all leaves as one CNI error
        answer = results.render_error(as_cni_error(error), told.version)
        code = 1
    return code if stdio.say(write, 1, answer + "\n" if answer else "") else 1


@dataclass(slots=True)
class _Told:
    """The `version` that an error must speak: known once standard input is parsed."""

    version: object = None


def _answer(
    told: _Told, door: str, env: Mapping[str, str], read_stdin: Callable[[], str], make_host: calls.MakeHost
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
        calls.tell(request, host)
        return host_subnet.answer(request, host)
    call = calls.make(request, make_host)
    result = calls.run(call)
    return "" if result is None else results.render_result(result, call.conf.version, call.conf.prev_result)


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
