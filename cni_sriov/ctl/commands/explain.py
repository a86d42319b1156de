"""`sriovctl explain`: one attachment's story."""

from __future__ import annotations

import argparse

from .. import gate
from ..arguments import Command
from ..tool import OK, Tool, write_json
from . import profile

_FILES = (".conf", ".conflist", ".json")


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "target",
        metavar="CONTAINER|VF",
        help="a container's ID (4 characters of it or more), ID/INTERFACE or its pod NAMESPACE/NAME; or a VF by its PCI"
        " address, PF:INDEX, or the name of its interface in the host",
    )
    verb.add_argument(
        "--log",
        metavar="FILE",
        action="append",
        default=[],
        help="a log file to read besides those of the Record and of /etc/cni/net.d; may be repeated",
    )
    profile.options(verb, is_shown=False)


def is_file(target: str) -> bool:
    """What this verb took before: it attaches."""
    return target == "-" or target.endswith(_FILES)


def run(options: argparse.Namespace, tool: Tool) -> int:
    if is_file(options.target):
        gate.say(
            tool.err,
            f"sriovctl: explain {options.target}: this is `sriovctl profile` now; it takes a VF for a moment",
        )
        options.file = options.target
        return profile.run(options, tool)
    from ..story import teller

    told = teller.run(tool, tool.make_host(options.state_dir), options.target, options.log)
    if options.json:
        write_json(tool, told.to_json())
    else:
        from ..story import show

        show.told(tool.out, told)
    return OK


COMMAND = Command(
    "explain",
    "one attachment's story: who asked, when, which VF and why that one, what was set, what the log says",
    arguments,
    run,
    needs_root=True,
)
