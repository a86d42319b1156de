"""Blocks of this node that go back to the cluster: empty ones alone.

    under the leases' lock: is it empty? blocks/ -> releasing/      then the engine is told, then the file goes

From the rename on no ADD cuts from it. Killed anywhere behind it, the next contact tells the engine again.
"""

from __future__ import annotations

from collections.abc import Collection

from ...decide import blocks
from ...words.inet import Prefix, parse_prefix
from .member import Member


def give_back(member: Member, wanted: Collection[Prefix] | None = None) -> list[Prefix]:
    """Those of `wanted`, None = of all, that are empty. The cluster's lock is held."""
    with member.leases_locked("sriovctl pool"):
        going = [block for block in empty(member) if wanted is None or block in wanted]
        for block in going:
            member.files.begin_release(block)
    for block in going:
        hand_over(member, block)
    return going


def empty(member: Member) -> list[Prefix]:
    return blocks.empty(member.files.names(), member.leased())


def hand_over(member: Member, block: Prefix) -> None:
    """Whoever the engine says has it now: we do not; but where nobody can read whose it is, it may be ours, and the next
    contact asks again. Of what was the last block of a pool the pool is forgotten.
    """
    holder = member.engine.give_back(block, member.fingerprint)
    if holder is not None and holder.fault:
        return
    member.files.end_release(block)
    for pool in member.files.pools():
        subnet = parse_prefix(pool.subnet)
        if subnet.contains(block) and not any(subnet.contains(other) for other in member.files.names()):
            member.files.drop_pool(subnet)
