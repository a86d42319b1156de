"""`sriovctl explain`: attach, detach, and show where the time goes."""

from __future__ import annotations

import argparse

from ...words.jsontext import words
from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="a .conf or .conflist; - is standard input")
    verb.add_argument(
        "--runs",
        type=_runs,
        default=5,
        metavar="N",
        help="how often (default %(default)s); shown are medians",
    )
    verb.add_argument(
        "--plugin", metavar="PATH", default="", help="the plugin (default: `sriov` beside sriovctl)"
    )


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of runs")
    return int(text)


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import explain

    outcome = explain.run(options.file, options.runs, options.plugin)
    if options.json:
        write_json(tool, {"file": options.file} | outcome.to_json())
    else:
        from .. import show

        show.explained(tool.out, options.file, outcome)
    return OK


COMMAND = Command("explain", "attach, detach, and show where the time goes", arguments, run, needs_root=True)
