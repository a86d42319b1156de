"""Where all output leaves: what stands behind standard output and standard error, and what Ctrl-C does meanwhile.

Without rich, which costs 60 ms: `--json`, `--help` and errors do without.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, NoReturn, TextIO

from ..words.shown import one_line

FAILED, STOPPED, UNREAD = 1, 128 + signal.SIGINT, 128 + signal.SIGPIPE


class Unheard(BaseException):
    """Nobody takes what is written to standard output. Not an Exception: no verb can take it for a failure of what it does."""

    def __init__(self, error: OSError) -> None:
        self.is_pipe = error.errno == errno.EPIPE
        closed = "it is closed" if error.errno == errno.EBADF else error.strerror
        super().__init__(f"write to standard output: {closed}")


class Out(io.FileIO):
    def write(self, data: Any, /) -> Any:
        try:
            return super().write(data)
        except OSError as error:
            raise Unheard(error) from error


class Err(io.FileIO):
    """What nobody hears is lost: progress ends no work."""

    def write(self, data: Any, /) -> Any:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard() -> tuple[TextIO, TextIO]:
    """What is closed leads to nowhere: else the next file that is opened, a lock's, would get what a child has to say."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:  # the lowest free one; to write into standard output fails, as it did
            os.open(os.devnull, os.O_WRONLY if fd == 2 else os.O_RDONLY)
            os.set_inheritable(fd, True)
    # Python has none where it was closed, and a locale's way with bytes that are no text
    sys.stdin = io.TextIOWrapper(
        io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8", errors="surrogateescape"
    )
    out, err = Out(1, "w", closefd=False), Err(2, "w", closefd=False)
    sys.stdout, sys.stderr = text(out, out.isatty()), text(err, True)
    return sys.stdout, sys.stderr


def text(raw: io.FileIO, by_line: bool) -> TextIO:
    """Bytes that are no text are shown as an escape, whatever the locale says."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=by_line
    )


def is_plain(out: IO[str]) -> bool:
    """Whether no escape may be written: https://no-color.org, and a terminal that knows none."""
    return not out.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def say(out: IO[str], text: str, style: str = "") -> None:
    """A line, without rich. `style`: the parameters of an SGR sequence."""
    begin, end = ("", "") if not style or is_plain(out) else (f"\033[{style}m", "\033[0m")
    indent = len(text) - len(text.lstrip(" "))
    out.write(f"{text[:indent]}{begin}{one_line(text[indent:])}{end}\n")


def progress(out: IO[str]) -> Callable[[str], None]:
    """Tells what is done at the moment, in one line that is written anew; "" wipes it. Where that cannot be, nothing."""

    def tell(what: str) -> None:
        out.write(f"\r\033[K{one_line(what)}")
        out.flush()

    return (lambda _: None) if is_plain(out) else tell


def leave(run: Callable[[], int]) -> NoReturn:
    """Exit with what `run` answers, when all that it said has been taken."""
    sys.unraisablehook = _unraisable
    try:
        _when_interrupted(_raise)
        status = _heard(run)
        _when_interrupted(end)
    except KeyboardInterrupt:
        with suppress(Unheard):
            sys.stdout.flush()
        status = _drop(STOPPED)
    sys.exit(status)


def end(_: int = 0, __: object = None) -> NoReturn:
    """At once, without a trace: where there is nothing to take back yet, or any more."""
    os._exit(STOPPED)


def die(text: str) -> NoReturn:
    """At once, from any thread, while another waits for what may never come: nothing is flushed, which might wait as well."""
    with suppress(OSError):  # nobody has to listen
        os.write(2, text.encode())
    os._exit(FAILED)


def _raise(_: int, __: object) -> NoReturn:
    """The first Ctrl-C ends the work, the second one the process: what is begun survives a kill at any moment."""
    _when_interrupted(end)
    raise KeyboardInterrupt


def _when_interrupted(act: Callable[[int, object], NoReturn]) -> None:
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as `nohup` and `sh -c "... &"` have it
        signal.signal(signal.SIGINT, act)


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """A Ctrl-C that came while an object was taken down would be lost."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        end()
    sys.__unraisablehook__(lost)


def _heard(run: Callable[[], int]) -> int:
    """`sriovctl status | head` is no failure to tell of."""
    try:
        status = run()
        sys.stdout.flush()
    except Unheard as lost:
        if lost.is_pipe:
            return _drop(UNREAD)
        sys.stderr.write(f"sriovctl: {lost}\n")
        return _drop(FAILED)
    return status


def _drop(status: int) -> int:
    """What is still to be written at the exit goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status
