"""`sriovctl record`: what sriovctl sees of this node, into a file that `--replay` looks at."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import OK, Tool, write_json


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="where to, like node.json.gz; - is standard output")
    verb.add_argument(
        "--anonymous",
        action="store_true",
        help="hide who runs here: container, pod and host names, half of each MAC, IP addresses",
    )
    verb.add_argument("--force", action="store_true", help="replace FILE if it is there")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from ..recording import record

    made = record.run(tool, options.state_dir, options.file, options.anonymous, options.force)
    if options.file == record.STDOUT:
        return OK
    if options.json:
        write_json(tool, made.to_json())
    else:
        record.tell(tool, made)
    return OK


COMMAND = Command(
    "record",
    "what sriovctl sees of this node, into a file that --replay looks at",
    arguments,
    run,
    needs_root=True,
)
