"""The operator's tool: arguments in, one verb, one gate for every error. Its exit status: tool.STATUSES."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..state.ledger import Ledger
from ..vf.host import Host
from ..words.errors import CniError, NotRealRoot
from ..words.failures import as_cni_error
from ..words.log import Log
from . import arguments, gate, sudo
from .commands import (
    apply,
    baseline,
    bind,
    doctor,
    explain,
    forget,
    gc,
    helping,
    importing,
    leases,
    metrics,
    oracle,
    pool,
    profile,
    record,
    release,
    restore,
    status,
    unbind,
    validate,
    version,
    vfs,
)
from .tool import FAILED, NOT_ROOT, USAGE, Tool, write_json

COMMANDS = tuple(
    module.COMMAND
    for module in (
        vfs,
        apply,
        oracle,
        bind,
        unbind,
        restore,
        status,
        metrics,
        doctor,
        record,
        leases,
        pool,
        explain,
        baseline,
        gc,
        release,
        forget,
        importing,
        validate,
        profile,
        helping,
        version,
    )
)


def entry() -> NoReturn:
    """The executable."""
    out, err = gate.open_standard()
    tool = Tool(out, err, os.geteuid(), _host, stdin=sys.stdin, program=sudo.program())
    gate.leave(lambda: main(sys.argv[1:], tool))


def _host(state_dir: str) -> Host:
    log = Log("error")  # damaged files; what a verb does is its own to tell
    return Host(Ledger(state_dir, log), log)


def main(argv: Sequence[str], tool: Tool) -> int:
    """The answer is the exit status; the one document or table goes to `tool.out`."""
    as_json = "--json" in argv
    try:
        options = arguments.parser(COMMANDS).parse_args(argv)
        as_json = as_json or getattr(options, "output", "") == "json"  # status -o json
        if options.replay is not None:
            return _replay(options, tool)
        options.as_root = "" if tool.euid == 0 else sudo.line(tool.program, argv)
        if options.as_root and options.needs_root and not options.looks(options):
            raise NotRealRoot(
                f"run sriovctl {options.verb}: needs root, and runs as uid {tool.euid}",
                options.as_root,
            )
        status: int = options.run(options, tool)
        return status
    except SystemExit as stop:  # --help, --version: argparse has printed them
        return int(stop.code or 0)
    except (arguments.Usage, NotRealRoot) as error:
        _tell(tool, as_json, error)
        return USAGE if isinstance(error, arguments.Usage) else NOT_ROOT
    except Exception as error:  # the one gate
        _tell(tool, as_json, as_cni_error(error))
        return FAILED


def _replay(options: argparse.Namespace, tool: Tool) -> int:
    """On a recording, which needs no root."""
    from .recording import replay

    with replay.surroundings(options, tool) as recorded:
        status: int = options.run(options, recorded)
    return status


def _tell(tool: Tool, as_json: bool, error: CniError) -> None:
    """What, on what, why, and below it what to do."""
    if as_json:
        write_json(tool, {"error": {"code": error.code, "msg": error.msg, "details": error.details}})
        return
    gate.say(tool.err, f"sriovctl: {error.msg}", "1;31")
    for line in error.details.splitlines():
        gate.say(tool.err, f"  {line}")
