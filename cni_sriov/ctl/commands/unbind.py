"""`sriovctl unbind`: take the driver off a device."""

from __future__ import annotations

import argparse

from ..arguments import Command
from ..tool import Tool
from .bind import tell_outcome, tell_plan, with_device


def arguments(verb: argparse.ArgumentParser) -> None:
    with_device(verb)


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import bind

    host = tool.make_host(options.state_dir)
    address = bind.find(host, options.device)
    if options.dry_run:
        plan = bind.look(host, tool.files, address, "", options.force)
        return tell_plan(options, tool, address, host.sysfs.driver(address), plan)
    outcome = bind.unbind(host, tool.files, address, options.force)
    return tell_outcome(options, tool, outcome)


COMMAND = Command("unbind", "take the driver off a device", arguments, run, needs_root=True)
