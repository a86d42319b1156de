"""What `sriovctl validate` has to say, one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..words.errors import CniError


@dataclass(slots=True)
class Finding:
    """`severity`: error, warning, note. `path` like plugins[0].ipam.pools[1].subnet, `value` as JSON, `rule` = what it
    must be. `document`: which one of a file or a directory with several, else "". `line` and `column` in `file`, from 1 on;
    0 = of the file as a whole, which cannot be read, or of a directory.
    """

    severity: str
    path: str
    value: str
    rule: str
    document: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "document": self.document,
            "path": self.path,
            "value": self.value,
            "rule": self.rule,
            "file": self.file,
            "line": self.line or None,
            "column": self.column or None,
        }


def error(path: str, value: str, rule: str) -> Finding:
    return Finding("error", path, value, rule)


def refused(who: str, failed: CniError, path: str = "") -> Finding:
    """What a run of that would end with."""
    hint = f"; {failed.details}" if failed.details else ""
    return error(path, "", f"{who} would say: {failed.msg} (code {failed.code}){hint}")


def warning(path: str, rule: str) -> Finding:
    return Finding("warning", path, "", rule)


def note(path: str, rule: str) -> Finding:
    return Finding("note", path, "", rule)
