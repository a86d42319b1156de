"""Leases of one scope in one data directory: reserve, release, look. Under one node-global lock, crash-safe.

    pending -> owner -> (lease file, index mark) per prefix -> no pending          release: the same way, undoing

`pending` names what is being changed before anything is. A process that dies leaves it behind, and whoever gets the
lock next releases that owner and marks each prefix anew by whether its lease file exists: one inverse for a killed
reserve (nobody was told of its leases), a killed release, and a reserve that failed. So lease files, owners and index
agree whenever the lock is free. Policy stays outside: `choose` picks the leases, `is_dead` judges their holders.
"""

from __future__ import annotations

from ..errors import AttachedAlready, BadEnvironment, CniError, InputOutput, PoolExhausted
from .index import DamagedIndex, Index, build
from .node import Node, Pending
from .shelf import DamagedLease, Holding, Shelf, name_of, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol, Self

    from ..domain import Attachment, Lease
    from ..inet import Prefix
    from ..log import Log

    class Choice(Protocol):
        @property
        def leases(self) -> list[Lease]: ...

        @property
        def cursors(self) -> dict[str, int]: ...

    Chooser = Callable[["Session"], Choice]
    Judge = Callable[[Holding], bool]


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
        """The leases that `choose` picks of `pools`.

        AttachedAlready while the attachment holds leases, unless `is_dead` of them. When the pools are exhausted,
        sticky leases that wait for their pod go first, oldest first; then leases whose holders are dead.
        """
        owner = owner_name(attachment)

        def holding_of(lease: Lease) -> Holding:
            return Holding(lease, attachment, network, netns, netns_id, self.node.boot_id)

        def once() -> list[Lease]:
            with self._session(f"reserve for {attachment}") as session:
                session.refuse_second(owner, is_dead)
                session.find_kept(sticky, is_dead)
                return session.take_choice(owner, holding_of, choose, pools)

        try:
            return once()
        except PoolExhausted:
            if is_dead is None or not self.reclaim(is_dead, pools):
                raise
        return once()

    def release(self, attachment: Attachment) -> list[Lease]:
        """Give back all leases of the attachment; [] if it has none. Only its owner's own files are touched."""
        owner = owner_name(attachment)
        if not self._holds(owner):
            return []
        with self._session(f"release for {attachment}") as session:
            return session.release(owner)

    def _holds(self, owner: str) -> bool:
        shelf = self._shelf()
        try:
            return shelf.owner(owner) is not None
        except OSError as error:
            raise self._failed("read owners", error) from error
        finally:
            shelf.close()

    def holdings_of(self, attachment: Attachment) -> list[Holding]:
        """What the attachment holds, as the files say; without the lock."""
        owner, shelf = owner_name(attachment), self._shelf()
        try:
            found = [shelf.lease(name) for name in shelf.owner(owner) or []]
            return [holding for holding in found if holding is not None and holding.attachment == attachment]
        except DamagedLease as error:
            raise InputOutput(f"read a lease of {attachment} in {shelf.path}: {error}") from error
        except OSError as error:
            raise self._failed("read leases", error) from error
        finally:
            shelf.close()

    def lease_of(self, attachment: Attachment) -> list[Lease]:
        return [holding.lease for holding in self.holdings_of(attachment)]

    def holdings(self) -> Iterator[Holding]:
        """All leases of this boot, then the sticky ones that wait for their pod; without the lock."""
        shelf = self._shelf()
        try:
            yield from shelf.holdings()
            for name in shelf.kept_names():
                try:
                    kept = None if shelf.lease(name) else shelf.kept(name)
                except DamagedLease as error:
                    self.log.error(
                        "damaged sticky lease", file=f"{shelf.path}/sticky/leases/{name}", reason=error
                    )
                    continue
                if kept is not None:
                    yield kept
        except OSError as error:
            raise self._failed("read leases", error) from error
        finally:
            shelf.close()

    def reclaim(self, is_dead: Judge, pools: list[Prefix] | None = None) -> list[Lease]:
        """Release what dead attachments hold (of `pools` only), in every data directory of the scope.

        The search is done without the lock; each one found is looked at again under it.
        """
        released = []
        for store in everywhere(self.node, self.log, self.scope):
            for holding in list(store.holdings()):
                if holding.attachment is not None and _concerns(holding, pools) and is_dead(holding):
                    released += store.release_if(holding.attachment, is_dead)
        return released

    def release_if(self, attachment: Attachment, is_dead: Judge) -> list[Lease]:
        """Release, if all that the attachment holds now is held by the dead."""
        owner = owner_name(attachment)
        with self._session(f"reclaim from {attachment}") as session:
            if not session.is_dead(owner, is_dead):
                return []
            self.log.info("leases reclaimed from a dead attachment", attachment=attachment)
            return session.release(owner)

    def rebuild(self) -> None:
        """Build the scope's index from the lease files, whatever is there."""
        with self._session("rebuild") as session:
            session.rebuild()

    def _shelf(self) -> Shelf:
        return Shelf(self.data_dir, self.scope, self.node.boot_id, self.log)

    def _session(self, verb: str) -> Session:
        return Session(self.node, self._shelf(), self.log, verb)

    def _failed(self, verb: str, error: OSError) -> InputOutput:
        return failed(f"{verb} in {self.data_dir}/{self.scope}", error)


