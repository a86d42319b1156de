"""Where the lab's time goes: with LAB_COSTS=FILE in the environment each thing that a guest is asked is a line of JSON there,
with seconds on the wall and of QEMU's processors. `python -m tests.lab.costs FILE` adds them up, by kind and by test.

On a machine that is busy only the processor's seconds tell something. Commands that run at once count each other's.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = os.environ.get("LAB_COSTS", "")
TICKS = os.sysconf("SC_CLK_TCK")
SHOWN = 40
KINDS = (  # the first that is found names the command
    "sriovctl", "cnitool", "python3", "udevadm", "sriov_numvfs", "netns del", "ip -j", "ip netns add", "ping", "/sriov",
    "find ", "ip ",
)  # fmt: skip


def spent(pid: int) -> float:
    """A process's seconds so far; 0 if it is gone, or nobody wants to know."""
    if not FILE:
        return 0
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


@dataclass(slots=True)
class Cost:
    """Of one thing asked, from now on."""

    what: str
    pid: int
    began: float = field(default_factory=time.monotonic)
    at_first: float = 0

    def __post_init__(self) -> None:
        self.at_first = spent(self.pid)

    def end(self) -> None:
        if not FILE:
            return
        test, _, when = os.environ.get("PYTEST_CURRENT_TEST", " ").rpartition(" ")
        line = {"test": test, "when": when.strip("()"), "what": self.what, "began": self.began}
        line |= {"wall": time.monotonic() - self.began, "cpu": spent(self.pid) - self.at_first}
        with Path(FILE).open("a") as file:
            file.write(json.dumps(line) + "\n")


def kind(what: str) -> str:
    if found := re.search(r"sriovctl\S* (-\S+ )*(\S+)", what):
        return f"sriovctl {found[2]}"
    return next((kind.strip() for kind in KINDS if kind in what), what.split(maxsplit=1)[0])


def table(title: str, lines: list[dict[str, Any]], by: str) -> None:
    found: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0])
    for line in lines:
        name = kind(line["what"]) if by == "kind" else line[by]
        for index, more in enumerate((1, line["wall"], line["cpu"])):
            found[name][index] += more
    print(f"{title:>7}      wall       cpu")
    for name, (count, wall, cpu) in sorted(found.items(), key=lambda entry: -entry[1][2])[:SHOWN]:
        print(f"{count:7.0f} {wall:9.2f} {cpu:9.2f}  {name}")


if __name__ == "__main__":
    given = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    for title, by in (("asked", "kind"), ("of it", "when"), ("asked", "test")):
        table(title, given, by)
