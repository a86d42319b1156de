"""What is kept for a pod between its containers: found again, or given up when the pools are full."""

from __future__ import annotations

from collections.abc import Iterator

from ..words.errors import InputOutput, Unreadable
from ..words.inet import Prefix, prefix_of
from .holding import key_name, owner_name
from .transaction import Transaction


def find(transaction: Transaction, key: str) -> bool:
    """Fill the View's `kept`. False: they are in another attachment's hands, or nobody knows, so the new leases cannot be
    kept.
    """
    name, there = key_name(key), transaction.sticky
    try:
        kept = there.holding(name)
    except Unreadable as error:
        transaction.log.error("what is kept for the pod cannot be read", file=error.path, reason=error.why)
        return False
    if kept is None:
        return True
    if kept.leases[0].sticky != key:  # another key of the same hash
        return False
    if not all(_is_free(transaction, lease) for lease in kept.names):
        return False
    if there.is_whole(name, kept):
        transaction.kept, transaction.kept_lifetime = kept.leases, kept.lifetime
    else:
        transaction.forget(name, kept.names)
    return True


def _is_free(transaction: Transaction, lease: str) -> bool:
    """Whether no attachment has it now; one whose file cannot be read may."""
    try:
        held = transaction.boot.holder(lease)
    except Unreadable:
        return False
    if held is not None:
        owner = owner_name(held.attachment)
        transaction.log.warning("sticky lease is in use", lease=lease, owner=owner)
    return held is None


def give_up(transaction: Transaction, pools: list[Prefix], may_be_over: bool = False) -> bool:
    """Those whose time is over (`may_be_over`: the network has a lifetime), else those that wait longest for their pod; a
    batch, so that a pool full of them is seldom searched. False: none.
    """
    waiting = [(*entry, there) for there in _everywhere(transaction) for entry in _waiting(there, pools)]
    waiting.sort(key=lambda entry: entry[:2])
    over = [entry for entry in waiting if _is_over(entry[2], entry[1])] if may_be_over else []
    if over:
        return sum(_forget(there, name) for _, name, there in over) > 0
    batch, given_up = 1 + len(waiting) // 256, 0
    for _, name, there in waiting:
        if given_up < batch:
            given_up += _forget(there, name)
    return bool(given_up)


def _everywhere(transaction: Transaction) -> Iterator[Transaction]:
    """The same transaction in every data directory that has leases of the scope; a broken one costs only itself."""
    for where in transaction.dirs():
        try:
            yield transaction.elsewhere(where)
        except InputOutput as error:
            transaction.log.error("data directory left out", directory=where.data_dir, reason=error)


def _waiting(there: Transaction, pools: list[Prefix]) -> Iterator[tuple[int, str]]:
    """(when it was last used, name) of those in the pools that no attachment has now."""
    for name in there.sticky.names():
        prefix = prefix_of(name)
        if prefix and any(pool.overlaps(prefix) for pool in pools) and not there.boot.has(name):
            yield there.sticky.used_at(name), name


def _is_over(there: Transaction, lease: str) -> bool:
    try:
        kept = there.sticky.holder(lease)
    except Unreadable:
        return False
    return kept is not None and there.sticky.is_over(kept)


def _forget(there: Transaction, lease: str) -> bool:
    """A lease that waits, and with it the others of its pod. False: it is not told whose it is, or it went with those."""
    try:
        kept = there.sticky.holder(lease)
    except Unreadable as error:
        there.log.error("sticky lease cannot be read", file=error.path, reason=error.why)
        return False
    if kept is None:
        return False
    there.log.info("sticky lease reclaimed", lease=lease, directory=there.where.path)
    there.forget(key_name(kept.leases[0].sticky), kept.names)
    return True
