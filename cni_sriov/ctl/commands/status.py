"""`sriovctl status`: PFs, their VFs, and the containers that have them."""

from __future__ import annotations

import argparse
import math

from ...words.jsontext import words
from ..arguments import Command, Usage
from ..tool import OK, Tool, write_json

EVERY_S = 2.0


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-o",
        "--output",
        choices=["wide", "json"],
        default="",
        help="wide: all columns, and the devices below; json: as --json",
    )
    verb.add_argument("--wide", dest="output", action="store_const", const="wide", help="as -o wide")
    verb.add_argument(
        "--devices",
        action="store_true",
        help="the devices that DPDK can drive, by who drives them, as dpdk-devbind --status has them",
    )
    verb.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=EVERY_S,
        help=f"look again and again, every {EVERY_S:g} s unless SECONDS says otherwise; with --json one document a line",
    )
    verb.add_argument(
        "--svg",
        metavar="FILE",
        default="",
        help="draw card, ports, VFs, containers, VLANs and subnets; - is standard output",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of seconds from 0.1 to 86400")
    return seconds


def run(options: argparse.Namespace, tool: Tool) -> int:
    from ..status import gather

    as_json = options.json or options.output == "json"
    if options.svg and (options.watch or as_json or options.devices):
        raise Usage("--svg draws one picture of it all: it goes with no --watch, --json and --devices")
    host = tool.make_host(options.state_dir)
    if options.watch:
        from ..status import watch
        from ..status.naming import Naming

        view, naming = watch.View(options.output == "wide", options.devices), Naming(tool.files)
        watch.run(tool, lambda: gather.look(host, tool.files, naming), options.watch, as_json, view)
        return OK
    found = gather.look(host, tool.files)
    if as_json:
        write_json(tool, found.to_json())
    elif options.svg:
        from .. import publish
        from ..status import picture

        publish.write(tool.out, options.svg, picture.draw(found))
    else:
        from ..screen import Screen
        from ..status import watch

        watch.View(options.output == "wide", options.devices).show(Screen(tool.out), found)
    return OK


COMMAND = Command(
    "status", "PFs, their VFs, and the containers that have them", arguments, run, needs_root=True
)
