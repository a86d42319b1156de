"""Leases of one scope in one data directory: looked at without the lock, changed in a transaction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from ..words.domain import Attachment
from ..words.errors import Unreadable
from ..words.failures import Failures
from ..words.inet import Prefix, prefix_of
from ..words.lease import Lease, LeaseDir
from ..words.log import Log
from .directory import STICKY, Directory
from .holding import Holding, key_name, owner_name
from .node import Node
from .transaction import Judge, Transaction, begin, failed


@dataclass(slots=True)
class Store:
    """Opening it touches nothing."""

    node: Node
    where: LeaseDir
    log: Log

    def transaction(self, verb: str) -> AbstractContextManager[Transaction]:
        """The node's lock, held from `with` to its end; InputOutput for what the disk does not take."""
        return begin(self.node, self.where, self.log, verb)

    def release(self, attachment: Attachment) -> list[Lease]:
        """Give back all leases of the attachment; [] if it has none. Only its own files are touched."""
        owner = owner_name(attachment)
        if not self._has(owner):
            return []
        with self.transaction(f"release for {attachment}") as transaction:
            return transaction.release(owner)

    def release_if(self, attachment: Attachment, is_dead: Judge) -> list[Lease]:
        """Release, if `is_dead` of what the attachment holds now."""
        owner = owner_name(attachment)
        with self.transaction(f"reclaim from {attachment}") as transaction:
            if not transaction.is_dead(owner, is_dead):
                return []
            released = transaction.release(owner)
        if released:
            self.log.info("leases of a dead attachment reclaimed", attachment=attachment)
        return released

    def reclaim(self, is_dead: Judge, pools: list[Prefix]) -> list[Lease]:
        """Release what dead attachments hold of the pools, in every data directory of the scope.

        The search is done without the lock; each one found is looked at again under it.
        """
        released: list[Lease] = []
        failures = Failures(self.log.warning, "reclaim failed")
        for store in everywhere(self.node, self.log, self.where.scope):
            with failures.of(directory=store.where.path):
                for holding in list(store.holdings()):
                    released += store.reclaim_from(holding, is_dead, pools)
        return released

    def reclaim_from(self, holding: Holding, is_dead: Judge, pools: list[Prefix]) -> list[Lease]:
        """The same of one; its trouble is its own."""
        with Failures(self.log.warning, "reclaim failed").of(attachment=holding.attachment):
            if holding.attachment and _concerns(holding, pools) and is_dead(holding):
                return self.release_if(holding.attachment, is_dead)
        return []

    def rebuild(self) -> None:
        """Build the scope's index from the lease files, whatever is there; also what the first use of a directory drops."""
        verb = "rebuild the index"
        with self.transaction(verb) as transaction:
            transaction.rebuild(verb)

    # look, without the lock ------------------------------------------------------------------------

    def has(self, attachment: Attachment) -> bool:
        """Whether anything of the attachment is here, damaged or not."""
        return self._has(owner_name(attachment))

    def _has(self, owner: str) -> bool:
        """A DEL of what is not there makes no directory and waits for no lock."""
        path = f"{self.where.path}/{self.node.boot_id}/owners/{owner}"
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed(f"read {path}", error) from error
        return True

    def find(self, attachment: Attachment) -> Holding | None:
        """What the attachment holds, if all of it is there; Unreadable if its file says nothing that we know."""
        owner = owner_name(attachment)
        with self._reading() as (boot, _):
            holding = boot.holding(owner)
            return holding if holding and boot.is_whole(owner, holding) else None

    def owners(self) -> list[str]:
        """File names of all attachments that hold leases; nothing is read."""
        with self._reading() as (boot, _):
            return boot.owner_names()

    def holdings(self) -> Iterator[Holding]:
        """All of this boot, then the sticky ones that wait for their pod. Unreadable ones are logged."""
        with self._reading() as (boot, sticky):
            for there in (boot, sticky):
                for _, holding in there.holdings():
                    if isinstance(holding, Unreadable):
                        self.log.error("lease file cannot be read", file=holding.path, reason=holding.why)
                    elif there is boot or not any(boot.has(name) for name in holding.names):
                        yield holding

    def kept(self) -> list[Holding]:
        """All that is kept for pods, attached or not."""
        with self._reading() as (_, sticky):
            return [kept for _, kept in sticky.holdings() if isinstance(kept, Holding)]

    def is_over(self, kept: Holding) -> bool:
        """Whether it waits, and has waited for its pod as long as it shall."""
        with self._reading() as (boot, sticky):
            return not any(map(boot.has, kept.names)) and sticky.is_over(kept)

    def forget_kept(self, kept: Holding, only_if_over: bool = False) -> bool:
        """What is kept for that pod, if it is kept still; of an attached one it stays leased until its DEL."""
        key = key_name(kept.leases[0].sticky)
        with self.transaction("forget what is kept for a pod") as transaction:
            found = transaction.sticky.holding(key)
            if found is None or found.leases != kept.leases or (only_if_over and not self.is_over(found)):
                return False
            transaction.forget(key, found.names)
        self.log.info("sticky lease forgotten", leases=" ".join(kept.names), key=kept.leases[0].sticky)
        return True

    def unreadable(self) -> list[Unreadable]:
        """Files of this boot, and of what is kept, that say nothing that we know."""
        with self._reading() as directories:
            found = [holding for there in directories for _, holding in there.holdings()]
        return [error for error in found if isinstance(error, Unreadable)]

    def overlapping(self, prefix: Prefix) -> list[Holding]:
        """What attachments hold, then what is kept for pods; each once. Unreadable ones are left out."""
        with self._reading() as directories:
            return _holders(
                (there, name)
                for there in directories
                for name in there.names()
                if (other := prefix_of(name)) and other.overlaps(prefix)
            )

    def holders_of_kept(self, key: str) -> list[Holding]:
        """The attachments that have now what is kept for a pod. What cannot be read is the transaction's to judge."""
        with self._reading() as (boot, sticky):
            try:
                kept = sticky.holding(key_name(key))
            except Unreadable:
                kept = None
            return _holders((boot, name) for name in (kept.names if kept else ()))

    @contextmanager
    def _reading(self) -> Iterator[tuple[Directory, Directory]]:
        """Of this boot, and the sticky ones."""
        try:
            yield Directory(self.where, self.node.boot_id), Directory(self.where, STICKY)
        except OSError as error:
            raise failed(f"read {self.where.path}", error) from error


def _holders(leases: Iterable[tuple[Directory, str]]) -> list[Holding]:
    """Each once; those whose file cannot be read are left out."""
    found: list[Holding] = []
    seen: set[str] = set()
    for there, name in leases:
        with suppress(Unreadable):
            holding = there.holder(name) if name not in seen else None
            if holding is not None:
                seen.update(holding.names)
                found.append(holding)
    return found


def everywhere(node: Node, log: Log, scope: str | None) -> Iterator[Store]:
    """A Store for each data directory and scope in use on this node."""
    for where in node.dirs():
        if scope in {None, where.scope}:
            yield Store(node, where, log)


def _concerns(holding: Holding, pools: list[Prefix]) -> bool:
    prefixes = [prefix_of(name) for name in holding.names]
    return any(pool.overlaps(prefix) for pool in pools for prefix in prefixes if prefix)