def everywhere(node: Node, log: Log, scope: str | None = None) -> Iterator[Store]:
    """A Store for each data directory and scope in use on this node."""
    run_dir = node.path.rpartition("/")[0]
    for data_dir, name in node.dirs():
        if scope in (None, name):
            yield Store(data_dir, name, run_dir, node.boot_id, log)


def owner_name(attachment: Attachment | None) -> str:
    """The owner's file name; checked again here, since it must never leave its directory."""
    if attachment is None:
        raise BadEnvironment("use the IPAM: no attachment is named")
    name = attachment.filename
    if (
        not attachment.container_id[:1].isalnum()
        or "/" in name
        or not name.isprintable()
        or len(name.encode()) > 255
    ):
        raise BadEnvironment(
            f"use attachment {attachment.container_id!r} {attachment.ifname!r}: not a safe name"
        )
    return name


def failed(what: str, error: OSError) -> InputOutput:
    details = str(error.filename) if error.filename else ""
    return InputOutput(f"{what}: {error.strerror or error}", f"file {details}" if details else "")


def _concerns(holding: Holding, pools: list[Prefix] | None) -> bool:
    prefix = prefix_of(name_of(holding.lease.subnet))
    return pools is None or prefix is None or any(pool.overlaps(prefix) for pool in pools)


