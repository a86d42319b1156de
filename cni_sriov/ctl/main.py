"""The operator's tool: arguments in, one verb, one gate for every error.

Exit status: 0 ok, 1 failed or findings, 2 usage, 77 not root.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..state.ledger import Ledger
from ..vf.host import Host
from ..words.errors import CniError, NotRealRoot
from ..words.failures import as_cni_error
from ..words.log import Log
from . import arguments
from .commands import (
    apply,
    baseline,
    bind,
    doctor,
    explain,
    forget,
    gc,
    importing,
    leases,
    metrics,
    oracle,
    profile,
    record,
    restore,
    status,
    unbind,
    validate,
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
        explain,
        baseline,
        gc,
        forget,
        importing,
        validate,
        profile,
    )
)


def entry() -> None:
    """The executable."""
    tool = Tool(sys.stdout, sys.stderr, os.geteuid(), _host)
    try:
        status = main(sys.argv[1:], tool)
        sys.stdout.flush()
    except BrokenPipeError:  # `sriovctl status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = FAILED
    except KeyboardInterrupt:
        status = 130  # 128 + SIGINT
    sys.exit(status)


def _host(state_dir: str) -> Host:
    log = Log("error")  # damaged files; what a verb does is its own to tell
    return Host(Ledger(state_dir, log), log)


def main(argv: Sequence[str], tool: Tool) -> int:
    """The answer is the exit status; the one document or table goes to `tool.out`."""
    as_json = "--json" in argv
    try:
        options = arguments.parser(COMMANDS).parse_args(argv)
        as_json = as_json or getattr(options, "output", "") == "json"  # status -o json
        if options.replay:
            return _replay(options, tool)
        if options.needs_root and tool.euid != 0:
            raise NotRealRoot(
                f"run sriovctl {options.verb}: needs root, and runs as uid {tool.euid}",
                f"run it again with sudo: sudo sriovctl {options.verb} ...",
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
    red, plain = ("\033[1;31m", "\033[0m") if tool.err.isatty() else ("", "")
    tool.err.write(f"{red}sriovctl: {error.msg}{plain}\n")
    for line in error.details.splitlines():
        tool.err.write(f"  {line}\n")
