"""Completion for zsh: what its `_arguments` wants to be told."""

from __future__ import annotations

from tree import Argument, Option, Tool, Verb, common
from values import DRIVERS, kinds

_HEAD = r"""#compdef sriovctl
# Written by build/manuals: do not edit.

_sriovctl_pf() { # a PCI device that can have VFs, and its interfaces
    local -a found
    local device
    for device in /sys/bus/pci/devices/*/sriov_totalvfs(N:h); do
        found+=(${device:t} $device/net/*(N:t))
    done
    _wanted pf expl 'PF' compadd -a found
}

_sriovctl_vf() {
    local -a found
    found=(/sys/bus/pci/devices/*/physfn(N:h:t))
    _wanted vf expl 'VF' compadd -a found
}

_sriovctl_container() {
    local -a found
    found=(/run/cni-sriov/locks/*@*(N:t))
    found=(${(u)found%%@*})
    _wanted container expl 'container' compadd -a found
}
"""

_TAIL = r"""
_sriovctl "$@"
"""

_ACTIONS = {
    "pf": "_sriovctl_pf",
    "vf": "_sriovctl_vf",
    "container": "_sriovctl_container",
    "driver": f"({' '.join(DRIVERS)})",
    "file": "_files",
    "directory": "_directories",
}


def completion(tool: Tool) -> str:
    verbs = "\n".join(f"        {_quoted(f'{verb.name}:{verb.about}')}" for verb in tool.verbs)
    everywhere = common(tool)
    cases = "\n".join(
        f"                {verb.name}) _arguments -s -S \\\n{_specs(verb, everywhere)} ;;"
        for verb in tool.verbs
    )
    head = " \\\n".join(f"        {_option(option)}" for option in tool.options)
    return f"""{_HEAD}
_sriovctl() {{
    local context state state_descr line expl
    typeset -A opt_args
    local -a verbs
    verbs=(
{verbs}
    )
    _arguments -C -s -S \\
{head} \\
        '1:command:->verb' '*::argument:->argument'
    case $state in
        verb) _describe -t commands command verbs ;;
        argument)
            curcontext="${{curcontext%:*:*}}:sriovctl-$line[1]:"
            case $line[1] in
{cases}
            esac ;;
    esac
}}
{_TAIL}"""


def _specs(verb: Verb, everywhere: list[Option]) -> str:
    names = {name for option in verb.options for name in option.names}
    options = [*verb.options, *(option for option in everywhere if not names & set(option.names))]
    specs = [_option(option) for option in options]
    specs += [_argument(n, one) for n, one in enumerate(verb.arguments, start=1)]
    return " \\\n".join(f"                    {spec}" for spec in specs)


def _option(option: Option) -> str:
    about = _escaped(option.about, "[]:")
    argument = f":{_escaped(option.metavar, ':')}:{_action(option.kind)}" if option.metavar else ""
    exclusive = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
    # zsh expands the braces to one word for each name
    names = "{" + ",".join(option.names) + "}" if len(option.names) > 1 else ""
    if names:
        return f"{_quoted(exclusive)}{names}{_quoted(f'[{about}]{argument}')}"
    return _quoted(f"{option.names[0]}[{about}]{argument}")


def _argument(number: int, argument: Argument) -> str:
    colon = "::" if argument.is_optional else ":"
    return _quoted(f"{number}{colon}{_escaped(argument.metavar, ':')}:{_action(argument.kind)}")


def _action(kind: str) -> str:
    found = kinds(kind)
    if kind.startswith("choice:"):
        return f"({kind.removeprefix('choice:')})"
    actions = [_ACTIONS[one] for one in found]
    if len(actions) > 1:  # alternatives, each a function
        rows = " ".join(f'"{one}:{one}:{action}"' for one, action in zip(found, actions, strict=True))
        return f"_alternative {rows}"
    return "".join(actions) or " "


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{letter}" if letter in special else letter for letter in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
