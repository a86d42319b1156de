"""The command line that was given, for who has to give it again as root."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

# where Debian's, Fedora's and RHEL's sudo looks (secure_path in sudoers), whatever PATH is
_SECURE_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def program() -> tuple[str, ...]:
    """What was started, so that sudo finds it too: as it was called, else by its path. In a checkout that is Python's line."""
    if not getattr(sys, "frozen", False):
        return (sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])])
    name = sys.argv[0]
    if "/" in name or any(os.path.exists(f"{directory}/{name}") for directory in _SECURE_PATH):
        return (name,)
    return (sys.executable,)


def line(started: Sequence[str], argv: Sequence[str]) -> str:
    """As a shell takes it."""
    return shlex.join(["sudo", *started, *argv])
