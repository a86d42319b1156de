"""`sriovctl baseline`: what each VF was at first, and what of it differs now."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "where", metavar="PF|VF", nargs="?", default="", help="one PF, or a VF by its PCI address"
    )
    verb.add_argument("--take", metavar="VF", default="", help="what that VF is now is golden from now on")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import baseline

    rows = baseline.run(tool.make_host(options.state_dir), options.where, options.take)
    if options.json:
        write_json(tool, {"vfs": [row.to_json() for row in rows]})
    else:
        from .. import show

        show.baseline(tool.out, rows)
    return OK


COMMAND = Command(
    "baseline", "what each VF was at first, and what of it differs now", arguments, run, needs_root=True
)
