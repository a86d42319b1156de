"""What an ADD does that finds no room in this node's blocks of a shared pool: claim another one, and wait for it."""

from __future__ import annotations

import time

from ..ipam import own, shared
from ..vf.host import Host
from ..words.errors import CniError, OutsideBlocks, PoolExhausted

_MOST = 8  # of one ADD: others may be quicker to take what it got
_LEAST_S = 1.0


class WayToBlocks:
    """Of one ADD. `failed`: why no block is to be had, by the pool's number."""

    __slots__ = ("asked", "claims", "failed", "host", "tried", "until")

    def __init__(self, host: Host, asked: own.Asked) -> None:
        self.host = host
        self.asked = asked
        self.claims = 0
        self.until = 0.0
        self.tried: set[str] = set()
        self.failed: dict[int, CniError] = {}

    def of_block(self, error: OutsideBlocks) -> bool:
        """That very block. The error says who has it, if another node does."""
        if error.block in self.tried:
            return False
        self.tried.add(error.block)
        shared.claim(self.host, self.asked.conf.pools[error.pool], self._until(), "--block", error.block)
        return True

    def more(self, error: PoolExhausted) -> bool:
        """Any block. Where none is to be had, sticky leases that wait for their pod may go, and then that is the error."""
        pool = self.asked.conf.pools[error.pool]
        if pool.blocks is None:
            return False
        if error.pool in self.failed:
            raise self.failed[error.pool]
        try:
            self._claim(error)
        except CniError as reason:
            self.host.log.warning("no block claimed", cluster=pool.blocks.cluster, reason=reason)
            if reason is not error:
                reason.details = "\n".join(filter(None, (reason.details, error.msg)))
            self.failed[error.pool] = reason
            self.asked.given_up.append(pool)
        return True

    def _claim(self, error: PoolExhausted) -> None:
        if self.claims == _MOST:
            raise error
        self.claims += 1
        pool = self.asked.conf.pools[error.pool]
        excluding = shared.without(self.asked.conf, pool, self.asked.used)
        shared.claim(self.host, pool, self._until(), *excluding, "--more-than", str(len(pool.bounds or [])))

    def _until(self) -> float:
        """All claims of this ADD share one deadline, but none has so little that it cannot begin."""
        now = time.monotonic()
        self.until = max(self.until or now + shared.DEADLINE_S, now + _LEAST_S)
        return self.until
