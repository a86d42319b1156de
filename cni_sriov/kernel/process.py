"""Another plugin, started by the spec's rules: found in CNI_PATH, the same environment, its conf on stdin, its answer on
stdout, its stderr passed through (SPEC 1.1.0, section 4). posix_spawn, because `subprocess` costs 15 ms.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from errno import EACCES, ELOOP, ENAMETOOLONG
from select import POLLERR, POLLHUP, POLLIN, POLLOUT, poll

from ..words.errors import BadConfig, InputOutput, TryAgain
from ..words.gone import is_gone, is_passing
from ..words.jsontext import words

_CHUNK = 1 << 16
ANSWER_LIMIT = (
    1 << 20
)  # bytes; a result has a few hundred. No deadline: dhcp takes its time, and the runtime has one


def find(name: str, path: list[str]) -> str:
    """The executable; BadConfig (7) if the name is no file name, or no directory of CNI_PATH has it."""
    if "/" in name or name in {"", ".", ".."} or "\0" in name:
        raise BadConfig(f"read ipam.type {words(name)}: must be the file name of a plugin")
    for directory in path:
        candidate = f"{directory}/{name}"
        if _is_executable(candidate):
            return candidate
    raise BadConfig(
        f"read ipam.type {words(name)}: no such plugin in CNI_PATH",
        f"CNI_PATH is {':'.join(path) or 'empty'}",
    )


def _is_executable(path: str) -> bool:
    """InputOutput where that cannot be seen."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except ValueError:
        return False  # a NUL, or half a character, which no file's name has
    except OSError as error:
        if is_gone(error) or error.errno in {EACCES, ELOOP, ENAMETOOLONG}:  # CNI_PATH names what it likes
            return False
        raise InputOutput(f"look for a plugin at {path}: {error.strerror}") from error


def clean_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Without what PyInstaller's bootloader put there for this bundle: it would break another bundle, or its libraries."""
    cleaned = {key: value for key, value in env.items() if not key.startswith(("_PYI_", "_MEI"))}
    if len(cleaned) == len(env):  # no bootloader: the snapshot has none
        return cleaned
    original = cleaned.pop("LD_LIBRARY_PATH_ORIG", None)
    cleaned.pop("LD_LIBRARY_PATH", None)
    if original is not None:
        cleaned["LD_LIBRARY_PATH"] = original
    return cleaned


def run(executable: str, env: dict[str, str], stdin: str, arguments: Sequence[str] = ()) -> tuple[int, str]:
    """(exit status, stdout). InputOutput (5) if its answer has no end.

    The child has no other descriptors of ours but the attachment's lock, which it holds as long as it lives
    (state/lock.py): where we are killed, nobody takes the attachment from under it.
    """
    child_in, our_in = os.pipe()
    our_out, child_out = os.pipe()
    try:
        actions = [
            (os.POSIX_SPAWN_DUP2, child_in, 0),
            (os.POSIX_SPAWN_DUP2, child_out, 1),
        ]
        # stop signals reach it as they would without us; ours may be blocked or ignored
        pid = os.posix_spawn(
            executable,
            [executable, *arguments],
            env,
            file_actions=actions,
            setsigmask=(),
            setsigdef=(2, 13, 15),
        )
    except OSError as error:
        os.close(our_in)
        os.close(our_out)
        kind = TryAgain if is_passing(error) else InputOutput
        raise kind(f"start {executable}: {error.strerror}") from error
    finally:
        os.close(child_in)
        os.close(child_out)
    try:
        answer = _exchange(executable, our_in, our_out, stdin.encode("utf-8", "surrogateescape"))
    except BaseException:
        os.kill(pid, 15)  # SIGTERM: we are being stopped; the caller runs its DEL
        raise
    finally:
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), answer.decode("utf-8", "replace")


def _exchange(executable: str, our_in: int, our_out: int, data: bytes) -> bytes:
    """Write and read at once: a conf may be longer than a pipe holds, and so may an answer."""
    os.set_blocking(our_in, False)
    poller = poll()
    answer = bytearray()
    poller.register(our_in, POLLOUT)
    poller.register(our_out, POLLIN)
    writing = True
    try:
        while True:
            for fd, events in poller.poll():
                if fd == our_in:
                    data = _write_some(our_in, data) if not events & POLLERR else b""
                    if not data:
                        poller.unregister(our_in)
                        os.close(our_in)
                        writing = False
                elif events & (POLLIN | POLLHUP) and not _read_some(executable, our_out, answer):
                    return bytes(answer)
    finally:
        os.close(our_out)
        if writing:
            os.close(our_in)


def _read_some(executable: str, our_out: int, answer: bytearray) -> bool:
    """False at its end. InputOutput where that does not come."""
    chunk = os.read(our_out, _CHUNK)
    answer += chunk
    if len(answer) > ANSWER_LIMIT:
        raise InputOutput(f"read the answer of {executable}: it is longer than {ANSWER_LIMIT} bytes")
    return bool(chunk)


def _write_some(fd: int, data: bytes) -> bytes:
    """What is left to write; nothing if the reader has gone, which its exit status will explain."""
    try:
        return data[os.write(fd, data[:_CHUNK]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return b""
