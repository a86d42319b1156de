"""Completion for fish."""

from __future__ import annotations

from tree import Option, Tool, common
from values import DRIVERS, kinds

_HEAD = r"""# fish completion for sriovctl. Written by build/manuals: do not edit.

function __sriovctl_at --argument-names verb number # whether argument NUMBER of VERB is to be completed
    set -l words (commandline -opc)[2..-1]
    set -l left
    set -l takes ''
    for word in $words
        if test -n "$takes"
            set takes ''
        else if string match -q -- '-*' $word
            contains -- $word OPTIONS; and set takes yes
        else
            set left $left $word
        end
    end
    if test -z "$verb"
        test -z "$takes"; and test (count $left) -eq 0
    else
        test (count $left) -gt 0; and test "$left[1]" = "$verb"; or return 1
        test -z "$number"; and return 0
        test -z "$takes"; and test (count $left) -eq (math $number + 1)
    end
end

function __sriovctl_pf # a PCI device that can have VFs, and its interfaces
    for path in /sys/bus/pci/devices/*/sriov_totalvfs
        set -l device (string replace -r '/[^/]*$' '' $path)
        string replace -r '.*/' '' $device
        for name in $device/net/*
            string replace -r '.*/' '' $name
        end
    end
end

function __sriovctl_vf
    for path in /sys/bus/pci/devices/*/physfn
        string replace -r '.*/([^/]*)/physfn$' '$1' $path
    end
end

function __sriovctl_container
    for path in /run/cni-sriov/locks/*@*
        string replace -r '.*/([^/@]*)@[^/]*$' '$1' $path
    end
end

complete -c sriovctl -f
"""

_SOURCES = {
    "pf": "(__sriovctl_pf)",
    "vf": "(__sriovctl_vf)",
    "container": "(__sriovctl_container)",
    "driver": " ".join(DRIVERS),
    "directory": "(__fish_complete_directories)",
}


def completion(tool: Tool) -> str:
    lines = [_option(option, "" if option in common(tool) else "__sriovctl_at ''") for option in tool.options]
    for verb in tool.verbs:
        lines.append(f"complete -c sriovctl -n \"__sriovctl_at ''\" -a {verb.name} -d {_quoted(verb.about)}")
        lines += [
            _option(option, f"__sriovctl_at {verb.name}")
            for option in verb.options
            if not any(set(option.names) & set(one.names) for one in common(tool))
        ]
        for n, argument in enumerate(verb.arguments):
            source = _source(argument.kind)
            if source:
                lines.append(f'complete -c sriovctl -n "__sriovctl_at {verb.name} {n}" {source}')
    options = [*tool.options, *(option for verb in tool.verbs for option in verb.options)]
    taking = dict.fromkeys(name for option in options if option.metavar for name in option.names)
    return _HEAD.replace("OPTIONS", " ".join(taking)) + "\n" + "\n".join(lines) + "\n"


def _option(option: Option, condition: str) -> str:
    parts = ["complete -c sriovctl"]
    parts += [f'-n "{condition}"'] if condition else []
    parts += [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    parts += [f"-d {_quoted(option.about)}"]
    if option.metavar:
        source = _source(option.kind)
        parts += ["-r" if source == "-F" else "-x", source]  # a file, or nothing but what is proposed
    return " ".join(filter(None, parts))


def _source(kind: str) -> str:
    found = [kind.removeprefix("choice:")] if kind.startswith("choice:") else kinds(kind)
    if "file" in found:
        return "-F"
    return f"-a {_quoted(' '.join(_SOURCES.get(one, one) for one in found))}" if found else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
