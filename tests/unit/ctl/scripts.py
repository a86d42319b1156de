"""A script of the doctor's, followed line by line: sriovctl through its front door, `ip` by the fake kernel's rules, and the
rest by a real shell, for which / is the world's root.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

from tests.fakes import FakeLink
from tests.unit.ctl.tool import Run, sriovctl
from tests.world import World

Program = Callable[[list[str]], None]
_MAY_FAIL = " || true"
# one of the node's own: those of a test's world have its root in front
_PATH = re.compile(r"(?<![\w./-])/(?=(?:etc|lib|opt|run|sys|usr|var)/)")


def findings(world: World, rule: str, *where: str, euid: int = 0) -> list[dict[str, Any]]:
    document = sriovctl(world, "doctor", *where, "--json", euid=euid).document
    return [one for one in document["findings"] if one["rule"] == rule]


def follow(world: World, script: str, *, on: Callable[..., Run] = sriovctl, **programs: Program) -> list[Run]:
    """What its sriovctl said, which is called by `on`. `programs` stand for others of that name, and are given their arguments."""
    runs: list[Run] = []

    def tool(words: list[str]) -> None:
        runs.append(on(world, *words))

    known: dict[str, Program] = {"sriovctl": tool, "ip": lambda words: _ip(world, words)} | programs
    lines = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert lines, "all of it is for hands"
    for line in lines:
        here = _PATH.sub(f"{world.root}/", line)
        name, *words = shlex.split(here.removesuffix(_MAY_FAIL))
        if name not in known:
            subprocess.run(["sh", "-ec", here], check=True)  # the doctor's own words
            continue
        known[name](words)
        if name == "sriovctl":
            assert runs[-1].status == 0 or line.endswith(_MAY_FAIL), (line, runs[-1].err, runs[-1].out)
    return runs


def _ip(world: World, words: list[str]) -> None:
    match words:
        case ["link", "set", name, "up"]:
            world.kernel.set_up(_link(world, name))
        case ["link", "show", name]:
            assert _link(world, name).carrier, f"{name} has NO-CARRIER"
        case _:
            raise NotImplementedError(words)


def _link(world: World, name: str) -> FakeLink:
    found = world.kernel.host.find(name)
    assert found is not None, f"no {name}"
    return found[1]
