"""A contact: this node tells the engine that it is there, settles what a killed process left, and compares its blocks.

    are we who we were -> claiming/ and releasing/ are settled -> blocks compared -> pools agree -> empty ones go, if drained

Each step may be the last one of a process, and the next contact goes on from the files. It asks and compares before anything
is claimed, so a copy of this machine claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from ...decide import blocks
from ...state.blocks import Claimed, ClusterFiles, Contact, LostToken, UsedPool
from ...words.cluster import Definition, Holder, NodeRecord
from ...words.errors import BadConfig, InputOutput, TryAgain
from ...words.inet import Prefix, parse_prefix
from . import giving, values
from .engine import EngineRefused, Redefined
from .member import TRIES, Changing, Member, every_block, holder_json, told_holder


class Undefined(TryAgain):
    """A block was asked for, and its pool is not what it was: others may cut it in another way by now."""


class Stopped(TryAgain):
    """We are not, or may not be, the installation that the engine knows: until somebody says which, nothing is claimed, and
    nothing cut from the blocks that are here.
    """


@dataclass(slots=True)
class Contacted:
    """`settled`: claimed by a process that was killed before it knew. `known`: the definitions as they are read, and their
    version.
    """

    record: NodeRecord
    known: list[Definition]
    version: str
    settled: list[Prefix] = field(default_factory=list)
    lost: list[Prefix] = field(default_factory=list)
    given: list[Prefix] = field(default_factory=list)


def contact(member: Member, wanted: Iterable[UsedPool] = ()) -> Contacted:
    """`wanted`: pools that are to be used, beside those that this node has blocks of. The cluster's lock is held."""
    wanted = list(wanted)
    try:
        record = _introduce(member, wanted)
    except Stopped:
        with suppress(InputOutput):
            member.files.stop()
        raise
    found = Contacted(record, *member.engine.definitions())
    _settle(member, found)
    _compare(member, found)
    _define(member, wanted, found)
    for pool in wanted:
        member.files.put_pool(parse_prefix(pool.subnet), pool.length, pool.prefixLength, pool.exclude)
    if found.record.draining:
        found.given = giving.give_back(member)
    member.files.note_contacted()
    return found


# who we are -----------------------------------------------------------------------------------------------------------


def _introduce(member: Member, wanted: list[UsedPool]) -> NodeRecord:
    """Our record in the engine, with a nonce that nobody else knows: written here before it is written there."""
    try:
        record, version = member.engine.node(member.fingerprint)
    except LostToken as error:
        raise LostToken(error.msg, f"{error.details}\n{_anew(member, '')}") from error
    known = member.files.contact() or Contact()
    nonce = blocks.next_nonce(known.nonces, known.pending, member.draw)
    for attempt in range(TRIES):
        if record is None or record.nonce != nonce:  # else it was written, and its answer lost
            _judge(member, record, known)
        fresh = _record(member, record, nonce, wanted)
        if not attempt:
            nonces = blocks.remembered(known.nonces, known.pending)
            member.files.put_contact(Contact(fresh.contact, nonces, nonce, known.record))
        if member.engine.put_node(fresh, version):
            nonces = blocks.remembered(nonces, nonce)
            member.files.put_contact(Contact(fresh.contact, nonces, "", values.record_to_json(fresh)))
            return fresh
        record, version = member.engine.node(member.fingerprint)
    raise Changing.of("the record of this node", member.cluster)


def _judge(member: Member, record: NodeRecord | None, known: Contact) -> None:
    """Stopped unless it is ours, or was never written."""
    if record is not None and record.fault:
        raise EngineRefused(
            f"contact cluster {member.cluster}: {record.fault}",
            "what wrote it knows what it is: use that version, or remove that key in the engine",
        )
    standing = blocks.standing(record, member.node, member.machine, known.nonces, known.pending)
    if standing == "gone":
        member.note("the engine knows this node no more: it was restored, or somebody had it forgotten")
    elif standing == "older":
        member.note("the engine was restored from an older backup")
    elif record is not None and standing in {"renamed", "moved", "copied"}:
        raise _stopped(member, record, standing)


