"""The operator's tool: arguments in, one verb, one gate for every error.

Each verb imports what it needs when it runs, so that `sriovctl --help` is quick. Exit status: 0 ok, 1 failed or
findings, 2 usage, 77 not root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from ..conf.hostsubnet import DATA_DIR
from ..leases.transaction import Judge
from ..state.ledger import Ledger
from ..vf.host import Host
from ..words.errors import CniError, NotRealRoot
from ..words.failures import as_cni_error
from ..words.log import Log
from . import arguments

if TYPE_CHECKING:
    from .gc import Verdict

OK, FAILED, USAGE, NOT_ROOT = 0, 1, 2, 77
JSON_VERSION = 1  # keys are only ever added


@dataclass(slots=True)
class Tool:
    """One call's surroundings; tests hand in their own. `is_dead` None = judged by this machine's netns."""

    out: TextIO
    err: TextIO
    euid: int
    make_host: Callable[[str], Host]
    proc: str = "/proc"
    data_dir: str = DATA_DIR
    is_dead: Judge | None = None


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
        options = arguments.parser(_VERBS).parse_args(argv)
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


def _tell(tool: Tool, as_json: bool, error: CniError) -> None:
    """What, on what, why, and below it what to do."""
    if as_json:
        _write_json(tool, {"error": {"code": error.code, "msg": error.msg, "details": error.details}})
        return
    red, plain = ("\033[1;31m", "\033[0m") if tool.err.isatty() else ("", "")
    tool.err.write(f"{red}sriovctl: {error.msg}{plain}\n")
    for line in error.details.splitlines():
        tool.err.write(f"  {line}\n")


# verbs ---------------------------------------------------------------------------------------------------------------


def _write_json(tool: Tool, document: dict[str, Any]) -> None:
    tool.out.write(json.dumps({"version": JSON_VERSION} | document, indent=2) + "\n")


def _vfs(options: argparse.Namespace, tool: Tool) -> int:
    from . import vfs

    outcome = vfs.run(tool.make_host(options.state_dir), options.pf, options.count, proc=tool.proc)
    if options.json:
        _write_json(tool, outcome.to_json())
    else:
        from . import show

        show.vfs(tool.out, outcome)
    return FAILED if outcome.missing else OK


def _status(options: argparse.Namespace, tool: Tool) -> int:
    from . import node

    host = tool.make_host(options.state_dir)
    pfs, unreadable = node.look(host), node.unreadable(host)
    if options.json:
        _write_json(tool, {"pfs": [pf.to_json() for pf in pfs], "unreadable": unreadable})
    else:
        from . import show

        show.status(tool.out, pfs, unreadable)
    return OK


def _leases(options: argparse.Namespace, tool: Tool) -> int:
    from . import node

    leases = node.leases(tool.make_host(options.state_dir))
    if options.json:
        _write_json(tool, {"leases": leases})
    else:
        from . import show

        show.leases(tool.out, leases)
    return OK


def _gc(options: argparse.Namespace, tool: Tool) -> int:
    from . import gc, giveup

    host = tool.make_host(options.state_dir)
    if options.forget:
        items = [giveup.run(host, options.forget, options.dry_run, tool.data_dir)]
    else:
        items = gc.run(host, options.dry_run, tool.is_dead, tool.data_dir)
    return _tell_verdicts(options, tool, items)


def _tell_verdicts(options: argparse.Namespace, tool: Tool, items: list[Verdict]) -> int:
    if options.json:
        _write_json(tool, {"dryRun": options.dry_run, "items": [item.to_json() for item in items]})
    else:
        from . import show

        show.gc(tool.out, items, options.dry_run)
    is_all_read = all(item.taken for item in items if item.kind == "file")
    return OK if is_all_read else FAILED  # what cannot be read is a finding


def _baseline(options: argparse.Namespace, tool: Tool) -> int:
    from . import baseline

    rows = baseline.run(tool.make_host(options.state_dir), options.where, options.take)
    if options.json:
        _write_json(tool, {"vfs": [row.to_json() for row in rows]})
    else:
        from . import show

        show.baseline(tool.out, rows)
    return OK


def _forget(options: argparse.Namespace, tool: Tool) -> int:
    from . import forget

    items = forget.run(tool.make_host(options.state_dir), options.pod, options.dry_run)
    return _tell_verdicts(options, tool, items)


def _import(options: argparse.Namespace, tool: Tool) -> int:
    from . import importer

    host = tool.make_host(options.state_dir)
    outcome = importer.run(host, options.file, options.network, options.store, options.dry_run)
    if options.json:
        _write_json(tool, outcome.to_json())
    else:
        from . import show

        show.imported(tool.out, outcome)
    return OK


def _validate(options: argparse.Namespace, tool: Tool) -> int:
    from . import validate

    findings = validate.run(options.file, options.device_id_given)
    if options.json:
        _write_json(tool, {"file": options.file, "findings": [f.to_json() for f in findings]})
    else:
        from . import show

        show.findings(tool.out, options.file, findings)
    return FAILED if any(finding.severity == "error" for finding in findings) else OK


def _explain(options: argparse.Namespace, tool: Tool) -> int:
    from . import explain

    outcome = explain.run(options.file, options.runs, options.plugin)
    if options.json:
        _write_json(tool, {"file": options.file} | outcome.to_json())
    else:
        from . import show

        show.explained(tool.out, options.file, outcome)
    return OK


_VERBS: tuple[tuple[str, str, Callable[[argparse.Namespace, Tool], int], bool], ...] = (
    ("vfs", "create the VFs of a PF and wait until they can be used", _vfs, True),
    ("status", "PFs, their VFs, and the containers that have them", _status, True),
    ("leases", "the subnets that are given out", _leases, True),
    ("baseline", "what each VF was at first, and what of it differs now", _baseline, True),
    ("gc", "take back VFs and subnets that provably nobody owns any more", _gc, True),
    ("forget", "no longer keep the subnets of a pod that does not come back (sticky)", _forget, True),
    ("import", "lease by host-subnet what host-local gave out", _import, True),
    ("validate", "judge a configuration; warnings do not fail it", _validate, False),
    ("explain", "attach, detach, and show where the time goes", _explain, True),
)
