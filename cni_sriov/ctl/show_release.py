"""What the operator sees before and after `sriovctl release`."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from .release import Plan
from .screen import console_of
from .verdict import Verdict


def plan(out: TextIO, found: Plan) -> None:
    console = console_of(out)
    console.print(Text(found.who, style="bold"))
    console.print(Text(f"  holds {', '.join(filter(None, [found.where, *_subnets(found)]))}"))
    console.print(Text(f"  {_lives(found)}", style="yellow" if found.inside else ""))


def outcome(out: TextIO, found: Plan, items: list[Verdict], dry_run: bool) -> None:
    console = console_of(out)
    if dry_run:
        console.print("nothing was changed; --yes gives it back")
        return
    for item in items:
        if not item.taken:
            console.print(Text(f"not given back: {item.what}: {item.reason}", style="red"))
    if all(item.taken for item in items):
        console.print(Text("given back", style="green"))
        for path in found.kept_by:
            console.print(Text(f"{path} stays mounted: umount it when nobody needs it", style="dim"))


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
