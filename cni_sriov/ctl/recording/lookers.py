"""The verbs that only look: what is recorded is what they ask, and on what is recorded they run. One table for both."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import replace

from ...words.errors import BadConfig, CniError, PfUnusable
from ...words.failures import Failures
from ..arguments import Command, parser
from ..commands import baseline, bind, doctor, explain, leases, metrics, oracle, status, vfs
from ..tool import Tool

# what is asked of each when a node is recorded; a document has all, names of devices too
LOOKS: tuple[tuple[Command, tuple[str, ...]], ...] = (
    (status.COMMAND, ("status", "--json")),
    (oracle.COMMAND, ("oracle", "--json")),
    (doctor.COMMAND, ("doctor", "--json")),
    (baseline.COMMAND, ("baseline", "--json")),
)
# what these ask, those above have asked; explain besides of one attachment (`singles`)
_REST = (leases.COMMAND, metrics.COMMAND, explain.COMMAND)
# options with which they do more than look, or look again and again
_ACTS = {"take": "--take", "watch": "--watch"}


def replayed() -> list[str]:
    return [*(command.name for command, _ in LOOKS), *(command.name for command in _REST)]


def refuse_acts(options: argparse.Namespace) -> None:
    """CniError for a verb or an option that a recording has nothing for."""
    is_plan = options.verb == bind.COMMAND.name and options.dry_run
    is_list = options.verb == vfs.COMMAND.name and vfs.COMMAND.looks(options)
    is_file = options.verb == explain.COMMAND.name and explain.is_file(options.target)
    if is_file or (options.verb not in replayed() and not (is_plan or is_list)):
        raise CniError(
            f"replay {options.verb} on a recording: it needs a node",
            f"verbs that a recording answers: {', '.join(replayed())}, bind --dry-run, and vfs without a number",
            code=4,
        )
    for name, told in _ACTS.items():
        if getattr(options, name, None):
            raise CniError(
                f"replay {options.verb} {told} on a recording: nothing changes there",
                f"leave {told} out",
                code=4,
            )


def singles(devices: list[str], attachments: list[str]) -> list[tuple[str, ...]]:
    """What is asked of each of those devices, and of one attachment: all logs are read for that."""
    plans = [(bind.COMMAND.name, device, "auto", "--dry-run") for device in devices]
    return plans + [(explain.COMMAND.name, attachment) for attachment in attachments[:1]]


def ask_all(
    tool: Tool,
    state_dir: str,
    more: list[tuple[str, ...]],
    progress: Callable[[str], None],
    failures: Failures,
) -> None:
    """Each verb once, for what it looks at: what it prints goes nowhere, and a verb that fails is told. `more`: of single
    devices and attachments; why the planner has no driver for one is an answer, too.
    """
    parse = parser([*(command for command, _ in LOOKS), bind.COMMAND, explain.COMMAND]).parse_args
    for argv in (*(argv for _, argv in LOOKS), *more):
        progress(f"what {argv[0]} looks at")
        with failures.of(verb=" ".join(argv)):
            options = parse([*argv, "--state-dir", state_dir])
            try:
                options.run(options, replace(tool, out=io.StringIO(), err=io.StringIO()))
            except (BadConfig, PfUnusable):
                if argv not in more:
                    raise
