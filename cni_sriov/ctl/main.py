"""The operator's tool: arguments in, one verb, one gate for every error. Its exit status: tool.STATUSES."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from ..state.ledger import Ledger
from ..vf.host import Host
from ..words.errors import CniError, NotRealRoot
from ..words.failures import as_cni_error
from ..words.log import Log
from ..words.shown import one_line
from . import arguments
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
from .tool import FAILED, NOT_ROOT, STOPPED, USAGE, Tool, write_json

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
        release,
        forget,
        importing,
        validate,
        profile,
        helping,
        version,
    )
)


def entry() -> None:
    """The executable."""
    _open_standard()
    tool = Tool(sys.stdout, sys.stderr, os.geteuid(), _host, stdin=sys.stdin)
    try:
        status = main(sys.argv[1:], tool)
        sys.stdout.flush()
    except BrokenPipeError:  # `sriovctl status | head`
        status = _without_output()
    except OSError as error:  # a full disk, below standard output or standard error
        status = _without_output()
        with suppress(OSError):
            sys.stderr.write(f"sriovctl: write to standard output: {error.strerror}\n")
    except KeyboardInterrupt:
        status = STOPPED
    sys.exit(status)


def _open_standard() -> None:
    """What is closed leads to nowhere: else the next file that is opened, a lock's, would get what a child has to say."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 # for the whole run
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _without_output() -> int:
    """What is still to be written at the exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return FAILED


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
    except BrokenPipeError:  # of standard output: `entry` knows what to do
        raise
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
    tool.err.write(f"{red}sriovctl: {one_line(error.msg)}{plain}\n")
    for line in error.details.splitlines():
        tool.err.write(f"  {one_line(line)}\n")
