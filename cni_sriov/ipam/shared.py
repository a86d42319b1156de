"""Shared pools: this node's blocks are the bounds of what is cut, and `sriovctl pool refill` gets more of them.

It is a child of ours, since whoever asks an engine needs an HTTP client and its certificates. One is started beside an ADD
that leaves little, and nobody waits for it; one that finds nothing left waits, and hears why there is no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ..conf.hostsubnet import IpamConf
from ..conf.pools import Blocks, Pool
from ..decide import shared, subnets
from ..kernel import child
from ..state.nodeblocks import NodeBlocks
from ..vf.host import Host
from ..words import jsontext
from ..words.domain import HostUse
from ..words.errors import CODES, BadJson, CniError, InputOutput, TryAgain
from ..words.failures import Failures
from ..words.inet import Prefix, parse_prefix
from ..words.lease import Choice, View
from ..words.log import Log

Cluster = Callable[[str], NodeBlocks]
DEADLINE_S = 5
_AGAIN_S = 10  # after a refill that failed; an ADD that finds nothing left asks all the same
_GRACE_S = 0.5  # it knows when its time is over, and is late where the machine is


def none(name: str) -> NodeBlocks:
    raise AssertionError(f"nobody said where the blocks of cluster {name} are")


# what may be cut: under the subnets' lock ------------------------------------------------------------------------------


def bound(pools: Iterable[Pool], cluster: Cluster) -> None:
    """In the order of the pool's prefixes: the first that has room gives."""
    for pool in pools:
        there = cluster(blocks(pool).cluster)
        ours = there.names()
        if ours and not there.was_contacted():
            if there.is_of_another_machine():
                raise _cloned(there)
            if there.is_stopped():
                ours = []  # so the engine is asked: its word is the ADD's error, or all of them are there again
        pool.bounds = [block for prefix in pool.prefixes for block in _sorted_in(prefix, ours)]


def _cloned(there: NodeBlocks) -> InputOutput:
    """Until the engine was asked, nothing else keeps two machines from cutting from one block."""
    return InputOutput(
        f"lease of cluster {there.name}: the blocks in {there.path} are those of another machine",
        f"this one was copied from it: remove {there.path}, and it claims blocks of its own;"
        f" if it is the same one: put its {there.machine_id} back",
    )


def _sorted_in(prefix: Prefix, blocks: list[Prefix]) -> list[Prefix]:
    return sorted(filter(prefix.contains, blocks), key=lambda block: block.value)


def lost(pool: Pool, view: View, there: NodeBlocks) -> dict[Prefix, str]:
    """The blocks of it that are another node's by the engine's word, while this node has leases in them."""
    return {
        block: who for block, who in there.lost_to().items() if pool.holds(block) and view.conflict(block)
    }


def low(conf: IpamConf, view: View, choice: Choice, used: list[HostUse]) -> list[Pool]:
    """The pools of which the choice leaves little. Looked at now and then: counting costs more than choosing."""
    found = []
    for pool, lease in zip(conf.pools, choice.leases, strict=True):
        is_automatic = pool.blocks is not None and pool.key in choice.cursors
        if is_automatic and shared.is_milestone(pool, parse_prefix(lease.subnet)):
            counting = subnets.host_use_that_counts(conf, pool, used)
            found += [pool] if shared.is_low(pool, view, counting) else []
    return found


def blocks(pool: Pool) -> Blocks:
    assert pool.blocks is not None, "the pool is not shared"
    return pool.blocks


# more of it ------------------------------------------------------------------------------------------------------------


def top_up(host: Host, conf: IpamConf, low: list[Pool], used: list[HostUse]) -> None:
    """Beside this ADD, which does not wait, and goes well whatever comes of it."""
    for name in dict.fromkeys(blocks(pool).cluster for pool in conf.shared):
        with Failures(host.log.warning, "refill not started").of(cluster=name):
            mine = [pool for pool in low if blocks(pool).cluster == name]
            _top_up(host, name, mine, without(conf, mine[0], used) if len(mine) == 1 else [])


