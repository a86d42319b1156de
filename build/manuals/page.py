"""sriovctl(8) as roff, by man(7): what every `man` and mandoc reads."""

from __future__ import annotations

import re
from textwrap import wrap

from tree import VERSION, Argument, Option, Tool, Verb, common

from cni_sriov.ctl.tool import STATUSES

FILES = (
    ("/etc/cni/net.d", "the runtimes' configurations"),
    ("/var/lib/cni/sriov", "stateDir: a Record for each attachment"),
    ("/var/lib/cni/host-subnet", "dataDir: the leases"),
    ("/run/cni-sriov", "claims, locks, what each VF was at first; gone with the boot"),
    ("/var/run/cdi", "a CDI specification for each VF that is on a driver for user space"),
    ("/var/log/cni-sriov.log", "the log, where a configuration's logFile says so"),
)
ENVIRONMENT = (
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
    lines = [
        '.\\" Written by build/manuals: do not edit.',
        f'.TH SRIOVCTL 8 "" "cni\\-sriov {_plain(VERSION)}" "System Manager\'s Manual"',
        ".SH NAME",
        f"sriovctl \\- {_plain(tool.about.rstrip('.')[0].lower() + tool.about.rstrip('.')[1:])}",
        ".SH SYNOPSIS",
        _synopsis(tool),
        ".SH DESCRIPTION",
        *roff(INTRODUCTION),
        ".SH OPTIONS",
        *roff("They may stand before the command or behind it, and are not abbreviated."),
        *_options(tool.options),
        ".SH COMMANDS",
    ]
    for verb in tool.verbs:
        lines += _verb(verb, common(tool))
    lines += [
        ".SH EXIT STATUS",
        *_list(tuple((str(number), about) for number, about in STATUSES.items())),
        ".SH FILES",
        *_list(FILES),
        ".SH ENVIRONMENT",
        *_list(ENVIRONMENT),
    ]
    lines += [".SH EXAMPLES"]
    for verb in tool.verbs:
        lines += _examples(verb)
    return "\n".join([*lines, ".SH SEE ALSO", *roff(SEE_ALSO), ""])


def _synopsis(tool: Tool) -> str:
    options = " ".join(f"[{_usage(option)}]" for option in common(tool))
    return f"\\fBsriovctl\\fR {options} \\fICOMMAND\\fR [\\fIARGUMENT\\fR ...]"


def _verb(verb: Verb, everywhere: list[Option]) -> list[str]:
    hidden = {name for option in everywhere for name in option.names} | {"-h"}
    own = [option for option in verb.options if not hidden & set(option.names)]
    usage = [f"\\fBsriovctl {_plain(verb.name)}\\fR"]
    usage += [f"[{_usage(option)}]" for option in own]
    usage += [f"[{_metavar(one)}]" if one.is_optional else _metavar(one) for one in verb.arguments]
    root = "" if verb.needs_root else " It needs no root."
    lines = [
        f".SS {_plain(verb.name)}",
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
        names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in option.names)
        lines += [
            ".TP",
            names + (f" \\fI{_plain(option.metavar)}\\fR" if option.metavar else ""),
            *roff(option.about),
        ]
    return lines


def _usage(option: Option) -> str:
    argument = f" \\fI{_plain(option.metavar)}\\fR" if option.metavar else ""
    return f"\\fB{_plain(option.names[-1])}\\fR{argument}"


def _metavar(argument: Argument) -> str:
    """What is typed as it is stands in bold."""
    parts = argument.metavar.split("|")
    return "|".join(f"\\f{'B' if part in argument.choices else 'I'}{_plain(part)}\\fR" for part in parts)


def _list(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [line for name, about in rows for line in (".TP", f"\\fB{_plain(name)}\\fR", *roff(about))]


def _examples(verb: Verb) -> list[str]:
    return [
        line
        for command, about in verb.examples
        for line in (".TP", f"\\fB{_plain(command)}\\fR", *roff(about))
    ]


def roff(text: str) -> list[str]:
    """A sentence a line, as roff wants it; `x` is bold. A line that begins like a request is none."""
    sentences = re.split(r"(?<=[.;:]) (?=[A-Z])", text)
    lines = [
        line for one in sentences for line in wrap(one, 72, break_long_words=False, break_on_hyphens=False)
    ]
    marked = [re.sub(r"`([^`]+)`", r"\\fB\1\\fR", _plain(line)) for line in lines]
    return [f"\\&{line}" if line.startswith(".") else line for line in marked]


def _plain(text: str) -> str:
    """Backslashes and hyphens as themselves, to be copied from a screen; quotes too."""
    for letter, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(letter, roff)
    return text
