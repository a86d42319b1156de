"""`sriovctl forget`: no longer keep the subnets of a pod that does not come back (sticky)."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import Tool, tell_verdicts


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pod", metavar="POD", help="its name, or namespace/name")
    verb.add_argument("--dry-run", action="store_true", help="only show what is kept for it")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import forget

    items = forget.run(tool.make_host(options.state_dir), options.pod, options.dry_run)
    return tell_verdicts(options, tool, items)


COMMAND = Command(
    "forget",
    "no longer keep the subnets of a pod that does not come back (sticky)",
    arguments,
    run,
    needs_root=True,
)
