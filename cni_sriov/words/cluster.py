"""What nodes that share a pool tell each other: who has a block, what a pool is cut into, and how a node is."""

from __future__ import annotations

from dataclasses import dataclass, field

from .inet import Prefix

KEPT_NONCES = 64  # of a node: its last ones, by which it knows an engine of an older day


@dataclass(slots=True)
class Holder:
    """Who has a block: an installation (`fingerprint`), and what helps to find it. `since`, in seconds since 1970, is by
    that node's clock.

    `fault`: what is wrong with what stands there, "" = nothing. Then it is taken, nobody knows by whom, and `fingerprint`
    is "".
    """

    fingerprint: str
    node: str
    machine: str
    since: int
    fault: str = ""


@dataclass(slots=True)
class Definition:
    """A pool of the cluster and how long its blocks' prefixes are; `node` was the first one that has it so."""

    subnet: Prefix
    length: int
    node: str
    since: int


@dataclass(slots=True)
class NodeRecord:
    """An installation as it was at its last `contact`. `nonce` is new with each of them, `uid` that of the Kubernetes Node,
    "" = none. `fill` is [blocks, leased, capacity] by pool, and `cut` how long a subnet's prefix is of each pool that it uses or
    was about to: what is claimed behind the contact can be counted by it. `fault` as a Holder's.
    """

    fingerprint: str
    node: str
    machine: str
    uid: str
    since: int
    contact: int
    nonce: str
    draining: bool = False
    fill: dict[str, list[int]] = field(default_factory=dict)
    fault: str = ""
    cut: dict[str, int] = field(default_factory=dict)
