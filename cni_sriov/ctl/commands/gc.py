"""`sriovctl gc`: take back VFs and subnets that provably nobody owns any more."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import Tool, tell_verdicts


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="only say what would be taken back")
    verb.add_argument(
        "--forget",
        metavar="FILE",
        default="",
        help="give up this state file, which cannot be read, and what it holds; nothing else is taken back",
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import gc, giveup

    host = tool.make_host(options.state_dir)
    if options.forget:
        items = [giveup.run(host, options.forget, options.dry_run, tool.data_dir)]
    else:
        items = gc.run(host, options.dry_run, tool.is_dead, tool.data_dir)
    return tell_verdicts(options, tool, items)


COMMAND = Command(
    "gc", "take back VFs and subnets that provably nobody owns any more", arguments, run, needs_root=True
)
