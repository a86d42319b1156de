"""What all pages are made of, by man(7): what every `man` and mandoc reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import wrap

from tree import VERSION

_KINDS = {5: "File Formats Manual", 8: "System Manager\\(aqs Manual"}
OURS = {"sriovctl": 8, "sriov": 8, "host-subnet": 8, "cni-sriov.conf": 5}
FILES = (
    ("/etc/cni/net.d", "the runtimes' configurations"),
    ("/etc/cni-sriov/host.json", "what the VFs of this host are to be, for `sriovctl apply`"),
    ("/etc/cni-sriov/clusters/*.json", "clusters whose nodes share pools"),
    ("/var/lib/cni/sriov", "stateDir: a Record for each attachment"),
    ("/var/lib/cni/host-subnet", "dataDir: the leases"),
    ("/run/cni-sriov", "claims, locks, what each VF was at first; gone with the boot"),
    ("/var/run/cdi", "a CDI specification for each VF that is on a driver for user space"),
    ("/var/log/cni-sriov.log", "the log, where a configuration's logFile says so"),
)


def document(name: str, about: str, sections: dict[str, list[str]], others: str = "") -> str:
    """Its SEE ALSO has our other pages, and `others`."""
    title = plain(name.upper())
    lines = [
        '.\\" Written by build/manuals: do not edit.',
        f'.TH {title} {OURS[name]} "" "cni\\-sriov {plain(VERSION)}" "{_KINDS[OURS[name]]}"',
        ".SH NAME",
        f"{plain(name)} \\- {plain(about)}",
    ]
    for head, inner in sections.items():
        lines += [f".SH {plain(head)}", *inner]
    also = [f"`{other}`({section})" for other, section in OURS.items() if other != name]
    return "\n".join([*lines, ".SH SEE ALSO", *roff(", ".join(filter(None, [*also, others]))), ""])


def listed(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [line for name, about in rows for line in (".TP", f"\\fB{plain(name)}\\fR", *roff(about))]


def literal(text: str) -> list[str]:
    """As it is, line by line."""
    lines = [plain(line) for line in text.rstrip("\n").splitlines()]
    return [".nf", *(f"\\&{line}" if line.startswith(".") else line for line in lines), ".fi"]


def roff(text: str) -> list[str]:
    """A sentence a line, as roff wants it; `x` is bold. A line that begins like a request is none."""
    marked = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", plain(text))
    lines = [
        line
        for one in re.split(r"(?<=[.;:]) (?=[A-Z])", marked)
        for line in wrap(one, 78, break_long_words=False, break_on_hyphens=False)
    ]
    return [f"\\&{line}" if line.startswith(".") else line for line in lines]


def plain(text: str) -> str:
    """Backslashes and hyphens as themselves, to be copied from a screen; quotes too."""
    for letter, roff in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(letter, roff)
    return text
