"""Leases of one scope in one data directory: reserve, release, look. Crash-safe (session.py), under one node-global lock.

Policy stays outside: `choose` picks the leases, `is_dead` judges their holders.
"""

from __future__ import annotations

import posix as os

from ..errors import InputOutput, PoolExhausted
from .holding import DamagedLease, Holding, owner_name, prefix_of
from .node import Node
from .session import Session, failed
from .shelf import STICKY, ScopeDirectory, Shelf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..domain import Attachment, Lease
    from ..inet import Prefix
    from ..log import Log
    from .session import Chooser, Judge


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
    ) -> list[Lease]:
        """The leases that `choose` picks of `pools`, kept under the key `sticky` if there is one.

        AttachedAlready while the attachment holds leases, unless `is_dead` of them. When the pools are exhausted,
        sticky leases that wait for their pod go first, oldest first; then leases whose holders are dead.
        """

        def once() -> list[Lease]:
            with self._session(f"reserve for {attachment}") as session:
                session.refuse_second(attachment, is_dead)
                keep = sticky if sticky and session.find_kept(sticky, is_dead) else ""
                holding = Holding(attachment, [], network, netns, netns_id, self.node.boot_id)
                session.reserve(holding, keep, choose, pools)
                return holding.leases

        owner_name(attachment)
        try:
            return once()
        except PoolExhausted:
            if is_dead is None or not self.reclaim(is_dead, pools):
                raise
        return once()

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


def _concerns(holding: Holding, pools: list[Prefix] | None) -> bool:
    prefixes = [prefix_of(name) for name in holding.names]
    return pools is None or any(pool.overlaps(prefix) for pool in pools for prefix in prefixes if prefix)
