"""The store while its lock is held: where a change is made so that SIGKILL at any instruction costs nothing.

    pending -> owner, leases -> index marks -> no pending               release: the same way, undoing

`pending` names what is being changed before anything is. A process that dies leaves it behind, and whoever gets the
lock next drops that owner and marks each prefix anew by whether its lease is there: one inverse for a killed reserve
(nobody was told of its leases), a killed release, and a reserve that failed. So owners, leases and index agree
whenever the lock is free.
"""

from __future__ import annotations

import os

from ..errors import AttachedAlready, CniError, InputOutput, PoolExhausted
from .holding import DamagedLease, Holding, key_name, name_of, owner_name, prefix_of
from .index import DamagedIndex, Index, build
from .node import Node, Pending, read_cursor, write_cursor
from .shelf import STICKY, ScopeDirectory, Shelf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol, Self

    from ..domain import Attachment, Lease
    from ..inet import Prefix
    from ..log import Log

    class Choice(Protocol):
        """What `choose` answers: the leases to take, and where next-fit goes on."""

        @property
        def leases(self) -> list[Lease]: ...

        @property
        def cursors(self) -> dict[str, int]: ...

    Chooser = Callable[["Session"], Choice]
    Judge = Callable[[Holding], bool]


class Session:
    """Holds the node's lock from `with` to its end. What `choose` asks of it is in subnets.View."""

    __slots__ = (
        "_boot",
        "_cursors",
        "_directory",
        "_indexes",
        "_lock",
        "_node",
        "_sticky",
        "_sweep",
        "_verb",
        "kept",
        "log",
    )

    def __init__(self, node: Node, data_dir: str, scope: str, log: Log, verb: str) -> None:
        self._node = node
        self._directory = ScopeDirectory(data_dir, scope)
        self._verb = verb
        self._lock = node.lock(verb)
        self._indexes: dict[int, Index] = {}
        self._cursors: dict[str, int] = {}
        self._sweep = False
        self.log = log
        self.kept: list[Lease] = []

    def __enter__(self) -> Self:
        try:
            known = self._node.is_registered(self._directory.data_dir, self._directory.scope)
            if not known:
                self._node.ensure()
            self._lock.acquire()
            self._finish_what_was_begun()
            self._open_shelves()
            if not (known and self._boot.exists):
                self._first_use(known)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: object) -> None:
        self._close_indexes()
        for fd in self._cursors.values():
            os.close(fd)
        self._lock.release()
        if self._sweep:
            self._directory.sweep()
        if isinstance(error, OSError):
            raise failed(f"{self._verb} in {self._directory.path}", error) from error

    def _open_shelves(self) -> None:
        self._boot = Shelf(self._directory, self._node.boot_id)
        self._sticky = Shelf(self._directory, STICKY)

    def _close_indexes(self) -> None:
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()

    def _first_use(self, known: bool) -> None:
        """Of this directory in this boot, or since somebody removed it or /run/cni-sriov."""
        for shelf in self._directory.shelves():
            if shelf not in {self._node.boot_id, STICKY}:  # another boot id is proof of death
                count = self._directory.drop(shelf)
                self.log.info(
                    "leases of an earlier boot dropped", directory=self._directory.path, leases=count
                )
                self._sweep = True
        if not known:
            self._drop_overtaken()
        self._node.register(self._directory.data_dir, self._directory.scope)
        self._boot.create()  # last: until it is there, this is the first use

    def _drop_overtaken(self) -> None:
        """Sticky leases whose subnet another data directory gave away before this one was first used."""
        for owner, kept in self._sticky.holdings():
            names = [] if isinstance(kept, DamagedLease) else kept.names
            if any((prefix := prefix_of(name)) and self.conflict(prefix) for name in names):
                self.log.warning("sticky leases dropped: leased meanwhile", leases=" ".join(names))
                self._sticky.drop(owner, names)
        self._close_indexes()

    # what `choose` may ask -----------------------------------------------------------------------

    def conflict(self, prefix: Prefix) -> bool:
        """Whether a lease contains, equals or lies in the prefix."""
        try:
            return self._index(prefix.version).conflict(prefix)
        except DamagedIndex as error:
            return self._rebuilt(prefix.version, error).conflict(prefix)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        """The lowest free aligned subnet of that length at or above `start`."""
        try:
            return self._index(within.version).first_free(within, length, start)
        except DamagedIndex as error:
            return self._rebuilt(within.version, error).first_free(within, length, start)

    def cursor(self, key: str) -> int | None:
        """The last address of the last automatic lease."""
        fd = self._cursors.get(key)
        if fd is None:
            fd = self._cursors[key] = self._node.open_cursor(self._directory.scope, key)
        return read_cursor(fd)

    # the index -----------------------------------------------------------------------------------

    def _index(self, version: int) -> Index:
        index = self._indexes.get(version)
        if index is None:
            index = self._indexes[version] = self._node.index(self._directory.scope, version)
        return index

    def _mark(self, names: list[str]) -> None:
        """Make the index say of each name what the files say."""
        for name in names:
            prefix = prefix_of(name)
            if prefix is None:
                continue
            try:
                self._index(prefix.version).mark(prefix, self._boot.has(name) or self._sticky.has(name))
            except DamagedIndex as error:
                self._rebuilt(prefix.version, error)  # from the files, so what was to be marked is in it

    def _rebuilt(self, version: int, why: object) -> Index:
        scope = self._directory.scope
        self.log.info("index built anew", scope=scope, family=f"IPv{version}", reason=why)
        old = self._indexes.pop(version, None)
        if old is not None:
            old.close()
        index = self._indexes[version] = self._node.put_index(scope, build(version, self._claims()))
        return index

    def rebuild(self) -> None:
        for version in (4, 6):
            self._rebuilt(version, self._verb)

    def _claims(self) -> Iterator[Prefix]:
        """The prefixes of all leases of the scope on this node, by file name alone."""
        for data_dir, scope in self._node.dirs():
            if scope == self._directory.scope:
                yield from self._claims_in(ScopeDirectory(data_dir, scope))

    def _claims_in(self, directory: ScopeDirectory) -> Iterator[Prefix]:
        for shelf in (Shelf(directory, self._node.boot_id), Shelf(directory, STICKY)):
            for name in shelf.names():
                prefix = prefix_of(name)
                if prefix is None:
                    self.log.error(
                        "file with a foreign name among the leases", file=f"{shelf.path}/leases/{name}"
                    )
                else:
                    yield prefix

    # reserve -------------------------------------------------------------------------------------

    def is_dead(self, owner: str, judge: Judge | None) -> bool:
        """By the judge's proof; a damaged lease may be alive."""
        try:
            holding = self._boot.holding(owner)
        except DamagedLease as error:
            self.log.error("damaged lease file", file=f"{self._boot.path}/owners/{owner}", reason=error)
            return False
        return holding is None or (judge is not None and judge(holding))

    def refuse_second(self, attachment: Attachment, judge: Judge | None) -> None:
        """AttachedAlready unless what stands under the same name is dead."""
        owner = owner_name(attachment)
        if not self.is_dead(owner, judge):
            raise AttachedAlready(
                f"reserve for {attachment}: it holds leases already",
                "DEL it first; `sriovctl leases` lists them",
            )
        if self.release(owner):
            self.log.info("leases of a dead namesake released", attachment=attachment)

    def find_kept(self, sticky: str, judge: Judge | None) -> bool:
        """Fill `kept`; False if the pod's leases are in another attachment's hands, so the new ones cannot be kept."""
        key = key_name(sticky)
        try:
            kept = self._sticky.holding(key)
        except DamagedLease as error:
            self._set_aside(self._sticky, key, error)
            return True
        if kept is None:
            return True
        if kept.leases[0].sticky != sticky:  # another key of the same hash
            return False
        for name in kept.names:
            held = self._boot.holder(name)
            owner = owner_name(held.attachment) if held else ""
            if owner and not self.is_dead(owner, judge):
                self.log.warning("sticky lease is in use", lease=name, owner=owner)
                return False
            if owner:
                self.release(owner)
        if self._sticky.is_whole(key, kept):
            self.kept = kept.leases
        else:
            self._forget(key, kept.names)
        return True

    def reserve(self, holding: Holding, sticky: str, choose: Chooser, pools: list[Prefix]) -> None:
        """Fill the holding with what is chosen, and make it true."""
        for again in (True, False):
            choice = self._choose(choose, pools)
            holding.leases = choice.leases
            for lease in holding.leases:
                lease.sticky = sticky
            try:
                self._take(holding, sticky, choice.cursors)
                return
            except FileExistsError as error:  # the truth beats the index
                self.log.error("index out of step with the leases", lease=error.filename2 or error.filename)
                if not again:
                    raise
            self.rebuild()

    def _choose(self, choose: Chooser, pools: list[Prefix]) -> Choice:
        while True:
            try:
                return choose(self)
            except PoolExhausted:
                if not self._reclaim_kept(pools):
                    raise

    def _take(self, holding: Holding, sticky: str, cursors: dict[str, int]) -> None:
        owner, names = owner_name(holding.attachment), holding.names
        before = [name_of(lease.subnet) for lease in self.kept]
        fresh = sticky != "" and before != names
        key = key_name(sticky) if fresh else ""
        self._begin(owner, key, sorted({*names, *before}))
        try:
            if fresh:
                self._sticky.drop(key, before)
                self._sticky.add(key, _unattached(holding))
            self._boot.add(owner, holding)
            self._mark(names + before)
            for pool, address in cursors.items():
                write_cursor(self._cursors[pool], address)
        except BaseException:
            if fresh:
                self._sticky.drop(key, names)
            self._finish(owner, key, names + before)
            raise
        self._node.clear_pending()

    def _reclaim_kept(self, pools: list[Prefix]) -> bool:
        """Forget the leases that wait longest for their pod; a batch, so that a pool full of them is seldom searched."""
        waiting = []
        for session in self._of_scope():
            for name in session.waiting(pools):
                waiting.append((session._sticky.used_at(name), name, session))  # noqa: PERF401 # reads well
        waiting.sort(key=lambda entry: entry[:2])
        for _, name, session in waiting[: 1 + len(waiting) // 256]:
            session.reclaim(name)
        return bool(waiting)

    def waiting(self, pools: list[Prefix]) -> Iterator[str]:
        """The sticky leases of the pools that no attachment has now."""
        for name in self._sticky.names():
            prefix = prefix_of(name)
            if prefix and any(pool.overlaps(prefix) for pool in pools) and not self._boot.has(name):
                yield name

    def reclaim(self, name: str) -> None:
        """Forget a sticky lease, and with it the others of its pod."""
        self.log.info("sticky lease reclaimed", lease=name, directory=self._directory.path)
        try:
            kept = self._sticky.holder(name)
        except DamagedLease as error:
            self._set_aside(self._sticky, self._sticky.owner_of(name), error, [name])
            return
        if kept is not None:
            self._forget(key_name(kept.leases[0].sticky), kept.names)

    def _forget(self, key: str, names: list[str]) -> None:
        self._begin("", key, names)
        self._sticky.drop(key, names)
        self._finish("", key, names)

    def _set_aside(self, shelf: Shelf, owner: str, why: DamagedLease, names: list[str] | None = None) -> None:
        """A damaged file is named and kept, and loses nobody else: only the leases that are its own are free."""
        self.log.error("damaged lease file set aside", file=f"{shelf.owners}/{owner}", reason=why)
        names = names or shelf.names_of_damaged(owner)
        self._begin("", "", names)
        try:
            shelf.set_aside(owner, names)
        finally:
            self._finish("", "", names)

    # release -------------------------------------------------------------------------------------

    def release(self, owner: str) -> list[Lease]:
        try:
            holding = self._boot.holding(owner)
        except DamagedLease as error:
            self._set_aside(self._boot, owner, error)
            return []
        if holding is None:
            return []
        self._begin(owner, "", holding.names)
        self._finish(owner, "", holding.names)
        if holding.leases[0].sticky:
            self._sticky.touch(key_name(holding.leases[0].sticky))
        return holding.leases

    def _begin(self, owner: str, key: str, names: list[str]) -> None:
        self._node.set_pending(Pending(self._directory.data_dir, self._directory.scope, owner, key, names))

    def _finish(self, owner: str, key: str, names: list[str]) -> None:
        """The one inverse, idempotent: the owner's leases go, then the index says what the files say."""
        try:
            if owner:
                self._boot.drop(owner, names)
            if key:
                self._drop_part(key, names)
        finally:  # where the files could not go, the index keeps saying so, and the owner's DEL tries again
            self._mark(names)
            self._node.clear_pending()

    def _drop_part(self, key: str, names: list[str]) -> None:
        """What is kept for a pod is kept whole or not at all."""
        kept = self._sticky.holding(key)
        if kept is not None and not self._sticky.is_whole(key, kept):
            self._sticky.drop(key, names)

    def _finish_what_was_begun(self) -> None:
        """What a killed process was changing is undone, or carried to its end: the same thing for both verbs."""
        change = self._node.pending()
        if change is None:
            return
        self.log.warning(
            "finishing what a killed process began", owner=change.owner, leases=" ".join(change.names)
        )
        other = self._beside(change.data_dir, change.scope)
        try:
            other._open_shelves()
            other._finish(change.owner, change.key, change.names)
        except (
            OSError,
            CniError,
            DamagedLease,
        ) as error:  # another's broken directory must not stop this one
            self.log.error("could not finish it", directory=other._directory.path, reason=error)
        finally:
            other._close_indexes()

    def _beside(self, data_dir: str, scope: str) -> Session:
        """Another directory under the lock that is held here."""
        return Session(self._node, data_dir, scope, self.log, self._verb)

    def _of_scope(self) -> Iterator[Session]:
        """Every directory that has leases of this scope; the index is one."""
        for data_dir, scope in self._node.dirs():
            if scope == self._directory.scope:
                session = self._beside(data_dir, scope)
                session._open_shelves()
                session._indexes = self._indexes
                yield session


def _unattached(holding: Holding) -> Holding:
    """What is kept for the pod: the same leases, nobody's yet."""
    return Holding(None, holding.leases, holding.network, "", [], holding.boot_id, holding.created)


def failed(what: str, error: OSError) -> InputOutput:
    return InputOutput(
        f"{what}: {error.strerror or error}", f"file {error.filename}" if error.filename else ""
    )
