"""`sriovctl apply`: bring the node to what /etc/cni-sriov/host.json says."""

from __future__ import annotations

import argparse

from ...conf.hostfile import PATH
from ...words.jsontext import words
from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json

_MOST_S = 3600


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "file", metavar="FILE", nargs="?", default=PATH, help="what the host is to be (default %(default)s)"
    )
    verb.add_argument("--dry-run", action="store_true", help="only say what would be done")
    verb.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=0,
        help="at boot: wait so long at most for the PFs that the file names",
    )


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) <= _MOST_S):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of seconds in 0-{_MOST_S}")
    return int(text)


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import apply, hostjson, show_apply
    from ..apply_look import NodeDrivers, Site

    host = tool.make_host(options.state_dir)
    site = Site(host, tool.files, NodeDrivers(host, tool.files))
    file = hostjson.read(tool.files, options.file)
    with show_apply.reporter(tool.err, options.json) as reporter:
        applied = apply.run(site, file, options.file, options.dry_run, reporter, options.wait)
    if options.json:
        write_json(tool, applied.to_json())
    else:
        show_apply.applied(tool.out, applied)
    return OK if applied.is_good else FAILED


COMMAND = Command("apply", "bring PFs and VFs to what the host's file says", arguments, run, needs_root=True)
