"""`sriovctl status`: PFs, their VFs, and the containers that have them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...words.jsontext import words
from ..arguments import Command, Usage
from ..tool import OK, Tool, write_json

if TYPE_CHECKING:
    from ..status.gather import Status

EVERY_S = 2.0


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "targets",
        metavar="PF|VF|CONTAINER",
        nargs="*",
        help="only these: a PF or VF by its interface's name or PCI address, or PF:INDEX; a container's ID (4 characters of"
        " it or more), ID/INTERFACE, or its pod NAMESPACE/NAME",
    )
    verb.add_argument("--free", action="store_true", help="only VFs that an ADD may take")
    verb.add_argument(
        "-o",
        "--output",
        choices=["wide", "json", "name"],
        default="",
        help="wide: all columns, and the devices below; json: as --json; name: the VFs' PCI addresses, one a line",
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
        type=_seconds_or_target,
        const=EVERY_S,
        help=f"look again and again, every {EVERY_S:g} s unless SECONDS says otherwise; with --json one document a line",
    )
    verb.add_argument(
        "--svg",
        metavar="FILE",
        default="",
        help="draw card, ports, VFs, containers, VLANs and subnets; - is standard output",
    )


def _seconds_or_target(text: str) -> float | str:
    """In `status --watch c1` the word behind it is none of its own."""
    try:
        seconds = float(text)
    except ValueError:
        return text
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{words(text)} is no number of seconds from 0.1 to 86400")
    return seconds


def run(options: argparse.Namespace, tool: Tool) -> int:
    from ..status import gather, selection
    from ..status.naming import Naming

    if isinstance(options.watch, str):
        options.targets, options.watch = [options.watch, *options.targets], EVERY_S
    as_json = options.json or options.output == "json"
    _refuse_both(options, as_json)
    host, naming = tool.make_host(options.state_dir), Naming(tool.files)

    def look() -> gather.Status:
        return selection.only(
            gather.look(host, tool.files, naming, options.as_root), options.targets, options.free
        )

    if as_json and not options.watch:
        write_json(tool, look().to_json())
    elif options.svg:
        from .. import publish
        from ..status import picture

        publish.write(tool.out, options.svg, picture.draw(look()))
    else:
        _show(options, tool, look, as_json)
    return OK


def _show(options: argparse.Namespace, tool: Tool, look: Callable[[], Status], as_json: bool) -> None:
    from ..screen import Screen
    from ..status import watch

    view = watch.View(options.output == "wide", options.devices, options.output == "name", options.free)
    if options.watch:
        watch.run(tool, look, options.watch, as_json, view)
    else:
        view.show(Screen(tool.out), look())


def _refuse_both(options: argparse.Namespace, as_json: bool) -> None:
    if options.svg and (options.watch or as_json or options.devices or options.output):
        raise Usage(
            "--svg draws one picture of it all: it goes with no --watch, --json, --output and --devices"
        )
    if options.output == "name" and (options.json or options.devices):
        raise Usage("-o name has the VFs' PCI addresses alone: it goes with no --json and --devices")


COMMAND = Command(
    "status", "PFs, their VFs, and the containers that have them", arguments, run, needs_root=False
)
