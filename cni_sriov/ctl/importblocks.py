"""Leases that are imported into a shared pool: the blocks that they lie in must be this node's, and are claimed."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..conf.hostsubnet import IpamConf
from ..conf.pools import Pool
from ..decide import subnets
from ..ipam import shared
from ..vf.host import Host
from ..words.errors import SubnetConflict
from ..words.inet import Prefix, parse_prefix, prefix_around
from ..words.lease import Lease

Wanted = list[tuple[Pool, Prefix]]


def missing(host: Host, conf: IpamConf, leases: Iterable[Lease]) -> Wanted:
    """The blocks that this node does not have, each once."""
    shared.bound(conf.shared, host.ledger.cluster)
    found: Wanted = []
    for lease in leases:
        pool, subnet = _place(conf, lease)
        if not subnets.is_ours(pool, subnet):
            wanted = pool, prefix_around(subnet.version, subnet.value, shared.blocks(pool).length)
            found += [wanted] if wanted not in found else []
    return found


def claim(host: Host, wanted: Wanted) -> None:
    """As an ADD that asks for an address does. Another node's is the error, which names it, and nothing is imported; what was
    claimed before it stays this node's.
    """
    for pool, block in wanted:
        shared.claim(host, pool, time.monotonic() + shared.DEADLINE_S, "--block", str(block))


def check(host: Host, conf: IpamConf, leases: Iterable[Lease]) -> None:
    """Under the subnets' lock: a block may have been lost meanwhile."""
    shared.bound(conf.shared, host.ledger.cluster)
    for lease in leases:
        if not subnets.is_ours(*_place(conf, lease)):
            raise SubnetConflict(
                f"lease {lease.subnet}: its block is not this node's any more", "see `sriovctl pool`"
            )


def _place(conf: IpamConf, lease: Lease) -> tuple[Pool, Prefix]:
    subnet = parse_prefix(lease.subnet)
    return next(pool for pool in conf.pools if pool.holds(subnet)), subnet
