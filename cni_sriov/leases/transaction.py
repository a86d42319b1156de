"""One change of the leases of a scope in a data directory, while the node's lock is held.

    begin -> owner, leases -> index marks -> end            release: the same way, undoing

`begin` names in the journal what is being changed before anything is. A process that dies leaves that behind, and
whoever gets the lock next calls `finish`: it drops the owner and marks each prefix anew by whether its lease is there.
That is one inverse for a killed reserve (nobody was told of its leases), a killed release, and a reserve that failed.
So owners, leases and index agree whenever the lock is free.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from ..words.domain import Attachment
from ..words.errors import AttachedAlready, CniError, InputOutput, Unreadable
from ..words.inet import name_of, prefix_of
from ..words.lease import Choice, Lease, LeaseDir
from ..words.log import Log
from . import directory
from .directory import Directory
from .holding import Holding, key_name, owner_name
from .journal import Change, Journal
from .node import Node, read_cursor, write_cursor
from .snapshot import Current

Judge = Callable[[Holding], bool]  # whether the holder is dead, by proof


@contextmanager
def begin(node: Node, where: LeaseDir, log: Log, verb: str) -> Iterator[Transaction]:
    """The node's lock from here to the end of the `with`; what a killed process began is finished first."""
    dead: list[str] = []
    try:
        known = node.is_registered(where)
        if not known:
            node.ensure()
        try:
            with node.journal(verb) as journal:
                _finish_what_was_begun(node, journal, log)
                with closing(Transaction(node, journal, where, log)) as transaction:
                    if not (known and transaction.boot.exists):
                        dead = [boot for boot in directory.boots(where) if boot != node.boot_id]
                        transaction.first_use(known, dead)
                    yield transaction
        finally:
            if dead:
                directory.sweep(where)
    except OSError as error:
        raise failed(f"{verb} in {where.path}", error) from error


@contextmanager
def alone(node: Node, log: Log, verb: str) -> Iterator[None]:
    """The node's lock for who looks at all leases and changes none; what a killed process began is finished first."""
    try:
        node.ensure()
        with node.journal(verb) as journal:
            _finish_what_was_begun(node, journal, log)
            yield
    except OSError as error:
        raise failed(verb, error) from error


def _finish_what_was_begun(node: Node, journal: Journal, log: Log) -> None:
    if journal.is_garbled:
        _distrust_indexes(node, journal, log)
    change = journal.pending
    if change is None:
        return
    names = " ".join(change.names)
    log.warning("finishing what a killed process began", owner=change.owner, leases=names)
    try:
        with closing(Transaction(node, journal, change.where, log)) as transaction:
            transaction.finish(change.owner, change.key, change.names)
    except (OSError, CniError) as error:
        # another's broken directory must not stop this one
        log.error("could not finish it", directory=change.where.path, reason=error)
        node.drop_index(change.where.scope)  # it will be built anew from the names of the files
        journal.end()


def _distrust_indexes(node: Node, journal: Journal, log: Log) -> None:
    """What was changed is not told, so each index may be behind. The files are right: what is there is held."""
    log.error("a change in the making cannot be read: the indexes are made anew", file=journal.path)
    for scope in {where.scope for where in node.dirs()}:
        node.drop_index(scope)
    journal.end()


