"""`sriovctl doctor`: what is wrong with this node, and what helps."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..arguments import Command
from ..tool import FAILED, OK, Tool, write_json

if TYPE_CHECKING:
    from ...decide.doctor import About


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("pf", metavar="PF", nargs="?", default="", help="only this card, and the machine")
    verb.add_argument("--list", action="store_true", help="only list the rules it knows")


def run(options: argparse.Namespace, tool: Tool) -> int:
    from ...decide import doctor

    if options.list:
        return _rules(options, tool, [doctor.describe(rule) for rule in doctor.RULES])
    from .. import profile
    from ..doctor.gather import gather

    host = tool.make_host(options.state_dir)
    rest = tool.is_dead, tool.data_dir, tool.bundle or profile.beside(), tool.judge_cluster
    facts = gather(host, tool.files, options.pf, tool.euid == 0, *rest)
    found = doctor.diagnose(facts)
    if options.json:
        write_json(tool, {"findings": [trouble.to_json() for trouble in found]})
    else:
        from ..doctor import show

        show.troubles(tool.out, found)
    return FAILED if any(trouble.severity != "note" for trouble in found) else OK


def _rules(options: argparse.Namespace, tool: Tool, rules: list[About]) -> int:
    if options.json:
        write_json(tool, {"rules": [about.to_json() for about in rules]})
    else:
        from ..doctor import show

        show.rules(tool.out, rules)
    return OK


COMMAND = Command("doctor", "what is wrong with this node, and what helps", arguments, run, needs_root=False)
