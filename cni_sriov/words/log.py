"""One line per event, `key=value`, to stderr or `logFile`. Not `logging`, which costs 16 ms of start-up.

stdout belongs to the one JSON document of the answer; nothing here ever writes to it.
"""

from __future__ import annotations

import os
import re
import time

LEVELS = {
    "debug": 10,
    "info": 20,
    "warning": 30,
    "error": 40,
    "panic": 90,
    "none": 90,
}  # panic is sriov-cni's


class Log:
    """Writes lines at or above `level`. A log that cannot be written never fails a call."""

    __slots__ = ("context", "fd", "level", "path")

    def __init__(self, level: str = "info", path: str = "", context: dict[str, str] | None = None) -> None:
        self.level = LEVELS[level]
        self.context = "".join(f"{key}={_quoted(value)} " for key, value in (context or {}).items() if value)
        self.fd, self.path = 2, path
        if path:
            try:
                # O_NONBLOCK: a FIFO that nobody reads must not hang the runtime
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
                self.fd = os.open(path, flags, 0o600)
            except OSError as error:
                self.warning("log file not writable", path=path, error=error.strerror)

    @property
    def is_kept(self) -> bool:
        """Whether it goes to a file."""
        return self.fd != 2

    @property
    def level_name(self) -> str:
        """The first of those that stand for it."""
        return next(name for name, level in LEVELS.items() if level == self.level)

    @property
    def has_routine(self) -> bool:
        """Whether `routine` writes anything: what it would tell may cost time to put together."""
        return LEVELS[self._routine] >= self.level

    @property
    def _routine(self) -> str:
        return "info" if self.is_kept else "debug"

    def routine(self, event: str, **fields: object) -> None:
        """What a call that goes well does: info in a file, for who asks later (`sriovctl explain`); debug on the standard error,
        which below ctr, cnitool and podman is the terminal of somebody who did not ask.
        """
        self._write(self._routine, event, fields)

    def debug(self, event: str, **fields: object) -> None:
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if LEVELS[level] < self.level:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        words = [f"time={stamp} level={level} {self.context}msg={_quoted(event)}"]
        words += [f"{key}={_quoted(str(value))}" for key, value in fields.items()]
        try:
            os.write(self.fd, (" ".join(words) + "\n").encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # a full disk or a closed stderr must not fail a call


_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")  # of ASCII, without blank, " = and \


def _quoted(text: str) -> str:
    """One line, one token: values come from others and must not forge a second log line."""
    if _PLAIN.fullmatch(text):
        return text
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    escaped = "".join(c if c.isprintable() and c not in '"\\' else repr(c)[1:-1] for c in text)
    return '"' + escaped.replace('"', '\\"') + '"'