def _stopped(member: Member, record: NodeRecord, standing: blocks.Standing) -> Stopped:
    whose = f"contact cluster {member.cluster}: this installation is node {record.node} there"
    path = f"/etc/cni-sriov/clusters/{member.cluster}.json"
    if standing == "renamed":
        return Stopped(
            f"{whose}, and is called {member.node} now",
            f'if this machine was renamed: "node": "{record.node}" in {path}\n'
            f"if it is a copy of {record.node}: {_remove(member)}",
        )
    if standing == "moved":
        return Stopped(
            f"{whose}, on a machine with another /etc/machine-id",
            f"if this is a copy of {record.node}: {_remove(member)}\n"
            f"if it is {record.node} itself: put its /etc/machine-id back, or {_anew(member, record.fingerprint)}",
        )
    return Stopped(
        f"{whose}, and another machine has spoken to it as {record.node} since",
        f"if this is a copy of {record.node}: {_remove(member)}\n"
        f"if it is {record.node} itself, with files of an older day: {_anew(member, record.fingerprint)}",
    )


def _remove(member: Member) -> str:
    return f"`rm -r {member.files.path}` here, and it is a node of its own"


def _anew(member: Member, fingerprint: str) -> str:
    """The blocks of a lost identity are free when nothing here uses them."""
    known = fingerprint or _other_fingerprint(member)
    forget = (
        f"`sriovctl pool forget --cluster {member.cluster} {known}`"
        if known
        else "have the old one forgotten"
    )
    return (
        f"begin anew: end what has subnets of its blocks here (`sriovctl leases`), `rm -r {member.files.path}`,"
        f" {forget}"
    )


def _other_fingerprint(member: Member) -> str:
    found = {one.fingerprint for one in every_block(member.files).values()} - {""}
    return min(found, default="")


def _record(member: Member, before: NodeRecord | None, nonce: str, wanted: list[UsedPool]) -> NodeRecord:
    now = member.now()
    used = [*member.files.pools(), *wanted]
    return NodeRecord(
        member.fingerprint,
        member.node,
        member.machine,
        member.engine.uid(),
        before.since if before else now,
        now,
        nonce,
        before is not None and before.draining,
        fill(member.files, member.leased()),
        cut={pool.subnet: pool.prefixLength for pool in used},
    )


def fill(files: ClusterFiles, leased: list[Prefix]) -> dict[str, list[int]]:
    """[blocks, leased, capacity] of each pool that this node uses."""
    found = {}
    for pool in files.pools():
        there = in_pools(files.names(), [parse_prefix(pool.subnet)])
        used = blocks.covered(there, pool.prefixLength, leased)
        found[pool.subnet] = [len(there), used, blocks.capacity(there, pool.prefixLength)]
    return found


def in_pools(found: Iterable[Prefix], pools: Iterable[Prefix]) -> list[Prefix]:
    pools = list(pools)
    return [block for block in found if any(pool.contains(block) for pool in pools)]


# what a pool is -------------------------------------------------------------------------------------------------------


def _define(member: Member, wanted: list[UsedPool], found: Contacted) -> None:
    """BadConfig where a pool that is wanted is another thing to others. Of one that is used already it is a note: what was
    claimed stays claimed. What was written is read again: a claim goes by its version.
    """
    used = [pool for pool in _used(member) if pool.subnet not in {one.subnet for one in wanted}]
    for _ in range(TRIES):
        agreed = _agreed(member, found.known, wanted)
        for pool in used:
            try:
                agreed = _agreed(member, agreed, [pool])
            except BadConfig as error:
                member.note(str(error))
        if len(agreed) == len(found.known):
            return
        member.engine.define(agreed, found.version)
        found.known, found.version = member.engine.definitions()
    raise Changing.of("the pools", member.cluster)


def _agreed(member: Member, known: list[Definition], pools: list[UsedPool]) -> list[Definition]:
    """With those that are new. What stands in the engine is asked for them alone."""
    agreed = blocks.agreed(member.cluster, known, [_definition(member, pool) for pool in pools])
    if agreed is None:
        return known
    blocks.check_cut(member.cluster, agreed[len(known) :], member.engine.blocks())
    return agreed


def _used(member: Member) -> list[UsedPool]:
    """Of which this node has a block."""
    ours = member.files.names()
    return [pool for pool in member.files.pools() if in_pools(ours, [parse_prefix(pool.subnet)])]


