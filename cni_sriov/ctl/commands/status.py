"""`sriovctl status`: PFs, their VFs, and the containers that have them."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(_: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace, tool: Tool) -> int:
    from ..status import gather

    found = gather.look(tool.make_host(options.state_dir), tool.files)
    if options.json:
        write_json(tool, found.to_json())
    else:
        from .. import show

        show.status(tool.out, found.pfs, found.unreadable)
    return OK


COMMAND = Command(
    "status", "PFs, their VFs, and the containers that have them", arguments, run, needs_root=True
)
