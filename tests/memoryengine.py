"""An engine that is a dictionary, for who builds on engines: as many nodes and threads as one likes share one Cluster.

Its knobs: how long a call takes, calls that fail, calls that are done and not answered, and a backup that is put back.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cni_sriov.ctl.cluster.engine import EngineAway, Redefined
from cni_sriov.words.cluster import Definition, Holder, NodeRecord
from cni_sriov.words.inet import Prefix

T = TypeVar("T")


def _away() -> Exception:
    return EngineAway("ask the memory of cluster rack: no endpoint answered", "memory: as the test says")


@dataclass
class Cluster:
    """What an engine keeps. `dead` is what is_dead says, by fingerprint."""

    holders: dict[Prefix, Holder] = field(default_factory=dict)
    pools: list[Definition] = field(default_factory=list)
    pools_version: int = 0
    records: dict[str, tuple[NodeRecord, int]] = field(default_factory=dict)
    dead: dict[str, bool] = field(default_factory=dict)
    versions: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def backup(self) -> tuple[object, ...]:
        with self.lock:
            return copy.deepcopy((self.holders, self.pools, self.pools_version, self.records))

    def restore(self, backup: tuple[object, ...]) -> None:
        """Versions go on from where they were: nobody's old one fits by accident."""
        with self.lock:
            self.holders, self.pools, self.pools_version, self.records = copy.deepcopy(backup)  # type: ignore[assignment]

    def next_version(self) -> int:
        self.versions += 1
        return self.versions


@dataclass
class MemoryEngine:
    """One node's way to it. `latency`: seconds, or a function of the call's name; `sleep` may be another clock's."""

    cluster: Cluster = field(default_factory=Cluster)
    own_uid: str = ""
    latency: float | Callable[[str], float] = 0.0
    sleep: Callable[[float], None] = time.sleep
    _failing: dict[str, list[Exception]] = field(default_factory=dict)
    _lost: dict[str, list[Exception]] = field(default_factory=dict)

    def fail(self, call: str, times: int = 1, error: Exception | None = None) -> None:
        """The next so many calls of that name do nothing and raise."""
        self._failing.setdefault(call, []).extend([error or _away()] * times)

    def lose_answer(self, call: str, times: int = 1, error: Exception | None = None) -> None:
        """The next so many are done, and raise: who asked cannot know."""
        self._lost.setdefault(call, []).extend([error or _away()] * times)

    # the engine -------------------------------------------------------------------------------------------------------

    def claim(self, block: Prefix, holder: Holder, definitions: str | None = None) -> Holder:
        """As the API of Kubernetes does it, where the block is there all the same."""

        def act(kept: Cluster) -> Holder | None:
            has = kept.holders.setdefault(block, copy.copy(holder))
            is_same = definitions in {None, _named(kept.pools_version)}
            return None if has.fingerprint == holder.fingerprint and not is_same else has

        has = self._do("claim", act)
        if has is None:
            raise Redefined
        return has

    def holder(self, block: Prefix) -> Holder | None:
        return self._do("holder", lambda kept: kept.holders.get(block))

    def holders(self, blocks: Iterable[Prefix]) -> dict[Prefix, Holder]:
        asked = list(blocks)
        return self._do("holders", lambda kept: {b: kept.holders[b] for b in asked if b in kept.holders})

    def taken(self, pool: Prefix) -> set[Prefix]:
        return self._do("taken", lambda kept: {block for block in kept.holders if pool.contains(block)})

    def blocks(self) -> dict[Prefix, Holder]:
        return self._do("blocks", lambda kept: dict(kept.holders))

    def give_back(self, block: Prefix, fingerprint: str) -> Holder | None:
        def act(kept: Cluster) -> Holder | None:
            found = kept.holders.get(block)
            if found is not None and found.fingerprint == fingerprint and not found.fault:
                del kept.holders[block]
                return None
            return found

        return self._do("give_back", act)

    def definitions(self) -> tuple[list[Definition], str]:
        return self._do("definitions", lambda kept: (list(kept.pools), _named(kept.pools_version)))

    def define(self, definitions: list[Definition], version: str) -> bool:
        def act(kept: Cluster) -> bool:
            if _named(kept.pools_version) != version:
                return False
            kept.pools, kept.pools_version = copy.deepcopy(definitions), kept.next_version()
            return True

        return self._do("define", act)

    def node(self, fingerprint: str) -> tuple[NodeRecord | None, str]:
        def act(kept: Cluster) -> tuple[NodeRecord | None, str]:
            record, version = kept.records.get(fingerprint, (None, 0))
            return record, _named(version)

        return self._do("node", act)

    def put_node(self, record: NodeRecord, version: str) -> bool:
        def act(kept: Cluster) -> bool:
            if _named(kept.records.get(record.fingerprint, (None, 0))[1]) != version:
                return False
            kept.records[record.fingerprint] = copy.deepcopy(record), kept.next_version()
            return True

        return self._do("put_node", act)

    def nodes(self) -> list[NodeRecord]:
        return self._do("nodes", lambda kept: [record for record, _ in kept.records.values()])

    def forget_node(self, fingerprint: str, dry_run: bool = False) -> None:
        def act(kept: Cluster) -> None:
            if not dry_run:
                kept.records.pop(fingerprint, None)

        self._do("forget_node", act)

    def is_dead(self, record: NodeRecord) -> bool | None:
        return self._do("is_dead", lambda kept: kept.dead.get(record.fingerprint))

    def uid(self) -> str:
        return self._do("uid", lambda _: self.own_uid)

    def _do(self, call: str, act: Callable[[Cluster], T]) -> T:
        pause = self.latency(call) if callable(self.latency) else self.latency
        if pause:
            self.sleep(pause)
        with self.cluster.lock:
            self.cluster.calls[call] += 1
            if self._failing.get(call):
                raise self._failing[call].pop(0)
            answer = copy.deepcopy(act(self.cluster))
            if self._lost.get(call):
                raise self._lost[call].pop(0)
            return answer


def _named(version: int) -> str:
    return str(version) if version else ""