def _is_disputed(member: Member, known: list[Definition]) -> bool:
    """Whether the engine has a pool of ours in another way, or not at all, as after its data was lost: then blocks of another
    length may be cut out of ours, and none has the name of ours.
    """
    known_as = {(one.subnet, one.length) for one in known}
    return any((parse_prefix(pool.subnet), pool.length) not in known_as for pool in _used(member))


def _definition(member: Member, pool: UsedPool) -> Definition:
    return Definition(parse_prefix(pool.subnet), pool.length, member.node, member.now())


# our blocks -----------------------------------------------------------------------------------------------------------


def ask_for(member: Member, found: Contacted, block: Prefix, claimed: Claimed) -> Holder | None:
    """The engine's word on an intent that is written: None = it is ours. Asked again it says the same.

    Where nobody can read whose it is, the intent stays: it may be ours. Undefined where its pool is not defined so any more
    (undefining.py): then the engine has it not as ours, either.
    """
    for _ in range(TRIES):
        if not any(one.subnet.contains(block) and one.length == block.length for one in found.known):
            left = member.engine.give_back(block, member.fingerprint)
            if left is None or not left.fault:
                member.files.settle(block, ours=False)
            raise Undefined(
                f"claim block {block} of cluster {member.cluster}: its pool is not defined with blocks of"
                f" /{block.length} any more",
                "again in a moment: the next contact defines it, or says how others have it",
            )
        try:
            holder = member.engine.claim(block, member.holder(claimed.since), found.version)
        except Redefined:
            found.known, found.version = member.engine.definitions()
            continue
        is_ours = holder.fingerprint == member.fingerprint
        if not holder.fault:
            member.files.settle(block, is_ours)
        return None if is_ours else holder
    raise Changing.of("the pools", member.cluster)


def _settle(member: Member, found: Contacted) -> None:
    """An intent is claimed again rather than looked up: the request of who was killed may still be on its way, and then finds
    the block taken.
    """
    for block, claimed in member.files.claiming().items():
        try:
            if ask_for(member, found, block, claimed) is None:
                found.settled.append(block)
        except Undefined as error:
            member.note(str(error))
    for block in member.files.releasing():
        giving.hand_over(member, block)


def _compare(member: Member, found: Contacted) -> None:
    ours, lost = member.files.claimed(), member.files.lost()
    holders = member.engine.holders([*ours, *lost]) if ours or lost else {}
    differ = blocks.compare(ours, lost, holders, member.fingerprint)
    if _is_disputed(member, found.known):
        differ.lost |= blocks.overlapped(ours, member.engine.blocks(), member.fingerprint)
    for block in (missing for missing in differ.missing if missing not in differ.lost):
        holder = member.engine.claim(block, member.holder(ours[block].since))
        if holder.fingerprint != member.fingerprint:
            differ.lost[block] = holder
        else:
            member.note(f"block {block} was missing in the engine, and is there again")
    _lose(member, differ.lost)
    found.lost = list(differ.lost)
    for block in differ.found:
        member.files.found(block)
        member.note(f"block {block} is ours again")
    unread = {block for block, holder in (holders | differ.lost).items() if holder.fault}
    _look_after_lost(member, set(differ.free), unread)


def _lose(member: Member, lost: dict[Prefix, Holder]) -> None:
    """Under the lock of the leases: what an ADD has chosen in it is leased by then, and no other chooses there."""
    if not lost:
        return
    with member.leases_locked("sriovctl pool"):
        for block, holder in lost.items():
            member.files.lose(block, holder_json(holder))
    for block, holder in lost.items():
        member.note(
            f"block {block} was ours, and {told_holder(holder)} has it: nothing is leased in it any more"
        )


def _look_after_lost(member: Member, free: set[Prefix], unread: set[Prefix]) -> None:
    """One in which nothing of this node is leased is forgotten; one that nobody has any more is claimed again. Nothing is done
    with one of which nobody can read whose it is: it may be ours.
    """
    lost = {block: claimed for block, claimed in member.files.lost().items() if block not in unread}
    empty = set(blocks.empty(lost, member.leased())) if lost else set()
    for block, claimed in lost.items():
        if block in empty:
            member.files.drop_lost(block)
        elif block in free:
            holder = member.engine.claim(block, member.holder(claimed.since))
            if holder.fingerprint == member.fingerprint:
                member.files.found(block)
                member.note(f"block {block} is ours again")