class Session:
    """The store while its lock is held; what `choose` sees of it is in subnets.View."""

    __slots__ = ("_dropped", "_indexes", "_lock", "_verb", "kept", "log", "node", "shelf", "sticky")

    def __init__(self, node: Node, shelf: Shelf, log: Log, verb: str) -> None:
        self.node = node
        self.shelf = shelf
        self.log = log
        self.kept: list[Lease] = []
        self.sticky = ""
        self._verb = verb
        self._lock = node.lock(verb)
        self._indexes: dict[int, Index] = {}
        self._dropped: list[str] = []

    def __enter__(self) -> Self:
        try:
            known = self.node.is_registered(self.shelf.data_dir, self.shelf.scope)
            if not known:
                self.node.ensure()
            self._lock.acquire()
            self._finish_what_was_begun()
            if not (known and self.shelf.exists()):
                self._first_use()
        except OSError as error:
            self._close()
            raise self._failed(error) from error
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: object) -> None:
        self._close()
        if isinstance(error, OSError):
            raise self._failed(error) from error

    def _close(self) -> None:
        self._close_indexes()
        self._lock.release()
        if self._dropped:
            self.shelf.sweep(self._dropped)
        self.shelf.close()

    def _close_indexes(self) -> None:
        for index in self._indexes.values():
            index.close()
        self._indexes.clear()

    def _failed(self, error: OSError) -> InputOutput:
        return failed(f"{self._verb} in {self.shelf.path}", error)

    def _first_use(self) -> None:
        """Of this data directory in this boot, or since somebody removed /run/cni-sriov or the directory."""
        self.shelf.create()
        self._dropped = self.shelf.drop_earlier_boots()
        if not self.node.is_registered(self.shelf.data_dir, self.shelf.scope):
            self._drop_overtaken()
        self.node.register(self.shelf.data_dir, self.shelf.scope)

    def _drop_overtaken(self) -> None:
        """A sticky lease whose subnet another data directory gave away before this one was first used."""
        for name in self.shelf.kept_names():
            prefix = prefix_of(name)
            if prefix and self.conflict(prefix):
                self.log.warning("sticky lease dropped: its subnet was leased meanwhile", lease=name)
                self.shelf.unkeep(name)
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
        return self.node.cursor(self.shelf.scope, key)

    # the index -----------------------------------------------------------------------------------

    def _index(self, version: int) -> Index:
        index = self._indexes.get(version)
        if index is None:
            index = self._indexes[version] = self.node.index(self.shelf.scope, version)
        return index

    def _mark(self, name: str, leased: bool) -> None:
        prefix = prefix_of(name)
        if prefix is None:
            return
        try:
            self._index(prefix.version).mark(prefix, leased)
        except DamagedIndex as error:
            self._rebuilt(prefix.version, error)  # from the lease files, so the mark is in it

    def _rebuilt(self, version: int, why: DamagedIndex) -> Index:
        self.log.info("index built anew", scope=self.shelf.scope, family=f"IPv{version}", reason=why)
        old = self._indexes.pop(version, None)
        if old is not None:
            old.close()
        index = self._indexes[version] = self.node.put_index(self.shelf.scope, build(version, self._claims()))
        return index

    def rebuild(self) -> None:
        for version in (4, 6):
            self._rebuilt(version, DamagedIndex("asked for"))

    def _claims(self) -> Iterator[Prefix]:
        """Every prefix of the scope that is not free: leases first, then what is kept and clashes with none."""
        shelves = [Shelf(path, name, self.node.boot_id, self.log) for path, name in self.node.dirs()]
        mine = [shelf for shelf in shelves if shelf.scope == self.shelf.scope]
        try:
            for shelf in mine:
                yield from shelf.claims()
            for shelf in mine:
                for name in shelf.kept_names():
                    prefix = prefix_of(name)
                    if prefix is not None:
                        yield prefix
        finally:
            for shelf in mine:
                shelf.close()

    # reserve -------------------------------------------------------------------------------------

    def is_dead(self, owner: str, judge: Judge) -> bool:
        """Whether all that stands under this owner's name is held by the dead; a damaged lease may be alive."""
        try:
            found = [self.shelf.lease(name) for name in self.shelf.owner(owner) or []]
        except DamagedLease:
            return False
        return all(holding is None or judge(holding) for holding in found)

    def refuse_second(self, owner: str, judge: Judge | None) -> None:
        if self.shelf.owner(owner) is None:
            return
        if not self.is_dead(owner, judge or _alive):
            raise AttachedAlready(
                f"reserve for {owner.replace('@', '/', 1)}: it holds leases already",
                "DEL it first, or run `sriovctl gc`",
            )
        self.log.info("leases of a dead namesake released", attachment=owner)
        self.release(owner)

    def find_kept(self, sticky: str, judge: Judge | None) -> None:
        """The leases that wait for this pod. While another attachment has them, the new ones are not sticky."""
        self.sticky = sticky
        for name in (self.shelf.key(sticky) or []) if sticky else []:
            try:
                kept, held = self.shelf.kept(name), self.shelf.lease(name)
            except DamagedLease as error:
                self.log.error("damaged sticky lease ignored", file=name, reason=error)
                continue
            if held is not None and held.attachment is not None:
                owner = owner_name(held.attachment)
                if judge is None or not self.is_dead(owner, judge):
                    self.log.warning("sticky lease is in use", lease=name, attachment=held.attachment)
                    self.kept, self.sticky = [], ""
                    return
                self.release(owner)
            if kept is not None and kept.lease.sticky == sticky:
                self.kept.append(kept.lease)

    def _choose(self, choose: Chooser, pools: list[Prefix]) -> Choice:
        while True:
            try:
                return choose(self)
            except PoolExhausted:
                if not self._reclaim_kept(pools):
                    raise

    def _reclaim_kept(self, pools: list[Prefix]) -> bool:
        """Forget the sticky leases that waited longest; a batch, so that a pool full of them is not searched often."""
        waiting = []
        for name in self.shelf.kept_names():
            prefix = prefix_of(name)
            if prefix and any(pool.overlaps(prefix) for pool in pools) and not self._is_held(name):
                waiting.append((self.shelf.kept_age(name), name))
        waiting.sort()
        oldest = [name for _, name in waiting[: 1 + len(waiting) // 256]]
        self._forget_kept(oldest)
        return bool(oldest)

    def _is_held(self, name: str) -> bool:
        try:
            return self.shelf.lease(name) is not None
        except DamagedLease:
            return True

    def _forget_kept(self, names: list[str]) -> None:
        if not names:
            return
        for name in names:
            self._begin("", [name])
            self.log.info("sticky lease reclaimed", lease=name)
            self._drop_kept(name)
            self._mark(name, self.shelf.is_claimed(name))
            self.node.clear_pending()

    def _drop_kept(self, name: str) -> None:
        """Its key goes with it, if it still leads here."""
        try:
            kept = self.shelf.kept(name)
            if kept is not None and self.shelf.key(kept.lease.sticky) == [name]:
                self.shelf.drop_key(kept.lease.sticky)
        except DamagedLease as error:
            self.log.error("damaged sticky lease removed", lease=name, reason=error)
        self.shelf.unkeep(name)

    def take_choice(
        self, owner: str, holding_of: Callable[[Lease], Holding], choose: Chooser, pools: list[Prefix]
    ) -> list[Lease]:
        try:
            return self._take(owner, holding_of, self._choose(choose, pools))
        except FileExistsError as error:  # the truth beats the index
            self.log.error("index out of step with the leases", lease=error.filename)
        self.rebuild()
        return self._take(owner, holding_of, self._choose(choose, pools))

    def _take(self, owner: str, holding_of: Callable[[Lease], Holding], choice: Choice) -> list[Lease]:
        """Make the choice true, or leave no trace of it."""
        leases = choice.leases
        for lease in leases:
            lease.sticky = self.sticky
        names = [name_of(lease.subnet) for lease in leases]
        stale = [name_of(lease.subnet) for lease in self.kept if name_of(lease.subnet) not in names]
        fresh: list[str] = []
        self._begin(owner, names + stale)
        try:
            self.shelf.add_owner(owner, names)
            for name in stale:
                self.shelf.unkeep(name)
            self._keep(names, leases, holding_of, fresh)
            for name, lease in zip(names, leases, strict=True):
                self.shelf.add_lease(holding_of(lease))
                self._mark(name, leased=True)
            for key, address in choice.cursors.items():
                self.node.set_cursor(self.shelf.scope, key, address)
            for name in stale:
                self._mark(name, leased=False)
            self.node.clear_pending()
        except BaseException:
            for name in fresh:
                self.shelf.unkeep(name)
            self._finish(self.shelf, owner, names + stale)
            raise
        return leases

    def _keep(
        self, names: list[str], leases: list[Lease], holding_of: Callable[[Lease], Holding], fresh: list[str]
    ) -> None:
        if not self.sticky:
            return
        if self.shelf.key(self.sticky) != names:
            self.shelf.set_key(self.sticky, names)
        for name, lease in zip(names, leases, strict=True):
            kept = holding_of(lease)
            kept.attachment = None
            if self.shelf.keep(kept):
                fresh.append(name)

    # release -------------------------------------------------------------------------------------

    def release(self, owner: str) -> list[Lease]:
        names = self.shelf.owner(owner)
        if names is None:
            return []
        self._begin(owner, names)
        return self._finish(self.shelf, owner, names)

    def _begin(self, owner: str, names: list[str]) -> None:
        self.node.set_pending(Pending(self.shelf.data_dir, self.shelf.scope, owner, names))

    def _finish_what_was_begun(self) -> None:
        """What a killed process was changing is undone, or carried to its end: the same thing for both verbs."""
        change = self.node.pending()
        if change is None:
            return
        self.log.warning(
            "finishing what a killed process began", owner=change.owner, leases=" ".join(change.names)
        )
        if (change.data_dir, change.scope) == (self.shelf.data_dir, self.shelf.scope):
            self._finish(self.shelf, change.owner, change.names)
            return
        other = Session(
            self.node, Shelf(change.data_dir, change.scope, self.node.boot_id, self.log), self.log, ""
        )
        try:
            other._finish(other.shelf, change.owner, change.names)  # its own class
        finally:
            other._close()

    def _finish(self, shelf: Shelf, owner: str, names: list[str]) -> list[Lease]:
        """The one inverse, idempotent: the owner's leases go, then the index says what the files say."""
        try:
            released = [lease for name in names if (lease := self._drop(shelf, owner, name))]
            if owner:
                shelf.drop_owner(owner)
        finally:  # where the files could not go, the index keeps saying so, and the owner's DEL tries again
            for name in names:
                self._mark(name, shelf.is_claimed(name))
            self.node.clear_pending()
        return released

    def _drop(self, shelf: Shelf, owner: str, name: str) -> Lease | None:
        try:
            holding = shelf.lease(name)
        except DamagedLease as error:
            shelf.set_aside(name, error)
            return None
        if holding is None:
            return None
        if holding.attachment is None or holding.attachment.filename != owner:
            return None
        shelf.drop_lease(name)
        if holding.lease.sticky:
            shelf.touch_kept(name)
        return holding.lease


def _alive(_: Holding) -> bool:
    return False
