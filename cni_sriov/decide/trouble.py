"""What is wrong with a node: what was seen where, what follows from it, what to do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any, Literal

from ..words.shown import one_line

_PLAIN = {chr(code) for code in range(128) if chr(code).isalnum()} | set("/._-+:@,= ")
Severity = Literal[
    "error", "warning", "note"
]  # error: VFs cannot be had, or carry nothing; note: worth knowing


def by_hand(text: str) -> str:
    """A line of a remedy that is no command, whatever stands in it: a process may have a line feed in its name."""
    return f"# {one_line(text)}"


def quoted(text: str) -> str:
    """As a shell takes it, on one line and in letters that can be shown: any byte may be in a file's name."""
    if text.isprintable():
        return shlex.quote(text)
    raw = text.encode("utf-8", "surrogateescape")
    plain = "".join(chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in raw)
    if raw.endswith(
        b"\n"
    ):  # a substitution drops it, and the command would have another file; an older dash finds none
        return f"$'{plain}'"
    return f"\"$(printf '{plain}')\""


@dataclass(slots=True, frozen=True)
class Evidence:
    """`source` is the file or the command, `said` what it said."""

    source: str
    said: str


@dataclass(slots=True)
class Trouble:
    """`rule` is its name for scripts, like pf-down. `subject`: a PF, VF, file, or "" for the node. `why` is one sentence;
    `remedy` is a shell script that can be followed literally, a command a line; what the operator must do by hand stands in
    lines that begin with "# ".
    """

    rule: str
    severity: Severity
    subject: str
    why: str
    remedy: str
    evidence: list[Evidence] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "subject": self.subject,
            "why": self.why,
            "remedy": self.remedy,
            "evidence": [{"source": one.source, "said": one.said} for one in self.evidence],
        }
