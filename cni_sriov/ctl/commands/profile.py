"""`sriovctl profile`: attach, detach, and show where the time goes."""

from __future__ import annotations

import argparse

from ...words.jsontext import words
from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="a .conf or .conflist; - is standard input")
    options(verb)


def options(verb: argparse.ArgumentParser, is_shown: bool = True) -> None:
    """What `sriovctl explain FILE`, its former name, takes as well."""
    shown = {
        "runs": "how often (default %(default)s); shown are medians",
        "plugin": "the plugin (default: `sriov` beside sriovctl)",
    }
    told = shown if is_shown else dict.fromkeys(shown, argparse.SUPPRESS)
    verb.add_argument("--runs", type=_runs, default=5, metavar="N", help=told["runs"])
    verb.add_argument("--plugin", metavar="PATH", default="", help=told["plugin"])


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of runs")
    return int(text)


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import profile

    outcome = profile.run(options.file, options.runs, options.plugin)
    if options.json:
        write_json(tool, {"file": options.file} | outcome.to_json())
    else:
        from .. import show_profile

        show_profile.table(tool.out, options.file, outcome)
    return OK


COMMAND = Command(
    "profile",
    "attach and detach for real, which takes a VF for a moment, and show where the time goes",
    arguments,
    run,
    needs_root=True,
)
