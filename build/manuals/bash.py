"""Completion for bash, without the package bash-completion, which may not be there."""

from __future__ import annotations

from tree import Option, Tool, common
from values import DRIVERS, kinds

_HEAD = r"""# bash completion for sriovctl. Written by build/manuals: do not edit.

_sriovctl_values() { # what there is of that kind on this node; a glob that matches nothing is nothing
    local kind path name
    for kind in $1; do
        case $kind in
            pf)
                for path in /sys/bus/pci/devices/*/sriov_totalvfs; do
                    [[ -e $path ]] || continue
                    path=${path%/*}
                    printf '%s\n' "${path##*/}"
                    for name in "$path"/net/*; do [[ -e $name ]] && printf '%s\n' "${name##*/}"; done
                done ;;
            vf)
                for path in /sys/bus/pci/devices/*/physfn; do
                    [[ -e $path ]] || continue
                    path=${path%/*}
                    printf '%s\n' "${path##*/}"
                done ;;
            container)
                for path in /run/cni-sriov/locks/*@*; do
                    [[ -e $path ]] || continue
                    path=${path##*/}
                    printf '%s\n' "${path%%@*}" # an interface's name may have one, too
                done ;;
            driver) printf '%s\n' DRIVERS ;;
            choice:*) printf '%s\n' "${kind#choice:}" ;;
            -) ;;
            *) printf '%s\n' "$kind" ;; # the other choices
        esac
    done
}
"""

_TAIL = r"""
_sriovctl() {
    # readline splits words at the colons of PCI addresses: the line is split here, at blanks alone
    local line=${COMP_LINE:0:COMP_POINT} cur='' verb='' takes='' kind='' n=0 word words
    read -ra words <<<"$line"
    if [[ $line != *[[:blank:]] ]]; then
        cur=${words[-1]}
        unset 'words[-1]'
    fi
    for word in "${words[@]:1}"; do
        if [[ $takes ]]; then
            takes=''
        elif [[ $word == -* ]]; then
            takes=$(_sriovctl_takes "$verb" "$word")
        elif [[ ! $verb ]]; then
            verb=$word
        else
            n=$((n + 1))
        fi
    done
    COMPREPLY=()
    if [[ $takes ]]; then
        kind=$takes
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_sriovctl_options "$verb")" -- "$cur")
        return
    elif [[ ! $verb ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$_sriovctl_verbs" -- "$cur")
        return
    else
        kind=$(_sriovctl_argument "$verb" "$n")
    fi
    case " $kind " in
        *' file '*) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        *' directory '*) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        *) # not `compgen -W`, which runs what stands in a name like $(id)
            while read -r word; do
                if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
            done < <(_sriovctl_values "$kind") ;;
    esac
    if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then # readline replaces what is behind the last colon
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
    fi
}
complete -F _sriovctl sriovctl
"""


def completion(tool: Tool) -> str:
    everywhere = common(tool)
    verbs = f"\n_sriovctl_verbs='{' '.join(verb.name for verb in tool.verbs)}'\n"
    options = _case(
        "_sriovctl_options",
        "$1",
        [
            ("''", _names(tool.options)),
            *((verb.name, _names([*verb.options, *everywhere])) for verb in tool.verbs),
        ],
    )
    takes = _case(
        "_sriovctl_takes",
        '"$1 $2"',
        [
            *(
                ("*' " + name + "'", _kind(option))
                for option in everywhere
                if option.metavar
                for name in option.names
            ),
            *(
                (f"'{verb.name} {name}'", _kind(option))
                for verb in tool.verbs
                for option in verb.options
                if option.metavar
                for name in option.names
            ),
        ],
    )
    arguments = _case(
        "_sriovctl_argument",
        '"$1 $2"',
        [
            (f"'{verb.name} {n}'", " ".join(kinds(argument.kind)) or "-")
            for verb in tool.verbs
            for n, argument in enumerate(verb.arguments)
        ],
    )
    return _HEAD.replace("DRIVERS", " ".join(DRIVERS)) + verbs + options + takes + arguments + _TAIL


def _names(options: list[Option]) -> str:
    return " ".join(dict.fromkeys(name for option in options for name in option.names))


def _kind(option: Option) -> str:
    """Never empty: that it takes an argument must be told where nothing can be proposed, too."""
    return " ".join(kinds(option.kind)) or "-"


def _case(name: str, subject: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"        {pattern}) echo '{text}' ;;" for pattern, text in rows]
    return "\n".join(["", f"{name}() {{", f"    case {subject} in", *lines, "    esac", "}", ""])
