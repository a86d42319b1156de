"""`sriovctl status`: PFs, their VFs, and the containers that have them."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(_: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import node

    host = tool.make_host(options.state_dir)
    pfs, unreadable = node.look(host), node.unreadable(host)
    if options.json:
        write_json(tool, {"pfs": [pf.to_json() for pf in pfs], "unreadable": unreadable})
    else:
        from .. import show

        show.status(tool.out, pfs, unreadable)
    return OK


COMMAND = Command(
    "status", "PFs, their VFs, and the containers that have them", arguments, run, needs_root=True
)
