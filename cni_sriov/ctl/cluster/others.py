"""What an operator says of another node: it is to be drained, or it is no more."""

from __future__ import annotations

from dataclasses import dataclass

from ...decide import blocks
from ...words.cluster import NodeRecord
from ...words.errors import BadConfig
from ...words.inet import Prefix
from .engine import Engine
from .member import TRIES, Changing, Member, inside


@dataclass(slots=True)
class Meant:
    """A node, its blocks, and whether it is known to be dead (None = nobody knows)."""

    record: NodeRecord
    blocks: list[Prefix]
    is_dead: bool | None


def find(engine: Engine, cluster: str, word: str) -> NodeRecord:
    """BadConfig unless exactly one is called so."""
    return _the_one(engine.nodes(), cluster, word)


def look(engine: Engine, cluster: str, word: str) -> Meant:
    """The same with its blocks; one that has blocks and no record is known by them."""
    held = engine.blocks()
    records = engine.nodes()
    known = {record.fingerprint for record in records}
    for holder in held.values():
        if holder.fingerprint and holder.fingerprint not in known:
            known.add(holder.fingerprint)
            records.append(
                NodeRecord(holder.fingerprint, holder.node, holder.machine, "", holder.since, 0, "")
            )
    record = _the_one(records, cluster, word)
    theirs = [block for block, holder in held.items() if holder.fingerprint == record.fingerprint]
    return Meant(record, sorted(theirs, key=blocks.by_address), engine.is_dead(record))


def _the_one(records: list[NodeRecord], cluster: str, word: str) -> NodeRecord:
    found = blocks.meant(records, word)
    if not found:
        raise BadConfig(
            f"find node {word}: cluster {cluster} has none of that name", "`sriovctl pool` has all"
        )
    if len(found) > 1:
        told = ", ".join(sorted(record.fingerprint for record in found))
        raise BadConfig(
            f"find node {word}: {len(found)} of cluster {cluster} are called so", f"say which: {told}"
        )
    return found[0]


def drain(engine: Engine, cluster: str, word: str, is_on: bool) -> NodeRecord:
    """A word in its record, which it reads at its next contact."""
    fingerprint = find(engine, cluster, word).fingerprint
    for _ in range(TRIES):
        record, version = engine.node(fingerprint)
        if record is None or record.fault:
            told = record.fault if record else "its record is gone"
            raise BadConfig(f"drain node {word} of cluster {cluster}: {told}", "`sriovctl pool` has all")
        if record.draining == is_on:
            return record
        record.draining = is_on
        if engine.put_node(record, version):
            return record
    raise Changing.of(f"the record of node {word}", cluster)


def refuse_living(member: Member, meant: Meant, by_force: bool) -> None:
    """BadConfig where it is this installation, or where its subnets are in use on this very machine, or its Node is there."""
    name = meant.record.node
    if meant.record.fingerprint == member.fingerprint:
        raise BadConfig(
            f"forget node {name}: it is this one",
            f"`sriovctl pool release --cluster {member.cluster}` gives back its empty blocks",
        )
    if meant.record.machine and meant.record.machine == member.machine:
        leases = member.leased()
        used = [str(block) for block in meant.blocks if inside(block, leases)]
        if used:
            raise BadConfig(
                f"forget node {name}: it was this machine, and subnets of {', '.join(used)} are leased here",
                "end what has them: `sriovctl leases`",
            )
    if meant.is_dead is False and not by_force:
        raise BadConfig(
            f"forget node {name}: its Node is there, so it may run containers",
            f"`sriovctl pool drain --cluster {member.cluster} {name}`; --force if that Node is a new installation",
        )


def forget(engine: Engine, meant: Meant) -> list[Prefix]:
    """Its blocks, then its record: whoever stops in between says it again. Who has no right to a record, as no node has to
    another's, hears so while the blocks are there. The answer: what it had until now.
    """
    fingerprint = meant.record.fingerprint
    engine.forget_node(fingerprint, dry_run=True)
    gone = [block for block in meant.blocks if engine.give_back(block, fingerprint) is None]
    engine.forget_node(fingerprint)
    return gone
