"""The node's lock, from `with` to its end, and what a reserve decides while it is held.

Whoever gets the lock first finishes what a killed process began; then the books (journal.py) are in order.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol, Self

from ..words.domain import Attachment, Lease
from ..words.errors import AttachedAlready, CniError, InputOutput, PoolExhausted
from ..words.inet import Prefix
from ..words.log import Log
from .directory import STICKY
from .holding import DamagedLease, Holding, key_name, name_of, owner_name, prefix_of
from .journal import Books
from .node import Node, read_cursor, write_cursor


class Choice(Protocol):
    """What `choose` answers: the leases to take, and where next-fit goes on."""

    @property
    def leases(self) -> list[Lease]: ...

    @property
    def cursors(self) -> dict[str, int]: ...


Chooser = Callable[["Session"], Choice]
Judge = Callable[[Holding], bool]


class HeldByAnother(Exception):
    """An attachment that may be alive has what is kept for a pod."""

    def __init__(self, holding: Holding) -> None:
        super().__init__(str(holding.attachment))
        self.holding = holding


class Session:
    """What `choose` may ask of it is in subnets.View: `conflict`, `first_free`, `cursor`, `kept`."""

    __slots__ = (
        "_cursors",
        "_lock",
        "_place",
        "_sweep",
        "_verb",
        "books",
        "conflict",
        "first_free",
        "kept",
        "log",
        "node",
    )

    def __init__(self, node: Node, data_dir: str, scope: str, log: Log, verb: str) -> None:
        self.node = node
        self.log = log
        self.kept: list[Lease] = []
        self._place = data_dir, scope
        self._verb = verb
        self._lock = node.lock(verb)
        self._cursors: dict[str, int] = {}
        self._sweep = False

    def __enter__(self) -> Self:
        try:
            known = self.node.is_registered(*self._place)
            if not known:
                self.node.ensure()
            self._lock.acquire()
            self._finish_what_was_begun()
            self.books = Books(self.node, self._lock, *self._place, self.log)
            self.conflict, self.first_free = self.books.conflict, self.books.first_free
            if not (known and self.books.boot.exists):
                self._first_use(known)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: object) -> None:
        for fd in self._cursors.values():
            os.close(fd)
        if hasattr(self, "books"):
            self.books.close()
        self._lock.release()
        if self._sweep:
            self.books.directory.sweep()
        if isinstance(error, OSError):
            raise failed(f"{self._verb} in {'/'.join(self._place)}", error) from error

    def _finish_what_was_begun(self) -> None:
        change = self._lock.pending
        if change is None:
            return
        names = " ".join(change.names)
        self.log.warning("finishing what a killed process began", owner=change.owner, leases=names)
        try:
            books = Books(self.node, self._lock, change.data_dir, change.scope, self.log)
            books.finish(change.owner, change.key, change.names)
            books.close()
        except (OSError, CniError, DamagedLease) as error:
            # another's broken directory must not stop this one
            self.log.error("could not finish it", directory=f"{change.data_dir}/{change.scope}", reason=error)
            self.node.drop_index(change.scope)  # it will be built anew from the names of the files
            self._lock.clear_pending()

    def _first_use(self, known: bool) -> None:
        """Of this directory in this boot, or since somebody removed it or /run/cni-sriov."""
        directory = self.books.directory
        for shelf in directory.shelves():
            if shelf not in {self.node.boot_id, STICKY}:  # another boot id is proof of death
                self._sweep = True
                count = directory.drop(shelf)
                self.log.info("leases of an earlier boot dropped", directory=directory.path, leases=count)
        if not known:
            self._drop_overtaken()
        self.node.register(*self._place)
        self.books.boot.create()  # last: until it is there, this is the first use

    def _drop_overtaken(self) -> None:
        """Sticky leases whose subnet another data directory gave away before this one was first used."""
        for key, kept in self.books.sticky.holdings():
            names = [] if isinstance(kept, DamagedLease) else kept.names
            if any((prefix := prefix_of(name)) and self.conflict(prefix) for name in names):
                self.log.warning("sticky leases dropped: leased meanwhile", leases=" ".join(names))
                self.books.sticky.drop(key, names)
        self.books.close()

    def cursor(self, key: str) -> int | None:
        """The last address of the last automatic lease."""
        fd = self._cursors.get(key)
        if fd is None:
            fd = self._cursors[key] = self.node.open_cursor(self._place[1], key)
        return read_cursor(fd)

    # reserve -------------------------------------------------------------------------------------

    def is_dead(self, owner: str, judge: Judge | None) -> bool:
        """By the judge's proof; a damaged lease may be alive."""
        try:
            holding = self.books.boot.holding(owner)
        except DamagedLease as error:
            self.log.error("damaged lease file", file=f"{self.books.boot.owners}/{owner}", reason=error)
            return False
        return holding is None or (judge is not None and judge(holding))

    def refuse_second(self, attachment: Attachment, judge: Judge | None) -> None:
        """AttachedAlready unless what stands under the same name is dead."""
        owner = owner_name(attachment)
        if not self.books.boot.has_owner(owner):
            return
        if not self.is_dead(owner, judge):
            raise AttachedAlready(
                f"reserve for {attachment}: it holds leases already",
                "DEL it first; `sriovctl leases` lists them",
            )
        self.books.release(owner)
        self.log.info("leases of a dead namesake released", attachment=attachment)

    def find_kept(self, sticky: str, judge: Judge | None, insist: bool = False) -> bool:
        """Fill `kept`; False if the pod's leases are in another attachment's hands: then the new ones are not kept.
        `insist`: HeldByAnother in that case.
        """
        key, shelf = key_name(sticky), self.books.sticky
        try:
            kept = shelf.holding(key)
        except DamagedLease as error:
            self.books.set_aside(shelf, key, error)
            return True
        if kept is None:
            return True
        if kept.leases[0].sticky != sticky:  # another key of the same hash
            return False
        if not all(self._is_free(name, judge, insist) for name in kept.names):
            return False
        if shelf.is_whole(key, kept):
            self.kept = kept.leases
        else:
            self.books.forget(key, kept.names)
        return True

    def _is_free(self, name: str, judge: Judge | None, insist: bool) -> bool:
        """Whether no attachment has that lease now; a dead one gives it back."""
        try:
            held = self.books.boot.holder(name)
        except DamagedLease:
            return False
        if held is None:
            return True
        owner = owner_name(held.attachment)
        if not self.is_dead(owner, judge):
            if insist:
                raise HeldByAnother(held)
            self.log.warning("sticky lease is in use", lease=name, owner=owner)
            return False
        self.books.release(owner)
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

    def rebuild(self) -> None:
        for version in (4, 6):
            self.books.rebuild(version, self._verb)

    def _choose(self, choose: Chooser, pools: list[Prefix]) -> Choice:
        while True:
            try:
                return choose(self)
            except PoolExhausted:
                if not self._reclaim_waiting(pools):
                    raise

    def _reclaim_waiting(self, pools: list[Prefix]) -> bool:
        """Those that wait longest for their pod; a batch, so that a pool full of them is seldom searched."""
        waiting = [(*entry, books) for books in self.books.of_scope() for entry in books.waiting(pools)]
        waiting.sort(key=lambda entry: entry[:2])
        for _, name, books in waiting[: 1 + len(waiting) // 256]:
            books.reclaim(name)
        return bool(waiting)

    def _take(self, holding: Holding, sticky: str, cursors: dict[str, int]) -> None:
        """All of it or nothing. What is kept for the pod but was not chosen again is forgotten."""
        books, owner, names = self.books, owner_name(holding.attachment), holding.names
        before = [name_of(lease.subnet) for lease in self.kept]
        key = key_name(sticky) if sticky and before != names else ""
        books.begin(owner, key, sorted({*names, *before}))
        try:
            if key:
                books.sticky.drop(key, before)
                books.sticky.add(key, _unattached(holding))
            books.boot.add(owner, holding)
            books.mark(names + before)
            for pool, address in cursors.items():
                write_cursor(self._cursors[pool], address)
            self._lock.clear_pending()
        except BaseException:
            if key:
                books.sticky.drop(key, names)
            books.finish(owner, key, names + before)
            raise


def _unattached(holding: Holding) -> Holding:
    """What is kept for the pod: the same leases, nobody's yet."""
    return Holding(None, holding.leases, holding.network, "", [], holding.boot_id, holding.created)


def failed(what: str, error: OSError) -> InputOutput:
    return InputOutput(
        f"{what}: {error.strerror or error}", f"file {error.filename}" if error.filename else ""
    )
