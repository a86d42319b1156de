"""What the operator sees before and after `sriovctl release`."""

from __future__ import annotations

from typing import TextIO

from .release import Plan
from .screen import Screen
from .verdict import Verdict


def plan(out: TextIO, found: Plan) -> None:
    screen = Screen(out)
    screen.line(found.who, "bold")
    screen.line(f"holds {', '.join(filter(None, [found.where, *_subnets(found)]))}", indent=2)
    screen.line(_lives(found), "yellow" if found.inside else "", indent=2)


def question(out: TextIO) -> None:
    """The answer is typed behind it."""
    Screen(out).ask("Give it back? Nothing is ended; who is in there loses the interface. [y/N]")


def nothing(out: TextIO, target: str) -> None:
    Screen(out).line(f"nothing is attached as {target}; `sriovctl status` lists what is")


def declined(out: TextIO) -> None:
    Screen(out).line("nothing was changed")


def outcome(out: TextIO, found: Plan, items: list[Verdict], dry_run: bool) -> None:
    screen = Screen(out)
    if dry_run:
        screen.line("nothing was changed; --yes gives it back")
        return
    for item in items:
        if not item.taken:
            screen.line(f"not given back: {item.what}: {item.reason}", "red")
    if all(item.taken for item in items):
        screen.line("given back", "green")
        for path in found.kept_by:
            screen.line(f"{path} stays mounted: umount it when nobody needs it", "dim")


def _subnets(found: Plan) -> list[str]:
    return [lease.subnet for lease in found.leases]


def _lives(found: Plan) -> str:
    where = f"its network namespace {found.netns}" if found.netns else "its network namespace"
    if found.inside:
        return f"in {where}: {', '.join(found.inside)}"
    if found.unseen:
        return f"who is in {where} cannot be seen from here"
    if found.kept_by:
        return f"no process is in {where}, which the mount {', '.join(found.kept_by)} keeps"
    return f"no process is in {where}"
