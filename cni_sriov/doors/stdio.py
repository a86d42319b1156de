"""What a door's process has: its files and signals as they must be, standard input whole, and answers that nobody may hear."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from ..words.errors import CniError, InputOutput

STDIN_LIMIT = 8 << 20

Write = Callable[[int, str], None]


def settle_files() -> None:
    """Whatever the runtime left open or closed: our files are 0600, and none of them becomes descriptor 0, 1 or 2, where
    the answer and the log would be written into it.
    """
    os.umask(0o077)
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/", os.O_RDONLY)  # takes the lowest free one; to read or write it fails, as it did


def settle_signals() -> None:
    """Whatever the runtime left blocked or ignored: a child can be waited for, and an alarm arrives."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))


def read_stdin() -> str:
    """All of it; InputOutput where it cannot be read, or is longer than anybody's configuration."""
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := os.read(0, 1 << 16):
            chunks.append(chunk)
            size += len(chunk)
            if size > STDIN_LIMIT:
                raise _unreadable(f"longer than {STDIN_LIMIT} bytes")
    except IsADirectoryError as error:  # or the stand-in of settle_files
        raise _unreadable("it is closed, or a directory") from error
    except OSError as error:  # for writing only, or a terminal that hung up
        raise _unreadable(error.strerror or "?") from error
    # undecodable bytes become surrogates, which no name, key or value of ours admits
    return b"".join(chunks).decode("utf-8", "surrogateescape")


def _unreadable(why: str) -> CniError:
    return InputOutput(f"read standard input: {why}")


def write_all(fd: int, text: str) -> None:
    """All of it, or OSError."""
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(fd, data) :]


def say(write: Write, fd: int, text: str) -> bool:
    """False if nobody can hear it: a closed or broken pipe, a full disk. The runtime then takes ADD for failed, and DELs."""
    try:
        if text:
            write(fd, text)
    except OSError as error:
        if fd != 2:
            say(write, 2, f"cni-sriov: write the answer: {error.strerror}\n")
        return False
    return True
