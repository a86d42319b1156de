"""`sriovctl help`: what `--help` says, for who tries a verb first."""

from __future__ import annotations

import argparse

from .. import gate
from ..arguments import Command, Usage
from ..meant import meant
from ..tool import OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("of", metavar="VERB", nargs="?", default="", help="the one to tell about")


def run(options: argparse.Namespace, tool: Tool) -> int:
    parsers: dict[str, argparse.ArgumentParser] = options.parsers
    if options.of not in parsers:
        raise Usage(
            f'help: there is no verb "{options.of}"{meant(options.of, parsers)}',
            "`sriovctl help` has them all",
        )
    told = parsers[options.of].format_help()
    if options.json:
        write_json(tool, {"help": told})
    else:
        for line in told.splitlines():
            gate.say(tool.out, line)
    return OK


COMMAND = Command(
    "help", "what sriovctl, or a verb of it, is for and takes", arguments, run, needs_root=False
)
