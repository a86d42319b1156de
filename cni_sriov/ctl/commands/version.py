"""`sriovctl version`: what `--version` says, for who tries a verb first."""

from __future__ import annotations

import argparse

from .. import gate, version
from ..arguments import VERSION, Command
from ..tool import OK, Tool, write_json


def arguments(_: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace, tool: Tool) -> int:
    if options.json:
        write_json(tool, {"sriovctl": version.told()})
    else:
        gate.say(tool.out, VERSION)
    return OK


COMMAND = Command("version", "which sriovctl this is", arguments, run, needs_root=False)
