r"""host-local's store (containernetworking/plugins), read under its own lock.

<dir>/<network>/<address> = "<containerID>\r\n<interface>" (before v0.8 "<containerID>"), last_reserved_ip.<range set>,
and `lock`, under whose flock it works (plugins/ipam/host-local/backend/disk/backend.go).
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import NamedTuple

from ..wire import sriovcni
from ..words.domain import Attachment
from ..words.errors import CniError, InputOutput, SubnetConflict, TryAgain
from ..words.inet import parse_address, render_address
from ..words.jsontext import words

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
            self.fd = os.open(
                path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
            )
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


class Unclear(NamedTuple):
    """A file that does not say which interface has its address; `container_id` "" = nor which container."""

    address: str
    file: str
    container_id: str
    why: str


class Files(NamedTuple):
    """Who has which address, what cannot be told, and the last address of each range set."""

    held: dict[str, Attachment]
    unclear: list[Unclear]
    last: list[str]


def read(directory: str) -> Files:
    found = Files({}, [], [])
    for name in sorted(os.listdir(directory), key=_as_written_first):
        path = f"{directory}/{name}"
        if name.startswith("last_reserved_ip."):
            found.last.append(text_of(path).strip())
            continue
        address = _address(name)
        if address in found.held or any(address == other.address for other in found.unclear):
            found.unclear.append(Unclear(address, path, "", f"is another file for {address}"))
        elif address:  # else nothing that host-local made, or its lock
            _sort(found, address, path)
    return found


def _sort(found: Files, address: str, path: str) -> None:
    text = text_of(path)
    who = text.split()
    if len(who) == 2 and sriovcni.is_attachment(*who):
        found.held[address] = Attachment(*who)
    elif len(who) == 1 and sriovcni.is_attachment(who[0], "eth0"):
        why = f"names no interface of {who[0]}, as an old host-local wrote it"
        found.unclear.append(Unclear(address, path, who[0], why))
    else:
        found.unclear.append(Unclear(address, path, "", f"does not say whose it is: {words(text, 80)}"))


def _address(name: str) -> str:
    """As `ip` prints it, "" if the name is none. On Windows host-local writes _ for : (GetEscapedPath)."""
    try:
        return render_address(*parse_address(name.replace("_", ":")))
    except ValueError:
        return ""


def _as_written_first(name: str) -> tuple[bool, str]:
    """host-local writes addresses in their canonical form; another spelling was put there by somebody else."""
    return _address(name) != name, name


def text_of(path: str, largest: int = _LONGEST) -> str:
    """What cannot be read is told in the text: no file of host-local's says the like."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(fd, largest).decode("ascii", "replace")
        finally:
            os.close(fd)
    except OSError as error:
        return f"({error.strerror})"


def refuse(directory: str, problems: list[str], remedy: str) -> CniError:
    return SubnetConflict(
        f"import {directory}: {len(problems)} problem(s); nothing is changed", "\n".join([*problems, remedy])
    )
