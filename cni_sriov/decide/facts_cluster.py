"""What this node has of the clusters whose pools it shares, by its own files, for the doctor's rules: no engine is asked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class FileFault:
    """What is wrong with a cluster's file, without any value of it. `command` puts it right, "" = hands do."""

    why: str
    command: str = ""


@dataclass(slots=True)
class LostBlock:
    """`holder`: the node that the engine named, "" = `file` does not say. `users`: who of this node has which subnet in it."""

    block: str
    file: str
    holder: str
    users: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Refused:
    """Why the last refill failed, `ago` seconds before now. `file` says it."""

    file: str
    msg: str
    details: str
    ago: float


@dataclass(slots=True)
class Cluster:
    """`path`: where its blocks are; `file`: the operator's, with its `faults`; `networks`: the files that name it.

    `contact` is how many seconds ago its engine was last spoken to, None = never, or nothing tells; an ADD
    has it asked `every` so many. Of the subnets in its `blocks` that are in use, `leased` is the number, and `newest` how many
    seconds ago the last one was leased. `low`: the
    pools of which less than a quarter of a block is left here. `is_copied`: the blocks are another machine's by its
    machine-id; `is_stopped`: they may be, by the engine's word.
    """

    name: str
    path: str
    file: str
    networks: list[str] = field(default_factory=list)
    faults: list[FileFault] = field(default_factory=list)
    blocks: int = 0
    lost: list[LostBlock] = field(default_factory=list)
    contact: float | None = None
    every: int = 3600
    leased: int = 0
    newest: float | None = None
    low: list[str] = field(default_factory=list)
    refused: Refused | None = None
    is_copied: bool = False
    is_stopped: bool = False
