"""`sriovctl leases`: the subnets that are given out."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(_: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import leased

    leases = leased.leases(tool.make_host(options.state_dir))
    if options.json:
        write_json(tool, {"leases": leases})
    else:
        from .. import show

        show.leases(tool.out, leases)
    return OK


COMMAND = Command("leases", "the subnets that are given out", arguments, run, needs_root=True)