def without(conf: IpamConf, pool: Pool, used: list[HostUse]) -> list[str]:
    """A refill's words on what is not to be claimed, as nothing could be cut from it."""
    counting = subnets.host_use_that_counts(conf, pool, used)
    return [word for part in shared.barren(pool, counting) for word in ("--exclude", str(part))]


def _top_up(host: Host, name: str, low: list[Pool], excluding: list[str]) -> None:
    """The first ADD of a boot, and of an hour, has the engine asked in any case. One refill at a time: its lock is handed over."""
    there = host.ledger.cluster(name)
    if not low and (there.was_contacted() or there.is_awaited()):
        return
    more_than = ("--more-than", str(len(low[0].bounds or []))) if low else ()
    which = _of(low[0], *excluding, *more_than) if len(low) == 1 else []
    _start(host, name, [*which, *_ended(time.monotonic() + DEADLINE_S)])


def _start(host: Host, name: str, which: list[str]) -> None:
    there = host.ledger.cluster(name)
    failure = there.failure()
    if failure is not None and 0 <= time.time() - failure.at < _AGAIN_S:
        return
    lock = there.lock("ADD")
    if not lock.try_acquire():
        return
    try:
        asked = [*_refill(name, [*which, *_told_to(host.log)]), "--lock-fd", str(child.GIVEN_FD)]
        host.start_sriovctl(asked, lock.fd)
    finally:
        lock.release()
    host.log.routine("refill started", cluster=name)


def claim(host: Host, pool: Pool, until: float, *asked: str) -> None:
    """A block more of it, or that which was asked for; the CNI error that says why not. `sriovctl` is waited for, until this
    moment of the monotonic clock, however long its start takes.
    """
    name, which = blocks(pool).cluster, _of(pool, *asked)
    try:
        left = until + _GRACE_S - time.monotonic()
        status, answer = host.run_sriovctl(_refill(name, [*which, *_ended(until)]), left)
    except TryAgain:
        # This machine may be too slow for it. Then a later ADD finds what one has got that nobody waits for: its time begins
        # when it runs.
        with Failures(host.log.warning, "refill not started").of(cluster=name):
            _start(host, name, which)
        raise
    try:
        told = jsontext.parse_object(answer)
    except BadJson:
        told = {}
    error = told.get("error")
    if isinstance(error, dict):
        raise _passed_on(error)
    if status != 0 or not isinstance(told.get("claimed"), list):
        raise TryAgain(
            f"claim a block of cluster {name}: sriovctl ended with status {status}",
            f"it answered {jsontext.words(answer[:200])}; see `sriovctl pool`",
        )
    host.log.routine("blocks claimed", cluster=name, blocks=", ".join(map(str, told["claimed"])))


def _passed_on(error: dict[str, object]) -> CniError:
    code = error.get("code")
    known = code if type(code) is int and code in CODES else TryAgain.code
    return CniError(str(error.get("msg")), str(error.get("details") or ""), known)


def _refill(name: str, which: list[str]) -> list[str]:
    """Without any pool: the engine is asked, and what is low of all the pools that this node has blocks of is claimed."""
    return ["pool", "refill", name, *which, "--deadline", str(DEADLINE_S), "--json"]


def _ended(until: float) -> list[str]:
    """By that moment, however long its start takes: an ADD waits for it, or for the lock that it has."""
    return ["--until", f"{until:.3f}"]


def _told_to(log: Log) -> list[str]:
    """What comes of it is told where this ADD is, unless that is the runtime's descriptor, which is its own."""
    return ["--log-file", log.path, "--log-level", log.level_name] if log.is_kept else []


def _of(pool: Pool, *more: str) -> list[str]:
    subnets_of = [word for prefix in pool.prefixes for word in ("--subnet", str(prefix))]
    lengths = ["--block-length", str(blocks(pool).length), "--prefix-length", str(pool.length)]
    return [*subnets_of, *lengths, *more]
