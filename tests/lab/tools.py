"""Run the host's tools so that none outlives this process: not after an exception, a signal, or a SIGKILL."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import LabError

PATIENCE_S = 10
# for tools with children of their own: a pid namespace dies with its first process, and that one with us
CONTAINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--fork", "--pid", "--mount-proc", "--kill-child"),
)
SAID = 1200  # characters of a tool's complaint that are worth showing


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool to its end, whatever that is.

    It is told to end when the thread that started it does, so start long ones from the main thread.
    """
    child = subprocess.Popen(
        ("setpriv", "--pdeathsig", "TERM", *argv),
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = child.communicate(stdin)
    except BaseException:
        end(child)
        raise
    return subprocess.CompletedProcess(list(argv), child.returncode, out, err)


def end(child: subprocess.Popen[bytes]) -> None:
    """Ask the tool and all it started to end, then make sure."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE_S)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def must(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
) -> bytes:
    """Run a tool that has to succeed, for what it prints."""
    done = run(argv, env=env, cwd=cwd, stdin=stdin)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LabError(f"{argv[0]} failed", f"{' '.join(map(str, argv))}\n{said[-SAID:]}")
    return done.stdout


def output(*argv: str) -> str:
    """Run a quick tool for its text."""
    return must(argv).decode(errors="replace")
