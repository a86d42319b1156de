"""The leases of one scope as its overlap indexes say: all that choosing a subnet needs to see."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from typing import Self

from ..words.inet import Prefix, parse_prefix, prefix_of
from ..words.lease import Lease, LeaseDir
from ..words.log import Log
from .directory import STICKY, Directory
from .index import DamagedIndex, Index, build, open_index
from .node import Node


class Snapshot:
    """A View (words/lease.py) that takes no lock and changes nothing, so its answer may be old when it is read.

    A scope nobody used yet, or an index that must be built anew, counts as free.
    """

    __slots__ = ("indexes", "kept", "node", "scope")

    def __init__(self, node: Node, scope: str) -> None:
        self.node = node
        self.scope = scope
        self.indexes: dict[int, Index] = {}
        self.kept: list[Lease] = []

    def conflict(self, prefix: Prefix) -> bool:
        """Whether a lease contains, equals or lies in the prefix."""
        try:
            return self._index(prefix.version).conflict(prefix)
        except (DamagedIndex, OSError) as error:
            return self._anew(prefix.version, error).conflict(prefix)

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        """The lowest free aligned subnet of that length at or above `start`."""
        try:
            return self._index(within.version).first_free(within, length, start)
        except (DamagedIndex, OSError) as error:
            return self._anew(within.version, error).first_free(within, length, start)

    def count_free(self, within: Prefix, length: int, enough: int) -> int:
        """How many aligned subnets of that length are free, `enough` at least."""
        try:
            return self._index(within.version).count_free(within, length, enough)
        except (DamagedIndex, OSError) as error:
            return self._anew(within.version, error).count_free(within, length, enough)

    def cursor(self, _key: str) -> int | None:
        return None

    def close(self) -> None:
        for index in self.indexes.values():
            index.close()
        self.indexes.clear()

    def _index(self, version: int) -> Index:
        index = self.indexes.get(version)
        if index is None:
            path = self.node.index_path(self.scope, version)
            index = self.indexes[version] = open_index(path, version, self.node.boot_id)
        return index

    def _anew(self, version: int, _why: object) -> Index:
        self._drop(version)
        self.indexes[version] = build(version, ())
        return self.indexes[version]

    def _drop(self, version: int) -> None:
        with suppress(KeyError):
            self.indexes.pop(version).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Current(Snapshot):
    """The same while the node's lock is held: it is true, since an index that is damaged is built anew from the files.

    `boot` has what attachments hold now, `sticky` what is kept for pods.
    """

    __slots__ = ("boot", "log", "sticky")

    def __init__(self, node: Node, where: LeaseDir, log: Log) -> None:
        super().__init__(node, where.scope)
        self.boot = Directory(where, node.boot_id)
        self.sticky = Directory(where, STICKY)
        self.log = log

    def mark(self, names: list[str], held: bool = False, gone: Container[str] = ()) -> None:
        """Make the index say of each name what the files say. `held`: attachments have all of them; `gone`: no attachment
        has these.
        """
        for name in names:
            try:
                prefix = parse_prefix(name.replace("_", "/"))  # prefix_of, but the name is known to be one
            except ValueError:
                continue
            leased = held or (name not in gone and self.boot.has(name)) or self.sticky.has(name)
            try:
                self._index(prefix.version).mark(prefix, leased)
            except DamagedIndex as error:
                self._anew(prefix.version, error)  # from the files, so what was to be marked is in it

    def rebuild(self, why: object) -> None:
        """Build the scope's index from the lease files, whatever is there."""
        for version in (4, 6):
            self._anew(version, why)

    def dirs(self) -> Iterator[LeaseDir]:
        """Every data directory that has leases of the scope."""
        return (where for where in self.node.dirs() if where.scope == self.scope)

    def _anew(self, version: int, why: object) -> Index:
        if isinstance(why, OSError):
            raise why
        tell = self.log.warning if type(why) is DamagedIndex else self.log.debug  # a first use is no news
        tell("index built anew", scope=self.scope, family=f"IPv{version}", reason=why)
        self._drop(version)
        self.node.put_index(self.scope, build(version, self._claims()))
        return self._index(version)

    def _claims(self) -> Iterator[Prefix]:
        """The prefixes of all leases of the scope on this node, by file name alone."""
        for where in self.dirs():
            for there in (Directory(where, name, strict=False) for name in (self.node.boot_id, STICKY)):
                for name in there.names():
                    prefix = prefix_of(name)
                    if prefix is None:
                        self.log.error("foreign file among the leases", file=f"{there.leases}/{name}")
                    else:
                        yield prefix
