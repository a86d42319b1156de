r"""host-local's store (containernetworking/plugins), read under its own lock.

<dir>/<network>/<address> = "<containerID>\r\n<interface>", last_reserved_ip.<range set>, and `lock`, under whose flock it
works.
"""

from __future__ import annotations

import fcntl
import os
import time

from .. import sriov_cni
from ..domain import Attachment
from ..errors import CniError, InputOutput, SubnetConflict, TryAgain
from ..inet import parse_address, render_address

_LOCK_WAIT_S = 30.0
_LONGEST = 1 << 12


class Locked:
    """Under host-local's own lock: none of its ADDs and DELs runs meanwhile."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.fd = -1

    def __enter__(self) -> None:
        path = f"{self.directory}/lock"
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputOutput(f"lock {path}: {error.strerror}", _there_is(self.directory)) from error
        deadline = time.monotonic() + _LOCK_WAIT_S
        while not _try_flock(self.fd):
            if time.monotonic() > deadline:
                self.__exit__()
                raise TryAgain(f"lock {path}: held for more than {_LOCK_WAIT_S:g} s by a host-local")
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _there_is(directory: str) -> str:
    store = os.path.dirname(directory)
    try:
        return (
            f"networks in {store}: {', '.join(sorted(os.listdir(store))) or 'none'}; name one with --network"
        )
    except OSError:
        return "host-local's dataDir is given by --store"


Held = dict[str, Attachment]  # address -> who has it


def read(directory: str) -> tuple[Held, list[str]]:
    """(all addresses, the last one of each range set); SubnetConflict (104) lists every file that cannot be understood."""
    held, last, bad = Held(), [], []
    for name in sorted(os.listdir(directory)):
        if name.startswith("last_reserved_ip."):
            last.append(_text(f"{directory}/{name}").strip())
        elif name != "lock":
            try:
                address = render_address(*parse_address(name))
            except ValueError:
                continue  # nothing that host-local made
            text = _text(f"{directory}/{name}")
            lines = text.split()
            if len(lines) == 2 and sriov_cni.is_attachment(*lines):
                held[address] = Attachment(*lines)
            else:
                bad.append(f"{directory}/{name} does not say whose it is: {text[:80]!r}")
    if bad:
        raise refuse(directory, bad, "remove what is of no running container, and try again")
    return held, last


def _text(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(fd, _LONGEST).decode("ascii", "replace")
        finally:
            os.close(fd)
    except OSError as error:
        return f"({error.strerror})"


def refuse(directory: str, problems: list[str], remedy: str) -> CniError:
    return SubnetConflict(
        f"import {directory}: {len(problems)} problem(s); nothing is changed", "\n".join([*problems, remedy])
    )
