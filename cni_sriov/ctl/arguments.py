"""sriovctl's command line: what each verb takes. Each verb's own part is in commands/."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import __version__
from ..conf.netconf import STATE_DIR
from ..words.errors import CniError
from . import examples

argparse._ = str  # type: ignore[attr-defined]  # not asked for in eight files for each of sixty words
EXIT_STATUS = "exit status: 0 ok, 1 failed or findings, 2 usage, 77 not root"
_EPILOG = f"""{EXIT_STATUS}

  sriovctl vfs enp1s0f0 7              seven VFs on that port
  sriovctl apply                       all that /etc/cni-sriov/host.json says
  sriovctl status                      who has which VF, VLAN and subnet
  sriovctl validate 10-sriov.conflist  is it right, and if not, what is wrong
"""


class Usage(CniError):
    """Arguments that are none of ours: what the caller gave, before anything was looked at."""

    code = 4


def _formatter(prog: str) -> argparse.HelpFormatter:
    """One is made for each argument, and by itself it would ask shutil for the width, which imports bz2 and lzma."""
    return argparse.RawDescriptionHelpFormatter(prog, width=_columns() - 2)


def _columns() -> int:
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:  # no terminal
        return 80


class _Parser(argparse.ArgumentParser):
    """Without abbreviations: a script that has one breaks when an option is added that begins alike."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **{"formatter_class": _formatter} | keys | {"allow_abbrev": False})

    def error(self, message: str) -> NoReturn:
        raise Usage(message, self.format_usage().strip())


@dataclass(slots=True, frozen=True)
class Command:
    """A verb: what it is for, what it takes, and its run, whose answer is the exit status."""

    name: str
    about: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., int]
    needs_root: bool


def parser(commands: Iterable[Command]) -> argparse.ArgumentParser:
    """Usage if it cannot be parsed."""
    about = "Virtual functions and subnets of this node: create, look, clean up."
    made = _Parser(prog="sriovctl", description=about, epilog=_EPILOG)
    made.add_argument("--version", action="version", version=f"sriovctl {__version__}")
    common = _Parser(add_help=False)
    for target in (made, common):  # before the verb or behind it
        _add_common(target, is_first=target is made)
    below = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    for command in commands:
        verb = below.add_parser(
            command.name,
            help=command.about,
            description=command.about,
            epilog=f"{EXIT_STATUS}\n\n{examples.text(command.name)}",
            parents=[common],
        )
        verb.set_defaults(run=command.run, needs_root=command.needs_root)
        command.arguments(verb)
    return made


def _add_common(target: _Parser, is_first: bool) -> None:
    directory: Any = STATE_DIR if is_first else argparse.SUPPRESS
    in_words = "a stateDir to look at besides those in use (default %(default)s)"
    target.add_argument(
        "--state-dir", metavar="DIR", default=directory, help=in_words if is_first else argparse.SUPPRESS
    )
    target.add_argument(
        "--json",
        action="store_true",
        default=False if is_first else argparse.SUPPRESS,
        help="one JSON document on standard output" if is_first else argparse.SUPPRESS,
    )
    target.add_argument(
        "--replay",
        metavar="FILE",
        default=None if is_first else argparse.SUPPRESS,
        help="look at a recording (sriovctl record) instead of this node; - is standard input"
        if is_first
        else argparse.SUPPRESS,
    )
