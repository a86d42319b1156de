"""Leases of one scope in one data directory: reserve, release, look. Crash-safe (transaction.py), under one node-global lock.

Policy stays outside: `choose` picks the leases, `is_dead` judges their holders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..words.domain import Attachment, Lease
from ..words.errors import CniError, InputOutput, PoolExhausted, SubnetConflict
from ..words.inet import Prefix, parse_prefix
from ..words.log import Log
from .directory import STICKY, ScopeDirectory, Shelf
from .holding import DamagedLease, Holding, owner_name, prefix_of
from .node import Node
from .transaction import Chooser, HeldByAnother, Judge, Session, failed


class Store:
    """The leases of `scope` in `data_dir`. Opening it touches nothing."""

    __slots__ = ("data_dir", "log", "node", "scope")

    def __init__(self, data_dir: str, scope: str, run_dir: str, boot_id: str, log: Log) -> None:
        self.data_dir = data_dir
        self.scope = scope
        self.node = Node(run_dir, boot_id)
        self.log = log

    def reserve(
        self,
        attachment: Attachment,
        network: str,
        netns: str,
        netns_id: list[int],
        choose: Chooser,
        pools: list[Prefix],
        sticky: str = "",
        is_dead: Judge | None = None,
        make_way: Judge | None = None,
        netns_cookie: int = 0,
    ) -> list[Lease]:
        """The leases that `choose` picks of `pools`, kept under the key `sticky` if there is one.

        AttachedAlready while the attachment holds leases, unless `is_dead` of them. When the pools are exhausted,
        sticky leases that wait for their pod go first, oldest first; then leases whose holders are dead. Where a
        subnet that was asked for is held, or what is kept for the pod, its holder alone is judged, and may
        `make_way`: give back more than leases, or be waited for.
        """

        def once(insist: bool) -> list[Lease]:
            with self._session(f"reserve for {attachment}") as session:
                session.refuse_second(attachment, is_dead)
                keep = sticky if sticky and session.find_kept(sticky, is_dead, insist) else ""
                boot_id = self.node.boot_id
                holding = Holding(
                    attachment, [], network, netns, netns_id, boot_id, netns_cookie=netns_cookie
                )
                session.reserve(holding, keep, choose, pools)
                return holding.leases

        owner_name(attachment)
        tried: set[str] = set()
        while True:
            try:
                return once(make_way is not None and HeldByAnother.__name__ not in tried)
            except (HeldByAnother, PoolExhausted, SubnetConflict) as error:
                what = getattr(error, "wanted", "") or type(error).__name__
                helped = what not in tried and self._make_room(error, pools, is_dead, make_way)
                tried.add(what)
                if not helped and not isinstance(error, HeldByAnother):
                    raise self._with_holders(error) from None

    def _make_room(
        self, error: Exception, pools: list[Prefix], is_dead: Judge | None, make_way: Judge | None
    ) -> bool:
        """Whether it is worth another try. No lock is held meanwhile."""
        if isinstance(error, HeldByAnother):
            return make_way is not None and make_way(error.holding)
        if isinstance(error, SubnetConflict):
            if not error.wanted:
                return False
            return all(_free(*held, is_dead, make_way) for held in list(self._in_the_way(error.wanted)))
        return is_dead is not None and bool(self.reclaim(is_dead, pools))

    def _in_the_way(self, wanted: str) -> Iterator[tuple[Store, Holding]]:
        """Whoever holds a lease that overlaps, in any data directory of the scope; without the lock."""
        for store in everywhere(self.node, self.log, self.scope):
            try:
                held = list(store.overlapping(parse_prefix(wanted)))
            except (InputOutput, OSError) as error:
                self.log.error("data directory left out", directory=store.data_dir, reason=error)
                continue
            yield from ((store, holding) for holding in held)

    def overlapping(self, prefix: Prefix) -> Iterator[Holding]:
        """What attachments hold, then what is kept for pods; each once. Damaged ones are left out."""
        directory = ScopeDirectory(self.data_dir, self.scope)
        seen: set[str] = set()
        for shelf in (Shelf(directory, self.node.boot_id), Shelf(directory, STICKY)):
            for name in shelf.names():
                other = prefix_of(name)
                if other is None or name in seen or not other.overlaps(prefix):
                    continue
                try:
                    holding = shelf.holder(name)
                except DamagedLease:
                    continue
                if holding is not None:
                    seen.update(holding.names)
                    yield holding

    def _with_holders(self, error: PoolExhausted | SubnetConflict) -> CniError:
        wanted = getattr(error, "wanted", "")
        words = [_words(holding) for _, holding in self._in_the_way(wanted)] if wanted else []
        if words:
            error.msg = f"lease {wanted}: {'; '.join(words)}"
            error.details = "ask for another, or DEL that; `sriovctl leases` lists all, `sriovctl gc` takes back what is provably dead"
        return error

    def release(self, attachment: Attachment) -> list[Lease]:
        """Give back all leases of the attachment; [] if it has none. Only its own files are touched."""
        owner = owner_name(attachment)
        if not self._has_owner(owner):
            return []
        with self._session(f"release for {attachment}") as session:
            return session.books.release(owner)

    def release_if(self, attachment: Attachment, is_dead: Judge) -> list[Lease]:
        """Release, if `is_dead` of what the attachment holds now."""
        owner = owner_name(attachment)
        with self._session(f"reclaim from {attachment}") as session:
            if not session.is_dead(owner, is_dead):
                return []
            released = session.books.release(owner)
        if released:
            self.log.info("leases of a dead attachment reclaimed", attachment=attachment)
        return released

    def reclaim(self, is_dead: Judge, pools: list[Prefix] | None = None) -> list[Lease]:
        """Release what dead attachments hold (of `pools` only), in every data directory of the scope.

        The search is done without the lock; each one found is looked at again under it.
        """
        released = []
        for store in everywhere(self.node, self.log, self.scope):
            for holding in list(store.holdings()):
                if holding.attachment and _concerns(holding, pools) and is_dead(holding):
                    released += store.release_if(holding.attachment, is_dead)
        return released

    def has(self, attachment: Attachment) -> bool:
        """Whether anything of the attachment is here, damaged or not."""
        return self._has_owner(owner_name(attachment))

    def find(self, attachment: Attachment) -> Holding | None:
        """What the attachment holds, if all of it is there; without the lock."""
        owner = owner_name(attachment)
        directory = ScopeDirectory(self.data_dir, self.scope)
        try:
            boot = Shelf(directory, self.node.boot_id)
            holding = boot.holding(owner)
            return holding if holding and boot.is_whole(owner, holding) else None
        except DamagedLease as error:
            raise InputOutput(
                f"read {directory.path}/*/owners/{owner}: {error}", "DEL of the attachment sets it aside"
            ) from error
        except OSError as error:
            raise failed(f"read {directory.path}", error) from error

    def lease_of(self, attachment: Attachment) -> list[Lease]:
        holding = self.find(attachment)
        return holding.leases if holding else []

    def holdings(self) -> Iterator[Holding]:
        """All of this boot, then the sticky ones that wait for their pod; without the lock. Damaged ones are logged."""
        directory = ScopeDirectory(self.data_dir, self.scope)
        try:
            boot, sticky = Shelf(directory, self.node.boot_id), Shelf(directory, STICKY)
            for shelf in (boot, sticky):
                for owner, holding in shelf.holdings():
                    if isinstance(holding, DamagedLease):
                        self.log.error(
                            "damaged lease file", file=f"{shelf.path}/owners/{owner}", reason=holding
                        )
                    elif shelf is boot or not any(boot.has(name) for name in holding.names):
                        yield holding
        except OSError as error:
            raise failed(f"read {directory.path}", error) from error

    def rebuild(self) -> None:
        """Build the scope's index from the lease files, whatever is there."""
        with self._session("rebuild the index") as session:
            session.rebuild()

    def _has_owner(self, owner: str) -> bool:
        """A DEL of what is not there makes no directory and waits for no lock."""
        path = f"{self.data_dir}/{self.scope}/{self.node.boot_id}/owners/{owner}"
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed(f"read {path}", error) from error
        return True

    def _session(self, verb: str) -> Session:
        return Session(self.node, self.data_dir, self.scope, self.log, verb)


