"""sriovctl's command line: what each verb takes. Each verb's own part is in commands/."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..conf.netconf import STATE_DIR
from ..words.errors import CniError
from ..words.jsontext import words
from . import examples, version
from .meant import meant
from .tool import STATUSES

argparse._ = str  # type: ignore[attr-defined]  # not asked for in eight files for each of sixty words
VERSION = f"sriovctl {version.told()}"
_EXIT_STATUS = "\n".join(["exit status:", *(f"  {number:<4} {about}" for number, about in STATUSES.items())])
_EPILOG = f"""{_EXIT_STATUS}

examples:
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
        raise Usage(message, f"{self.format_usage().strip()}\n`{self.prog} --help` says what it takes")

    def parse_known_args(  # type: ignore[override] # typeshed has any namespace
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """A verb's parser is the one that knows which option was meant: what it does not know goes no further."""
        unknown = self._unknown(args)
        found, rest = super().parse_known_args(args, namespace) if not unknown else (namespace, [unknown])
        if rest and not unknown and not any(word.startswith("-") for word in rest):
            rest = self._listed(found, rest)
        if rest:
            near = meant(rest[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(rest)}{near}")
        assert found is not None  # there is none where an option is unknown
        return found, []

    def _listed(self, found: argparse.Namespace | None, rest: list[str]) -> list[str]:
        """Of a list, argparse before 3.13 takes what stands in front of the first option alone."""
        for action in self._actions:
            if action.nargs == "*" and not action.option_strings:
                getattr(found, action.dest).extend(rest)
                return []
        return rest

    def _unknown(self, words: Sequence[str]) -> str:
        """The first that looks like an option and is none; told before what is missing. Behind a verb, the verb's judge."""
        for word in words:
            if word == "--" or (self._subparsers and not word.startswith("-")):
                return ""
            if word.startswith("--") and word.partition("=")[0] not in self._option_string_actions:
                return word
        return ""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            told = meant(str(value), known) or f": it must be one of {', '.join(known)}"
            raise argparse.ArgumentError(action, f"{words(value)} is unknown{told}")


@dataclass(slots=True, frozen=True)
class Command:
    """A verb: what it is for, what it takes, and its run, whose answer is the exit status. `looks`: whether what was asked of
    a verb that needs root is something that everybody may see. main sets `as_root`: the line to type for all of it.
    """

    name: str
    about: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., int]
    needs_root: bool
    looks: Callable[[argparse.Namespace], bool] = lambda _: False


def parser(commands: Iterable[Command]) -> argparse.ArgumentParser:
    """Usage if it cannot be parsed. What it makes has the `parsers` of the verbs, and itself as ""."""
    about = "Virtual functions and subnets of this node: create, look, clean up."
    made = _Parser(prog="sriovctl", description=about, epilog=_EPILOG)
    made.add_argument("-V", "--version", action="version", version=VERSION, help="which sriovctl this is")
    _add_common(made, is_first=True)
    below = made.add_subparsers(dest="verb", metavar="VERB", required=True)

    for command in commands:
        verb = below.add_parser(
            command.name,
            help=command.about,
            description=command.about,
            epilog="\n\n".join(filter(None, (examples.text(command.name), _EXIT_STATUS))),
        )
        verb.set_defaults(run=command.run, needs_root=command.needs_root, looks=command.looks, as_root="")
        command.arguments(verb)
        _add_common(verb.add_argument_group("options of every verb"), is_first=False)
    made.set_defaults(parsers={"": made} | below.choices)
    return made


def _add_common(target: argparse._ActionsContainer, is_first: bool) -> None:
    """Before the verb or behind it; what is not given behind it leaves what was given before."""

    def default(value: object) -> Any:
        return value if is_first else argparse.SUPPRESS

    target.add_argument(
        "--state-dir",
        metavar="DIR",
        default=default(STATE_DIR),
        help=f"a stateDir to look at besides those in use (default {STATE_DIR})",
    )
    target.add_argument(
        "--json", action="store_true", default=default(False), help="one JSON document on standard output"
    )
    target.add_argument(
        "--replay",
        metavar="FILE",
        default=default(None),
        help="look at a recording (sriovctl record) instead of this node; - is standard input",
    )
