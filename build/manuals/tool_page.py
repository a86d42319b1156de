"""sriovctl(8), by its parser."""

from __future__ import annotations

from roff import FILES, document, listed, plain, roff
from tree import Argument, Option, Tool, Verb, common

from cni_sriov.ctl.tool import STATUSES

ENVIRONMENT = (
    ("NO_COLOR, TERM=dumb", "no escape sequence in what is printed"),
    ("CNI_PATH", "where profile looks for another IPAM plugin, as a runtime would"),
    (
        "CNI_SRIOV_TIMES",
        "1 makes the plugin sriov tell on standard error where the time of a call went; profile sets it",
    ),
)
INTRODUCTION = (
    "sriovctl is the operator's tool of cni-sriov, the CNI plugin that gives containers SR-IOV virtual functions (VFs) and"
    " subnets of their own. There is no daemon: it looks at the kernel and at the state files, and says or changes what it"
    " is asked for. Its errors say what was tried on what, why not, and below that what to do."
)
SEE_ALSO = "`ip-link`(8), `devlink`(8), `lspci`(8), `logrotate`(8)"


def sriovctl(tool: Tool) -> str:
    about = tool.about.rstrip(".")
    everywhere = common(tool)
    sections = {
        "SYNOPSIS": [_synopsis(tool)],
        "DESCRIPTION": roff(INTRODUCTION),
        "OPTIONS": [
            *roff("They may stand before the command or behind it, and are not abbreviated."),
            *_options(tool.options),
        ],
        "COMMANDS": [line for verb in tool.verbs for line in _verb(verb, everywhere)],
        "EXIT STATUS": listed((str(number), about) for number, about in STATUSES.items()),
        "FILES": listed(FILES),
        "ENVIRONMENT": listed(ENVIRONMENT),
        "EXAMPLES": [line for verb in tool.verbs for line in listed(verb.examples)],
    }
    return document("sriovctl", about[0].lower() + about[1:], sections, SEE_ALSO)


def _synopsis(tool: Tool) -> str:
    options = " ".join(f"[{_usage(option)}]" for option in common(tool))
    return f"\\fBsriovctl\\fR {options} \\fICOMMAND\\fR [\\fIARGUMENT\\fR ...]"


def _verb(verb: Verb, everywhere: list[Option]) -> list[str]:
    hidden = {name for option in everywhere for name in option.names} | {"-h"}
    own = [option for option in verb.options if not hidden & set(option.names)]
    usage = [f"\\fBsriovctl {plain(verb.name)}\\fR"]
    usage += [f"[{_usage(option)}]" for option in own]
    usage += [f"[{_metavar(one)}]" if one.is_optional else _metavar(one) for one in verb.arguments]
    root = "" if verb.needs_root else " It needs no root."
    lines = [
        f".SS {plain(verb.name)}",
        " ".join(usage),
        ".PP",
        *roff(f"{verb.about[0].upper()}{verb.about[1:]}.{root}"),
    ]
    for argument in verb.arguments:
        lines += [".TP", _metavar(argument), *roff(argument.about)]
    return [*lines, *_options(own)]


def _options(options: list[Option]) -> list[str]:
    lines = []
    for option in options:
        names = ", ".join(f"\\fB{plain(name)}\\fR" for name in option.names)
        lines += [
            ".TP",
            names + (f" \\fI{plain(option.metavar)}\\fR" if option.metavar else ""),
            *roff(option.about),
        ]
    return lines


def _usage(option: Option) -> str:
    argument = f" \\fI{plain(option.metavar)}\\fR" if option.metavar else ""
    return f"\\fB{plain(option.names[-1])}\\fR{argument}"


def _metavar(argument: Argument) -> str:
    """What is typed as it is stands in bold."""
    parts = argument.metavar.split("|")
    return "|".join(f"\\f{'B' if part in argument.choices else 'I'}{plain(part)}\\fR" for part in parts)
