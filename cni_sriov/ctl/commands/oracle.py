"""`sriovctl oracle`: how many VFs a PF can have in its slot, and why not more."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "pf", metavar="PF", nargs="?", default="", help="name or PCI address; without it every PF of the node"
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import foretell

    told = foretell.run(tool.files, lambda: tool.make_host(options.state_dir), options.pf)
    if options.json:
        write_json(tool, {"pfs": [one.to_json() for one in told]})
    else:
        from .. import show_oracle

        show_oracle.oracle(tool.out, told)
    return OK if all(one.is_enough for one in told) else FAILED


COMMAND = Command(
    "oracle", "how many VFs a PF can have in its slot, and why not more", arguments, run, needs_root=False
)
