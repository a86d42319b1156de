"""The verbs that only look: what is recorded is what they ask, and on what is recorded they run. One table for both."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterable
from dataclasses import replace

from ...words.errors import BadConfig, CniError, PfUnusable
from ...words.failures import Failures
from ..arguments import Command, parser
from ..commands import baseline, bind, doctor, leases, metrics, oracle, status
from ..tool import Tool

# what is asked of each when a node is recorded
LOOKS: tuple[tuple[Command, tuple[str, ...]], ...] = (
    (status.COMMAND, ("status",)),
    (leases.COMMAND, ("leases",)),
    (oracle.COMMAND, ("oracle",)),
    (doctor.COMMAND, ("doctor",)),
    (baseline.COMMAND, ("baseline",)),
    (metrics.COMMAND, ("metrics",)),
)
# options with which they do more than look, or look again and again
_ACTS = {"take": "--take", "watch": "--watch"}


def replayed() -> list[str]:
    return [command.name for command, _ in LOOKS]


def refuse_acts(options: argparse.Namespace) -> None:
    """CniError for a verb or an option that a recording has nothing for."""
    is_plan = options.verb == bind.COMMAND.name and options.dry_run
    if options.verb not in replayed() and not is_plan:
        raise CniError(
            f"replay {options.verb} on a recording: it needs a node",
            f"verbs that a recording answers: {', '.join(replayed())}, and bind --dry-run",
            code=4,
        )
    for name, told in _ACTS.items():
        if getattr(options, name, None):
            raise CniError(
                f"replay {options.verb} {told} on a recording: nothing changes there",
                f"leave {told} out",
                code=4,
            )


def ask_all(
    tool: Tool, state_dir: str, devices: Iterable[str], progress: Callable[[str], None], failures: Failures
) -> None:
    """Each verb once, for what it looks at: what it prints goes nowhere, and a verb that fails is told. `devices`: those of
    which the planner is asked which driver fits; why none does is an answer, too.
    """
    parse = parser([*(command for command, _ in LOOKS), bind.COMMAND]).parse_args
    plans = [(bind.COMMAND.name, device, "auto", "--dry-run") for device in devices]
    for argv in (*(argv for _, argv in LOOKS), *plans):
        progress(f"what {argv[0]} looks at")
        with failures.of(verb=" ".join(argv)):
            options = parse([*argv, "--state-dir", state_dir])
            try:
                options.run(options, replace(tool, out=io.StringIO(), err=io.StringIO()))
            except (BadConfig, PfUnusable):
                if argv not in plans:
                    raise
