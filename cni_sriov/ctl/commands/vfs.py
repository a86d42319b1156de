"""`sriovctl vfs`: create the VFs of a PF and wait until they can be used."""

from __future__ import annotations

import argparse

from ...words.jsontext import words
from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pf", metavar="PF", help="name or PCI address, like enp1s0f0 or 0000:01:00.0")
    verb.add_argument("count", metavar="N", type=vf_count, help="how many VFs it shall have; 0 removes them")


def vf_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of VFs")
    return int(text)


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import vfs

    outcome = vfs.run(tool.make_host(options.state_dir), tool.files, options.pf, options.count)
    if options.json:
        write_json(tool, outcome.to_json())
    else:
        from .. import show

        show.vfs(tool.out, outcome)
    return FAILED if outcome.missing else OK


COMMAND = Command(
    "vfs", "create the VFs of a PF and wait until they can be used", arguments, run, needs_root=True
)