def everywhere(node: Node, log: Log, scope: str | None = None) -> Iterator[Store]:
    """A Store for each data directory and scope in use on this node."""
    run_dir = node.path.rpartition("/")[0]
    for data_dir, name in node.dirs():
        if scope in {None, name}:
            yield Store(data_dir, name, run_dir, node.boot_id, log)


def _free(store: Store, holding: Holding, is_dead: Judge | None, make_way: Judge | None) -> bool:
    """Whether the holder had to give back, and did."""
    if holding.attachment is None:
        return False  # kept for its pod
    if is_dead is not None and is_dead(holding):
        store.release_if(holding.attachment, is_dead)
        return True
    if make_way is None:
        return False
    return make_way(holding) or store.find(holding.attachment) != holding


def _words(holding: Holding) -> str:
    leases = ", ".join(lease.subnet for lease in holding.leases)
    if holding.attachment is None:
        return f"{leases} is kept for {holding.leases[0].sticky} (sticky)"
    return f"{holding.attachment} of network {holding.network} has {leases}"


def _concerns(holding: Holding, pools: list[Prefix] | None) -> bool:
    prefixes = [prefix_of(name) for name in holding.names]
    return pools is None or any(pool.overlaps(prefix) for pool in pools for prefix in prefixes if prefix)
