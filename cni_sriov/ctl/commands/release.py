"""`sriovctl release`: give back what one container's interface holds, on the operator's word."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from ..arguments import Command, Usage
from ..tool import FAILED, OK, Tool, write_json

if TYPE_CHECKING:
    from ..release import Plan
    from ..verdict import Verdict


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "target",
        metavar="CONTAINER[/IFNAME]",
        help="the container's ID, or the beginning of it, as status shows it, and its interface if it has several",
    )
    verb.add_argument("--yes", action="store_true", help="do not ask")
    verb.add_argument(
        "--dry-run", action="store_true", help="only say what would be given back, and who uses it"
    )


def run(options: argparse.Namespace, tool: Tool) -> int:
    from .. import release

    host = tool.make_host(options.state_dir)
    plan = release.look(host, tool.files, options.target)
    if plan is None:
        return _tell_nothing(options, tool)
    if options.dry_run:
        return _tell(options, tool, plan, release.verdicts(plan, True, "it would be given back"))
    if not options.yes:
        _refuse_unasked(options, tool)
        from .. import show_release

        if not _agrees(tool, plan):
            show_release.declined(tool.out)
            return FAILED
    return _tell(options, tool, plan, release.act(host, plan))


def _refuse_unasked(options: argparse.Namespace, tool: Tool) -> None:
    """A script answers nothing: it says --yes, or nothing is done."""
    if options.json or tool.stdin is None or not tool.stdin.isatty():
        target = shlex.quote(options.target)
        raise Usage(
            f"release {options.target}: nobody is here to be asked",
            f"`sriovctl release {target} --yes` does it, `sriovctl release {target} --dry-run` only looks",
        )


def _agrees(tool: Tool, plan: Plan) -> bool:
    from .. import show_release

    assert tool.stdin is not None
    show_release.plan(tool.out, plan)
    show_release.question(tool.out)
    return tool.stdin.readline().strip().lower() in {"y", "yes"}


def _tell_nothing(options: argparse.Namespace, tool: Tool) -> int:
    """As DEL: nothing there is success, again and again."""
    if options.json:
        write_json(tool, {"dryRun": options.dry_run, "attachment": None, "items": []})
    else:
        from .. import show_release

        show_release.nothing(tool.out, options.target)
    return OK


def _tell(options: argparse.Namespace, tool: Tool, plan: Plan, items: list[Verdict]) -> int:
    if options.json:
        told = {"dryRun": options.dry_run, "attachment": plan.to_json()}
        write_json(tool, told | {"items": [item.to_json() for item in items]})
    else:
        from .. import show_release

        if options.dry_run or options.yes:
            show_release.plan(tool.out, plan)
        show_release.outcome(tool.out, plan, items, options.dry_run)
    return OK if all(item.taken for item in items) else FAILED


COMMAND = Command(
    "release",
    "give back what one container's interface holds, on your word: for a container that is gone and told nobody",
    arguments,
    run,
    needs_root=True,
)
