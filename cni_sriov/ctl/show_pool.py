"""What the operator sees of pools that nodes share."""

from __future__ import annotations

from typing import TextIO

from rich.text import Text

from ..words.cluster import Definition, NodeRecord
from ..words.inet import Prefix
from ..words.shown import moment
from .cluster.claim import Refilled
from .cluster.look import LocalBlock, Look, NodeRow, PoolRow
from .cluster.others import Meant
from .screen import Column, Screen, cell

_POOLS = [Column("pool"), Column("blocks of"), Column("taken", True), Column("of", True)]
_NODES = [
    Column("node", least=12),
    Column("fingerprint", least=8),
    Column("blocks", True),
    Column("leased", True),
    Column("of", True),
    Column("last contact", least=10),
    Column("state", least=8),
]
_BLOCKS = [Column("block here"), Column("pool", least=10), Column("leases", True), Column("state", least=8)]


def clusters(out: TextIO, found: list[Look]) -> None:
    screen = Screen(out)
    if not found:
        screen.line("this node is in no cluster: /etc/cni-sriov/clusters has no file")
    for number, one in enumerate(found):
        if number:
            screen.line("")
        _cluster(screen, one)


def _cluster(screen: Screen, one: Look) -> None:
    who = f", here node {one.node}" if one.node else ""
    screen.line(f"cluster {one.cluster}{who}", "bold")
    if one.error is not None:
        _told(screen, "the engine's part is not known", one.error.msg, one.error.details)
    else:
        _of_engine(screen, one)
    if one.local:
        screen.table(_BLOCKS, [_local_row(row) for row in one.local])
    else:
        screen.line("this node has no block of it", "dim")
    if one.failure is not None:
        _told(
            screen, f"the last refill failed, {one.failure['at']}", one.failure["msg"], one.failure["details"]
        )
    for text in (*one.faults, *one.damaged):
        screen.line(text, "red")


def _of_engine(screen: Screen, one: Look) -> None:
    if one.pools:
        screen.table(_POOLS, [_pool(row) for row in one.pools])
    if one.nodes:
        screen.table(_NODES, [_node(row) for row in one.nodes])
    oldest = one.oldest
    if oldest is not None and len(one.nodes) > 1:
        screen.line(f"oldest contact: {oldest.record.node}, {moment(oldest.record.contact)}", "dim")


def _told(screen: Screen, what: str, msg: str, details: str) -> None:
    screen.line(f"{what}: {msg}", "red")
    for line in details.splitlines():
        screen.line(line, indent=2)


def _pool(row: PoolRow) -> list[Text]:
    return [
        cell(row.definition.subnet),
        cell(f"/{row.definition.length}"),
        cell(row.taken, "red" if row.taken >= row.number else ""),
        cell(row.number),
    ]


def _node(row: NodeRow) -> list[Text]:
    state = row.record.fault or ("draining" if row.record.draining else "here" if row.is_here else "")
    return [
        cell(row.record.node),
        cell(row.record.fingerprint[:12]),
        cell(row.blocks),
        cell(row.leased),
        cell(row.capacity),
        cell(moment(row.record.contact)),
        cell(state, "red" if row.record.fault else ""),
    ]


def _local_row(row: LocalBlock) -> list[Text]:
    state = f"lost: {row.holder or 'another node'} has it" if row.state == "lost" else row.state
    return [
        cell(row.block),
        cell(row.pool),
        cell(row.leased),
        cell(state, "red" if row.state == "lost" else ""),
    ]


# what was done ------------------------------------------------------------------------------------------------------


def refilled(out: TextIO, cluster: str, done: Refilled, notes: list[str]) -> None:
    screen = Screen(out)
    for note in notes:
        screen.line(note, "yellow")
    for block in done.claimed:
        screen.line(f"claimed {block}", "green")
    if not done.claimed:
        screen.line(f"cluster {cluster}: nothing had to be claimed")


def released(out: TextIO, going: list[Prefix], kept: list[Prefix], dry_run: bool) -> None:
    screen = Screen(out)
    for block in going:
        screen.line(f"{block} {'would be given back' if dry_run else 'given back'}", "green")
    for block in kept:
        screen.line(f"{block} stays: subnets in it are leased; `sriovctl leases` lists them")
    if not going and not kept:
        screen.line("this node has no block")


def drained(out: TextIO, cluster: str, record: NodeRecord) -> None:
    if record.draining:
        text = "gives back its empty blocks at its next contact, and claims none"
        Screen(out).line(f"node {record.node} {text}; at once by `sriovctl pool refill {cluster}` there")
    else:
        Screen(out).line(f"node {record.node} may claim blocks again")


def question(out: TextIO, meant: Meant) -> None:
    """The answer is typed behind it."""
    screen = Screen(out)
    record = meant.record
    contact = moment(record.contact) or "never"
    screen.line(f"node {record.node}, {record.fingerprint}, last contact {contact}", "bold")
    blocks = ", ".join(map(str, meant.blocks)) or "no block"
    screen.line(f"has {blocks}", indent=2)
    screen.line(
        "Other nodes get these. If it runs, even where nobody can reach it, two containers get one address."
    )
    screen.ask(f"Type its name, {record.node}, if it is no more:")


def declined(out: TextIO) -> None:
    Screen(out).line("nothing was changed")


def forgotten(out: TextIO, meant: Meant, gone: list[Prefix], dry_run: bool) -> None:
    screen = Screen(out)
    what = "would be forgotten" if dry_run else "is forgotten"
    blocks = f", and free: {', '.join(map(str, gone))}" if gone else ", it had no block"
    screen.line(f"node {meant.record.node} {what}{blocks}", "" if dry_run else "green")
    if meant.is_dead:
        screen.line(
            f"its Node is gone, or is another by its UID than the {meant.record.uid} that it said", "dim"
        )


def undefined(out: TextIO, cluster: str, was: Definition, dry_run: bool) -> None:
    what = "would be undefined" if dry_run else "is undefined"
    Screen(out).line(
        f"pool {was.subnet} of cluster {cluster}, in blocks of /{was.length} by node {was.node}, {what}: the next node that"
        " uses it says how it is cut",
        "" if dry_run else "green",
    )
