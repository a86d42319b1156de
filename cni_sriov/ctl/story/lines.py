"""A line of the log, as words/log.py writes it, to words. sriov-cni's lines are of the same form.

What is in a file is anybody's: a line that is not of the form, to its end, is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

_PAIR = re.compile(r'(?P<key>[A-Za-z_][\w.-]*)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]*))(?: +|$)')
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}
_HEAD = ("time", "level", "verb", "containerID", "ifname", "traceparent", "msg")


@dataclass(slots=True)
class Line:
    """`time` in UTC, to the second. `verb`, `container_id` and `ifname` are the call's that wrote it, "" if it tells none;
    `fields` is what it has beyond.
    """

    time: datetime
    level: str
    verb: str
    container_id: str
    ifname: str
    message: str
    fields: dict[str, str] = field(default_factory=dict)

    def is_of(self, container_id: str, ifname: str) -> bool:
        """Whether it is of that attachment's own call, or another call's about it."""
        is_own = (self.container_id, self.ifname) == (container_id, ifname)
        return is_own or self.fields.get("attachment") == f"{container_id}/{ifname}"


def parse(text: str) -> Line | None:
    """None for what is no such line."""
    words: dict[str, str] = {}
    end = 0
    while found := _PAIR.match(text, end):
        quoted = found["quoted"]
        words.setdefault(
            found["key"], found["bare"] or "" if quoted is None else _ESCAPE.sub(_unescape, quoted)
        )
        end = found.end()
    when = _time(words.get("time", ""))
    if end != len(text) or when is None or "msg" not in words:
        return None
    beyond = {key: value for key, value in words.items() if key not in _HEAD}
    level, verb, container_id, ifname = (words.get(key, "") for key in _HEAD[1:5])
    return Line(when, level, verb, container_id, ifname, words["msg"], beyond)


def _time(text: str) -> datetime | None:
    """None too for one without a time zone: it could be anybody's."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC).replace(microsecond=0) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _unescape(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits:
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else found[0]
    return _LETTERS.get(found[4], found[4])
