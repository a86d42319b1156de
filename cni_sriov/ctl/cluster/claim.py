"""Claiming blocks: `sriovctl pool refill`, which an ADD starts or waits for.

A claim is written here (claiming/) before the engine is asked, and is one create-if-absent there: who is killed in between
leaves a file, and the next contact asks for exactly that block again. So no block is held by nobody who knows of it, and
none by two.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ...decide import blocks
from ...state.blocks import ClusterFiles, UsedPool
from ...vf.host import Host
from ...words.cluster import Holder
from ...words.errors import InputOutput, SubnetConflict, TryAgain
from ...words.failures import as_cni_error
from ...words.inet import Prefix, parse_prefix
from . import contact
from .contact import Contacted, in_pools
from .member import Member, every_block, leased_by_scope, told_holder

GRACE_S = 1  # for another refill to end that has the same deadline
TELL_S = 0.4  # between the last word of an engine and the end that the plugin has set
LEAST_S = 1.5  # in which an engine can be asked, and say no
_LIST_WITH_NODES = 4096  # blocks of a pool whose holders are counted for one sentence


@dataclass(slots=True)
class Wanted:
    """A pool as a configuration has it, with all its subnets. `block`: exactly that one. `more_than`: nothing is claimed where
    this node has more blocks of it by now, -1 = one is claimed in any case. `exclude`: nothing could be cut from these.
    """

    subnets: list[Prefix]
    length: int
    prefix_length: int
    block: Prefix | None = None
    more_than: int = -1
    exclude: list[Prefix] = field(default_factory=list)

    @property
    def pools(self) -> list[UsedPool]:
        return [
            UsedPool(str(subnet), self.length, self.prefix_length, [*map(str, self._excluded(subnet))])
            for subnet in self.subnets
        ]

    def _excluded(self, subnet: Prefix) -> list[Prefix]:
        return [part for part in self.exclude if subnet.contains(part)]

    def has_enough(self, names: Iterable[Prefix]) -> bool:
        if self.block is not None:
            return self.block in names
        return 0 <= self.more_than < len(in_pools(names, self.subnets))


@dataclass(slots=True)
class Refilled:
    claimed: list[Prefix] = field(default_factory=list)
    lost: list[Prefix] = field(default_factory=list)


@contextmanager
def noted(files: ClusterFiles) -> Iterator[None]:
    """What fails is kept, so that ADDs do not start the next one at once. That one block is another's is no such thing."""
    try:
        yield
    except SubnetConflict:
        raise
    except Exception as error:
        told = as_cni_error(error)
        with suppress(InputOutput):
            files.put_failure(told.code, told.msg, told.details)
        raise
    files.clear_failure()


def is_needless(files: ClusterFiles, wanted: Wanted | None) -> bool:
    """Somebody refilled while we waited for the lock, and the engine has been spoken to in this boot."""
    return wanted is not None and files.was_contacted() and wanted.has_enough(files.names())


def fail_as_before(files: ClusterFiles, since: float, until: float) -> None:
    """Who waited for another's refill so long has no time to ask by himself. What that one was told holds for him, too."""
    failure = files.failure()
    if failure is None or failure.code != TryAgain.code or failure.at < int(since):
        return
    if time.monotonic() > until - LEAST_S:
        raise TryAgain(failure.msg, failure.details)


def wait_a_moment(files: ClusterFiles, seconds: float) -> bool:
    """One process alone waits so long, and holds no lock that others need. False: another waits, or the engine has been spoken
    to meanwhile.
    """
    waiting = files.waiting("sriovctl pool")
    if not waiting.try_acquire():
        return False
    try:
        time.sleep(seconds)
    finally:
        waiting.release()
    return not files.was_contacted()


def refill(member: Member, wanted: Wanted | None) -> Refilled:
    """A block of the pool that is wanted; without one, of each that runs low. The cluster's lock is held."""
    met = contact.contact(member, wanted.pools if wanted else ())
    done = Refilled(list(met.settled), list(met.lost))
    if wanted is None and met.record.draining:
        return done
    for one in [wanted] if wanted is not None else low(member.host, member.files, member.data_dir):
        has_some = one.block is None and in_pools(met.settled, one.subnets)
        if not has_some and not one.has_enough(member.files.names()):
            done.claimed.append(_claim(member, one, met))
    return done


def _claim(member: Member, wanted: Wanted, met: Contacted) -> Prefix:
    if met.record.draining:
        raise TryAgain(
            f"claim a block of cluster {member.cluster}: node {member.node} is being drained",
            f"`sriovctl pool drain --cluster {member.cluster} --undo {member.node}` ends that",
        )
    return _this_one(member, wanted, met, wanted.block) if wanted.block else _any_one(member, wanted, met)


def _this_one(member: Member, wanted: Wanted, met: Contacted, block: Prefix) -> Prefix:
    holder = _ask(member, wanted, met, block)
    if holder is not None:
        raise SubnetConflict(
            f"claim block {block} of cluster {member.cluster}: {told_holder(holder)} has it",
            f"ask for another subnet, or have node {holder.node} give it back: `sriovctl pool release` there",
            str(block),
        )
    return block


def _any_one(member: Member, wanted: Wanted, met: Contacted) -> Prefix:
    never = [*every_block(member.files), *wanted.exclude]
    draws = blocks.Draws(wanted.subnets, wanted.length, never, member.draw)
    while True:
        if draws.wants_list:
            draws.hear({block for pool in draws.pools for block in member.engine.taken(pool)})
        block = draws.next()
        if block is None:
            holders = _holders(member, draws.number)
            raise blocks.exhausted(wanted.subnets, wanted.length, draws.number, holders, wanted.exclude)
        if _ask(member, wanted, met, block) is None:
            return block
        draws.refused(block)


def _ask(member: Member, wanted: Wanted, met: Contacted, block: Prefix) -> Holder | None:
    pool = next(subnet for subnet in wanted.subnets if subnet.contains(block))
    return contact.ask_for(member, met, block, member.files.intend(block, pool))


def _holders(member: Member, number: int) -> dict[Prefix, Holder]:
    return member.engine.blocks() if number <= _LIST_WITH_NODES else {}


# which pools run low --------------------------------------------------------------------------------------------------


def low(host: Host, files: ClusterFiles, data_dir: str) -> list[Wanted]:
    """Of those that this node has a block of: another one's first is claimed by the ADD that needs it."""
    found = []
    scopes = leased_by_scope(host, data_dir).values()
    for pool in files.pools():
        subnet = parse_prefix(pool.subnet)
        there = in_pools(files.names(), [subnet])
        used = max((blocks.covered(there, pool.prefixLength, leases) for leases in scopes), default=0)
        if there and blocks.is_low(there, pool.length, pool.prefixLength, used):
            exclude = [*map(parse_prefix, pool.exclude)]
            found.append(Wanted([subnet], pool.length, pool.prefixLength, exclude=exclude))
    return found
