"""sriovctl's verbs, arguments and options as plain nouns, read off its parser: the one source of manual and completion."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

from cni_sriov import __version__
from cni_sriov.ctl import arguments, examples
from cni_sriov.ctl.main import COMMANDS

VERSION = __version__
_OF_NO_VERB = {"--help", "--version"}  # of the tool's options: a verb has a --help of its own


@dataclass(slots=True)
class Option:
    """`names` like ["-h", "--help"]. `metavar` "" = it takes no argument."""

    names: list[str]
    metavar: str
    about: str
    choices: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return _kind(self.metavar, self.choices)


@dataclass(slots=True)
class Argument:
    metavar: str
    about: str
    is_optional: bool
    choices: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return _kind(self.metavar, self.choices)


def _kind(metavar: str, choices: list[str]) -> str:
    """What an argument is, for completion."""
    return f"choice:{' '.join(choices)}" if choices else metavar


@dataclass(slots=True)
class Verb:
    name: str
    about: str
    needs_root: bool
    arguments: list[Argument]
    options: list[Option]
    examples: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Tool:
    """`options` go before the verb or behind it, but for --version and --help."""

    about: str
    options: list[Option]
    verbs: list[Verb]


def tool() -> Tool:
    parser = arguments.parser(COMMANDS)
    below = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    options = [_option(one, parser) for one in parser._actions if _is_shown(one) and one.option_strings]
    everywhere = {name for one in options if not _OF_NO_VERB & set(one.names) for name in one.names}
    roots = {command.name: command for command in COMMANDS}
    verbs = [
        Verb(
            name,
            roots[name].about,
            roots[name].needs_root,
            [
                _argument(one, verb, list(below.choices))
                for one in verb._actions
                if _is_shown(one) and not one.option_strings
            ],
            [
                _option(one, verb)
                for one in verb._actions
                if _is_shown(one) and one.option_strings and not everywhere & set(one.option_strings)
            ],
            examples.EXAMPLES.get(name, ()),
        )
        for name, verb in below.choices.items()
    ]
    return Tool(parser.description or "", options, verbs)


def common(found: Tool) -> list[Option]:
    """Those that may stand behind a verb as well."""
    return [option for option in found.options if not _OF_NO_VERB & set(option.names)]


def _is_shown(action: argparse.Action) -> bool:
    return action.help is not argparse.SUPPRESS


def _option(action: argparse.Action, parser: argparse.ArgumentParser) -> Option:
    choices = [*map(str, action.choices or ())]
    metavar = str(action.metavar or "|".join(choices) or action.dest.upper())
    return Option(
        list(action.option_strings), metavar if action.nargs != 0 else "", _help(action, parser), choices
    )


def _argument(action: argparse.Action, parser: argparse.ArgumentParser, verbs: list[str]) -> Argument:
    choices = verbs if action.metavar == "VERB" else [*map(str, action.choices or ())]
    name = str(action.metavar or "|".join(choices) or action.dest)
    return Argument(name, _help(action, parser), action.nargs in {"?", "*"}, choices)


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    """With its default and the like put in."""
    return " ".join(parser._get_formatter()._expand_help(action).split()) if action.help else ""
