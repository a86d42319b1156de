"""The books of one data directory and scope: its shelves, the scope's index, and the one way to change both.

    pending -> owner, leases -> index marks -> no pending               release: the same way, undoing

`begin` names what is being changed before anything is. A process that dies leaves that behind, and whoever gets the
lock next calls `finish`: it drops the owner and marks each prefix anew by whether its lease is there. That is one
inverse for a killed reserve (nobody was told of its leases), a killed release, and a reserve that failed. So owners,
leases and index agree whenever the lock is free. All of this wants the node's lock held (transaction.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..words.domain import Lease
from ..words.errors import InputOutput
from ..words.inet import Prefix, parse_prefix
from ..words.log import Log
from .directory import STICKY, ScopeDirectory, Shelf
from .holding import DamagedLease, key_name, prefix_of
from .index import DamagedIndex, Index, build
from .node import Node, NodeLock, Pending


class Books:
    """`boot` has what attachments hold now, `sticky` what is kept for pods. Books of one scope may share `indexes`."""

    __slots__ = ("boot", "directory", "indexes", "lock", "log", "node", "sticky")

    def __init__(
        self,
        node: Node,
        lock: NodeLock,
        data_dir: str,
        scope: str,
        log: Log,
        indexes: dict[int, Index] | None = None,
    ) -> None:
        self.node = node
        self.lock = lock
        self.log = log
        self.indexes: dict[int, Index] = {} if indexes is None else indexes
        self.directory = ScopeDirectory(data_dir, scope)
        self.boot = Shelf(self.directory, node.boot_id)
        self.sticky = Shelf(self.directory, STICKY)

    def close(self) -> None:
        for index in self.indexes.values():
            index.close()
        self.indexes.clear()

    def of_scope(self) -> Iterator[Books]:
        """Those of every data directory that has leases of this scope; a broken one costs only itself."""
        for data_dir, scope in self.node.dirs():
            if scope == self.directory.scope:
                try:
                    yield Books(self.node, self.lock, data_dir, scope, self.log, self.indexes)
                except InputOutput as error:
                    self.log.error("data directory left out", directory=data_dir, reason=error)

    # the index -----------------------------------------------------------------------------------

    def conflict(self, prefix: Prefix) -> bool:
        """Whether a lease contains, equals or lies in the prefix."""
        try:
            return self._index(prefix.version).conflict(prefix)
        except DamagedIndex as error:
            return self.rebuild(prefix.version, error).conflict(prefix)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        """The lowest free aligned subnet of that length at or above `start`."""
        try:
            return self._index(within.version).first_free(within, length, start)
        except DamagedIndex as error:
            return self.rebuild(within.version, error).first_free(within, length, start)

    def mark(self, names: list[str]) -> None:
        """Make the index say of each name what the files say."""
        for name in names:
            try:
                prefix = parse_prefix(name.replace("_", "/"))  # prefix_of, but the name is known to be one
                self._index(prefix.version).mark(prefix, self.boot.has(name) or self.sticky.has(name))
            except ValueError:
                continue
            except DamagedIndex as error:
                self.rebuild(prefix.version, error)  # from the files, so what was to be marked is in it

    def _index(self, version: int) -> Index:
        index = self.indexes.get(version)
        if index is None:
            index = self.indexes[version] = self.node.index(self.directory.scope, version)
        return index

    def rebuild(self, version: int, why: object) -> Index:
        """The index anew, from the names of all lease files of the scope on this node."""
        scope = self.directory.scope
        self.log.info("index built anew", scope=scope, family=f"IPv{version}", reason=why)
        old = self.indexes.pop(version, None)
        if old is not None:
            old.close()
        index = self.indexes[version] = self.node.put_index(scope, build(version, self._claims()))
        return index

    def _claims(self) -> Iterator[Prefix]:
        """The prefixes of all leases of the scope on this node, by file name alone."""
        for data_dir, scope in self.node.dirs():
            directory = ScopeDirectory(data_dir, scope)
            for name in (self.node.boot_id, STICKY) if scope == self.directory.scope else ():
                yield from self._claims_of(Shelf(directory, name, strict=False))

    def _claims_of(self, shelf: Shelf) -> Iterator[Prefix]:
        for name in shelf.names():
            prefix = prefix_of(name)
            if prefix is None:
                self.log.error("foreign file among the leases", file=f"{shelf.leases}/{name}")
            else:
                yield prefix

    # change --------------------------------------------------------------------------------------

    def begin(self, owner: str, key: str, names: list[str]) -> None:
        """Before the first change to this owner, this sticky key, and these leases."""
        self.lock.set_pending(Pending(self.directory.data_dir, self.directory.scope, owner, key, names))

    def finish(self, owner: str, key: str, names: list[str]) -> None:
        """The one inverse, idempotent: the owner's leases go, then the index says what the files say."""
        try:
            if owner:
                self.boot.drop(owner, names)
            if key:
                self._drop_part(key, names)
        finally:  # where the files could not go, the index keeps saying so, and the owner's DEL tries again
            self.mark(names)
            self.lock.clear_pending()

    def _drop_part(self, key: str, names: list[str]) -> None:
        """What is kept for a pod is kept whole or not at all."""
        kept = self.sticky.holding(key)
        if kept is not None and not self.sticky.is_whole(key, kept):
            self.sticky.drop(key, names)

    def release(self, owner: str) -> list[Lease]:
        """What the owner held; its sticky leases stay, kept for its pod."""
        try:
            holding = self.boot.holding(owner)
        except DamagedLease as error:
            self.set_aside(self.boot, owner, error)
            return []
        if holding is None:
            return []
        names = self._there(self.boot, holding.names)
        self.begin(owner, "", names)
        self.finish(owner, "", names)
        if holding.leases[0].sticky:
            self.sticky.touch(key_name(holding.leases[0].sticky))
        return holding.leases

    def _there(self, shelf: Shelf, names: list[str]) -> list[str]:
        """Without those whose lease is not there: that subnet may be another directory's by now, and only the files of
        all of them know. A change that could not be finished (transaction.py) leaves such an owner.
        """
        there = [name for name in names if shelf.has(name)]
        if len(there) < len(names):
            self.close()
            self.node.drop_index(self.directory.scope)
        return there

    def set_aside(self, shelf: Shelf, owner: str, why: DamagedLease, names: list[str] | None = None) -> None:
        """A damaged file is named and kept, and loses nobody else: only the leases that are its own are free."""
        self.log.error("damaged lease file set aside", file=f"{shelf.owners}/{owner}", reason=why)
        names = names or shelf.names_of_damaged(owner)
        self.begin("", "", names)
        try:
            shelf.set_aside(owner, names)
        finally:
            self.finish("", "", names)

    # sticky leases that wait for their pod -------------------------------------------------------

    def waiting(self, pools: list[Prefix]) -> Iterator[tuple[int, str]]:
        """(when it was last used, name) of those in the pools that no attachment has now."""
        for name in self.sticky.names():
            prefix = prefix_of(name)
            if prefix and any(pool.overlaps(prefix) for pool in pools) and not self.boot.has(name):
                yield self.sticky.used_at(name), name

    def reclaim(self, name: str) -> None:
        """Forget a lease that waits, and with it the others of its pod."""
        self.log.info("sticky lease reclaimed", lease=name, directory=self.directory.path)
        try:
            kept = self.sticky.holder(name)
        except DamagedLease as error:
            self.set_aside(self.sticky, self.sticky.owner_of(name), error, [name])
            return
        if kept is not None:
            self.forget(key_name(kept.leases[0].sticky), kept.names)

    def forget(self, key: str, names: list[str]) -> None:
        names = self._there(self.sticky, names)
        self.begin("", key, names)
        self.sticky.drop(key, names)
        self.finish("", key, names)
