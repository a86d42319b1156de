"""A node in its cluster: who it is to the others, its files, the way to the engine, and what is leased here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...decide.blocks import Draw
from ...ipam import own
from ...kernel.files import Files
from ...leases import transaction
from ...leases.directory import STICKY, Directory
from ...state.blocks import Claimed, ClusterFiles, LostToken
from ...vf.host import Host
from ...words.cluster import Holder
from ...words.errors import TryAgain
from ...words.inet import Prefix, prefix_of
from ...words.lease import LeaseDir
from .engine import Engine

_SALT = b"cni-sriov cluster\0"  # machine-id(5): the ID itself is to be told to nobody


class Clusters(Protocol):
    """The clusters that are configured on this node."""

    def names(self) -> list[str]: ...

    def node(self, name: str) -> str:
        """What the cluster's file calls this node; InputOutput or BadConfig if there is no such file, or it is wrong."""

    def open(self, name: str, deadline: float) -> Engine:
        """`deadline` is of time.monotonic(); errors as of `node`, and EngineRefused."""


def random_below(number: int) -> int:
    """The bias is below 2^-64 where the number has 64 bits."""
    return int.from_bytes(os.urandom(16), "big") % number


@dataclass(slots=True)
class Member:
    """`data_dir`: the default one, where leases may be kept that nobody has used in this boot. `notes`: what happened that an
    operator should hear.
    """

    cluster: str
    host: Host
    files: ClusterFiles
    engine: Engine
    node: str
    machine: str
    data_dir: str
    draw: Draw = random_below
    now: Callable[[], int] = lambda: int(time.time())
    notes: list[str] = field(default_factory=list)
    _fingerprint: str = ""

    @property
    def fingerprint(self) -> str:
        """Of this installation. LostToken if its blocks are another's by their files."""
        if not self._fingerprint:
            self._fingerprint = self._proven()
        return self._fingerprint

    def _proven(self) -> str:
        ours = self.files.fingerprint
        others = {one.fingerprint for one in every_block(self.files).values()} - {"", ours}
        if others:
            raise LostToken(
                f"read {self.files.path}/token: the blocks beside it were claimed by another",
                f"the engine knows this node as {', '.join(sorted(others))}",
            )
        return ours

    def holder(self, since: int) -> Holder:
        return Holder(self.fingerprint, self.node, self.machine, since)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.host.log.error(text, cluster=self.cluster)

    def leases_locked(self, verb: str) -> AbstractContextManager[None]:
        """No ADD leases anything meanwhile."""
        self.host.ledger.open_run_dir()
        return transaction.alone(own.node(self.host), self.host.log, verb)

    def leased(self) -> list[Prefix]:
        """All subnets that anybody has on this node, or that are kept for him, by the names of their files."""
        return leased(self.host, self.data_dir)


def every_block(files: ClusterFiles) -> dict[Prefix, Claimed]:
    """All that this node has anything to do with."""
    return files.lost() | files.releasing() | files.claiming() | files.claimed()


def leased(host: Host, data_dir: str) -> list[Prefix]:
    found = leased_by_scope(host, data_dir).values()
    return list(dict.fromkeys(prefix for prefixes in found for prefix in prefixes))


def leased_by_scope(host: Host, data_dir: str) -> dict[str, list[Prefix]]:
    """InputOutput where a directory cannot be seen: it may be full of leases."""
    node = own.node(host)
    wheres = [*node.dirs(), *(LeaseDir(data_dir, scope) for scope in _scopes(data_dir))]
    found: dict[str, list[Prefix]] = {}
    for where in dict.fromkeys(wheres):
        for name in (node.boot_id, STICKY):
            found.setdefault(where.scope, []).extend(filter(None, map(prefix_of, _names(where, name))))
    return found


def _names(where: LeaseDir, name: str) -> list[str]:
    try:
        return Directory(where, name).names()
    except OSError as error:
        raise transaction.failed(f"list leases in {where.path}", error) from error


def _scopes(data_dir: str) -> list[str]:
    try:
        with os.scandir(data_dir) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise transaction.failed(f"list leases in {data_dir}", error) from error


def inside(block: Prefix, leases: Iterable[Prefix]) -> int:
    """How many leases lie in it, or around it."""
    return sum(block.overlaps(lease) for lease in leases)


def machine_of(files: Files) -> str:
    """What tells this machine from others, "" where it has no ID (machine-id(5))."""
    from hashlib import sha256

    name = files.text("/etc/machine-id") or ""
    if len(name) != 32 or name.strip("0123456789abcdef"):
        return ""
    return sha256(_SALT + name.encode()).hexdigest()


def told_holder(holder: Holder) -> str:
    """Who has it, for a sentence."""
    return f"node {holder.node}" if holder.node else "somebody whose name cannot be read"


def holder_json(holder: Holder) -> dict[str, Any]:
    """As a lost block's file keeps it."""
    return {"fingerprint": holder.fingerprint, "node": holder.node, "since": holder.since}


TRIES = 8  # of a write that loses against another's


class Changing(TryAgain):
    """Somebody writes the same each time that we do."""

    @classmethod
    def of(cls, what: str, cluster: str) -> Changing:
        return cls(
            f"write {what} of cluster {cluster}: another node was quicker each time", "again in a moment"
        )