class Transaction(Current):
    """`boot` has what attachments hold now, `sticky` what is kept for pods. Those of one scope's other data directories
    share `indexes`.
    """

    __slots__ = ("_cursors", "_was_wrong", "journal", "kept_lifetime", "where")

    def __init__(self, node: Node, journal: Journal, where: LeaseDir, log: Log) -> None:
        super().__init__(node, where, log)
        self.journal = journal
        self.where = where
        self._cursors: dict[str, int] = {}
        self._was_wrong = False
        self.kept_lifetime = 0  # of `kept`

    def close(self) -> None:
        while self._cursors:
            os.close(self._cursors.popitem()[1])
        super().close()

    def elsewhere(self, where: LeaseDir) -> Transaction:
        """In another data directory of the scope, under the same lock."""
        there = Transaction(self.node, self.journal, where, self.log)
        there.indexes = self.indexes
        return there

    def cursor(self, key: str) -> int | None:
        """The last address of the last automatic lease."""
        fd = self._cursors.get(key)
        if fd is None:
            fd = self._cursors[key] = self.node.open_cursor(self.scope, key)
        return read_cursor(fd)

    def first_use(self, known: bool, dead: list[str]) -> None:
        """Of the directory in this boot, or since somebody removed it or /run/cni-sriov; `dead` are its earlier boots."""
        for boot in dead:  # another boot id is proof of death
            count = directory.drop(self.where, boot)
            self.log.info("leases of an earlier boot dropped", directory=self.where.path, leases=count)
        if not known:
            self._drop_overtaken()
        self.node.register(self.where)
        self.boot.create()  # last: until it is there, this is the first use

    def _drop_overtaken(self) -> None:
        """Sticky leases whose subnet another data directory gave away before this one was first used."""
        for key, kept in self.sticky.holdings():
            names = [] if isinstance(kept, Unreadable) else kept.names
            if any((prefix := prefix_of(name)) and self.conflict(prefix) for name in names):
                self.log.warning("sticky leases dropped: leased meanwhile", leases=" ".join(names))
                self.sticky.drop(key, names)
        self.close()

    # reserve -------------------------------------------------------------------------------------

    def refuse_second(self, attachment: Attachment, is_dead: Judge | None = None) -> None:
        """AttachedAlready unless what stands under the same name is dead; Unreadable if that is not told."""
        owner = owner_name(attachment)
        if not self.boot.has_owner(owner):
            return
        self.boot.holding(owner)
        if not self.is_dead(owner, is_dead):
            raise AttachedAlready(
                f"reserve for {attachment}: it holds leases already",
                "DEL it first; `sriovctl leases` lists them",
            )
        self.release(owner)
        self.log.info("leases of a dead namesake released", attachment=attachment)

    def is_dead(self, owner: str, judge: Judge | None) -> bool:
        """By the judge's proof; whose file cannot be read may be alive."""
        try:
            holding = self.boot.holding(owner)
        except Unreadable as error:
            self.log.error("lease file cannot be read", file=error.path, reason=error.why)
            return False
        return holding is None or (judge is not None and judge(holding))

    def take(self, holding: Holding, choice: Choice, sticky: str = "") -> bool:
        """Make the choice true for `holding`, all of it or nothing. False: the index was wrong; it is right now, so choose
        again.
        """
        holding.leases = choice.leases
        for lease in holding.leases:
            lease.sticky = sticky
        try:
            self._write(holding, sticky, choice.cursors)
        except FileExistsError as error:  # the truth beats the index
            self.log.error("index out of step with the leases", lease=error.filename2 or error.filename)
            if self._was_wrong:
                raise
            self._was_wrong = True
            self.rebuild(self.journal.verb)
            return False
        return True

    def _write(self, holding: Holding, sticky: str, cursors: dict[str, int]) -> None:
        """What is kept for the pod but was not chosen again is forgotten."""
        owner, names = owner_name(holding.attachment), holding.names
        before = [name_of(lease.subnet) for lease in self.kept]
        is_kept = (before, self.kept_lifetime) == (names, holding.lifetime)
        key = key_name(sticky) if sticky and not is_kept else ""
        self._begin(owner, key, sorted({*names, *before}))
        try:
            if key:
                self.sticky.drop(key, before)
                self.sticky.add(key, _unattached(holding))
            self.boot.add(owner, holding)
            self.mark(names, held=True)
            self.mark(before)
            for pool, address in cursors.items():
                write_cursor(self._cursors[pool], address)
            self.journal.end()
        except BaseException:
            if key:
                self.sticky.drop(key, names)
            self.finish(owner, key, names + before)
            raise

    # release -------------------------------------------------------------------------------------

    def release(self, owner: str) -> list[Lease]:
        """What the owner held; its sticky leases stay, kept for its pod. Unreadable, and all stays, if that is not told."""
        holding = self.boot.holding(owner)
        if holding is None:
            return []
        names = self._there(self.boot, holding.names)
        self._begin(owner, "", names)
        self.finish(owner, "", names)
        if holding.leases[0].sticky:
            self.sticky.touch(key_name(holding.leases[0].sticky))
        return holding.leases

    def _there(self, where: Directory, names: list[str]) -> list[str]:
        """Without those whose lease is not there: that subnet may be another directory's by now, and only the files of
        all of them know. A change that could not be finished leaves such an owner.
        """
        there = [name for name in names if where.has(name)]
        if len(there) < len(names):
            super().close()
            self.node.drop_index(self.scope)
        return there

    def give_up(self, where: Directory, owner: str, names: list[str]) -> None:
        """Free what a file that cannot be read has leased, and remove it: the operator's word."""
        self._begin("", "", names)
        try:
            where.forget(owner, names)
        finally:
            self.finish("", "", names)

    def _begin(self, owner: str, key: str, names: list[str]) -> None:
        self.journal.begin(Change(self.where, owner, key, names))

    def finish(self, owner: str, key: str, names: list[str]) -> None:
        """The one inverse, idempotent: the owner's leases go, then the index says what the files say."""
        gone: set[str] = set()
        try:
            if owner:
                gone = self.boot.drop(owner, names)
            if key:
                self._drop_part(key, names)
        finally:  # where the files could not go, the index keeps saying so, and the owner's DEL tries again
            self.mark(names, gone=gone)
            self.journal.end()

    def _drop_part(self, key: str, names: list[str]) -> None:
        """What is kept for a pod is kept whole or not at all."""
        kept = self.sticky.holding(key)
        if kept is not None and not self.sticky.is_whole(key, kept):
            self.sticky.drop(key, names)

    def forget(self, key: str, names: list[str]) -> None:
        """What is kept under that key, whole."""
        names = self._there(self.sticky, names)
        self._begin("", key, names)
        self.sticky.drop(key, names)
        self.finish("", key, names)


def _unattached(holding: Holding) -> Holding:
    """What is kept for the pod: the same leases, nobody's yet."""
    kept = Holding(None, holding.leases, holding.network, "", [], holding.boot_id, holding.created)
    kept.lifetime = holding.lifetime
    return kept


def failed(what: str, error: OSError) -> InputOutput:
    return InputOutput(
        f"{what}: {error.strerror or error}", f"file {error.filename}" if error.filename else ""
    )
