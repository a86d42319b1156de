"""What `sriovctl pool` shows of a cluster: this node's part, which is there whatever the engine says, and the engine's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...decide import blocks
from ...state import blocks as clusterfiles
from ...state.blocks import Claimed, ClusterFiles
from ...vf.host import Host
from ...words.cluster import Definition, Holder, NodeRecord
from ...words.errors import CniError
from ...words.inet import Prefix, parse_prefix
from ...words.shown import moment
from .contact import fill
from .member import Clusters, inside, leased


@dataclass(slots=True)
class LocalBlock:
    """`state`: ours, claiming, releasing, lost. `holder`: who has a lost one."""

    block: Prefix
    pool: str
    state: str
    leased: int
    since: int
    holder: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "block": str(self.block),
            "pool": self.pool,
            "state": self.state,
            "leases": self.leased,
            "since": moment(self.since),
            "holder": self.holder,
        }


@dataclass(slots=True)
class PoolRow:
    """A pool of the cluster: how many blocks it has, and how many of them are taken."""

    definition: Definition
    taken: int

    @property
    def number(self) -> int:
        return 1 << self.definition.length - self.definition.subnet.length

    def to_json(self) -> dict[str, Any]:
        return {
            "subnet": str(self.definition.subnet),
            "blockLength": self.definition.length,
            "blocks": self.number,
            "taken": self.taken,
            "node": self.definition.node,
        }


@dataclass(slots=True)
class NodeRow:
    """`held` by the engine, with `capacity` for so many subnets. `leased` is what the node said last; of this one, what is now."""

    record: NodeRecord
    held: list[Prefix]
    is_here: bool
    leased: int

    @property
    def blocks(self) -> int:
        return len(self.held)

    @property
    def capacity(self) -> int:
        """Of a pool that it does not tell the cut of: as it was at the last contact."""
        cut = {parse_prefix(pool): length for pool, length in self.record.cut.items()}
        untold = sum(told[2] for pool, told in self.record.fill.items() if pool not in self.record.cut)
        return untold + sum(
            blocks.capacity(filter(pool.contains, self.held), length) for pool, length in cut.items()
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "node": self.record.node,
            "fingerprint": self.record.fingerprint,
            "here": self.is_here,
            "blocks": self.blocks,
            "held": [*map(str, self.held)],
            "leased": self.leased,
            "capacity": self.capacity,
            "contact": moment(self.record.contact),
            "draining": self.record.draining,
            "fault": self.record.fault,
        }


@dataclass(slots=True)
class Look:
    """`error`: why the engine's part is not there, "" where it is. `faults`: blocks whose holder cannot be read. `leased`: here, of
    all pools.
    """

    cluster: str
    node: str = ""
    fingerprint: str = ""
    local: list[LocalBlock] = field(default_factory=list)
    contact: int = 0
    failure: dict[str, Any] | None = None
    error: CniError | None = None
    pools: list[PoolRow] = field(default_factory=list)
    nodes: list[NodeRow] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    leased: int = 0
    damaged: list[str] = field(default_factory=list)

    @property
    def oldest(self) -> NodeRow | None:
        """Whose last contact is longest ago, by their own clocks."""
        return min((row for row in self.nodes if row.record.contact), key=_by_contact, default=None)

    def to_json(self) -> dict[str, Any]:
        oldest = self.oldest
        return {
            "cluster": self.cluster,
            "node": self.node,
            "fingerprint": self.fingerprint,
            "contact": moment(self.contact),
            "blocks": [one.to_json() for one in self.local],
            "failure": self.failure,
            "error": _error(self.error),
            "pools": [row.to_json() for row in self.pools],
            "nodes": [row.to_json() for row in self.nodes],
            "oldest": None
            if oldest is None
            else {"node": oldest.record.node, "contact": moment(oldest.record.contact)},
            "faults": self.faults,
            "damaged": self.damaged,
        }


def _by_contact(row: NodeRow) -> int:
    return row.record.contact


def _error(error: CniError | None) -> dict[str, Any] | None:
    return None if error is None else {"code": error.code, "msg": error.msg, "details": error.details}


def local(host: Host, name: str, data_dir: str) -> Look:
    """What is here, by the files of this node."""
    files = clusterfiles.of(host.ledger, name)
    found = Look(name)
    leases = leased(host, data_dir)
    for state, there in (
        ("ours", files.claimed()),
        ("claiming", files.claiming()),
        ("releasing", files.releasing()),
        ("lost", files.lost()),
    ):
        found.local += [_local(block, one, state, leases) for block, one in there.items()]
    found.leased = _leased(fill(files, leases))
    found.local.sort(key=lambda one: blocks.by_address(one.block))
    failure = files.failure()
    if failure is not None:
        found.failure = {"code": failure.code, "msg": failure.msg, "details": failure.details}
        found.failure |= {"at": moment(failure.at)}
    _known(files, found)
    return found


def _local(block: Prefix, one: Claimed, state: str, leases: list[Prefix]) -> LocalBlock:
    holder = str(one.holder.get("node") or one.holder.get("fingerprint") or "")
    return LocalBlock(block, one.pool, state, inside(block, leases), one.since, holder)


def _known(files: ClusterFiles, found: Look) -> None:
    """Nothing is made by a look: a node that was never in contact has no token yet."""
    try:
        contact = files.contact()
        found.contact = contact.at if contact else 0
        found.fingerprint = files.fingerprint if contact or found.local else ""
    except CniError as error:
        found.damaged.append(str(error))
    found.damaged += [str(error) for error in files.damaged]


def of_engine(found: Look, clusters: Clusters, deadline: float) -> None:
    """`error` where it cannot be asked: what is known of this node is shown all the same."""
    try:
        found.node = clusters.node(found.cluster)
        engine = clusters.open(found.cluster, deadline)
        definitions, _ = engine.definitions()
        holders, records = engine.blocks(), engine.nodes()
    except CniError as error:
        found.error = error
        return
    found.faults = [holder.fault for holder in holders.values() if holder.fault]
    found.pools = [_pool(one, holders) for one in definitions]
    held = _held(holders)
    rows = [(one, held.pop(one.fingerprint, [])) for one in records]
    rows += [(_unrecorded(holders[those[0]]), those) for fingerprint, those in held.items() if fingerprint]
    found.nodes = [_node(found, one, those) for one, those in rows]
    found.nodes.sort(key=lambda row: (row.record.node, row.record.fingerprint))


def _node(found: Look, record: NodeRecord, held: list[Prefix]) -> NodeRow:
    is_here = record.fingerprint == found.fingerprint
    return NodeRow(record, held, is_here, found.leased if is_here else _leased(record.fill))


def _leased(fill: dict[str, list[int]]) -> int:
    return sum(told[1] for told in fill.values())


def _held(holders: dict[Prefix, Holder]) -> dict[str, list[Prefix]]:
    """By fingerprint; "" has those whose holder cannot be read."""
    held: dict[str, list[Prefix]] = {}
    for block in sorted(holders, key=blocks.by_address):
        held.setdefault(holders[block].fingerprint, []).append(block)
    return held


def _unrecorded(holder: Holder) -> NodeRecord:
    fault = "it has blocks and no record"
    return NodeRecord(holder.fingerprint, holder.node, holder.machine, "", holder.since, 0, "", fault=fault)


def _pool(definition: Definition, holders: dict[Prefix, Holder]) -> PoolRow:
    taken = sum(definition.subnet.contains(block) for block in holders)
    return PoolRow(definition, taken)
