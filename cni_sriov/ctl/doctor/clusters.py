"""What this node has of the clusters whose pools it shares. Looks at its files only: an engine that is away would keep the
doctor waiting, and what the last one who asked was told is written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from ...conf.cluster import path_of
from ...decide.facts_cluster import Cluster, FileFault, LostBlock, Refused
from ...decide.facts_runtime import Network
from ...ipam import own
from ...leases.directory import STICKY, Directory
from ...state import blocks, files
from ...state.blocks import ClusterFiles
from ...state.nodeblocks import CONTACT_S
from ...vf.host import Host
from ...words.failures import Failures
from ...words.inet import Prefix, name_of, parse_prefix
from .. import clusterjson
from ..cluster import claim

JudgeFile = Callable[[str], list[FileFault]]
Lease = tuple[Prefix, str, float]  # who has it, and how many seconds ago it was made


def look(
    host: Host, failures: Failures, networks: Iterable[Network], data_dir: str, judge: JudgeFile | None = None
) -> list[Cluster]:
    """Those that a network names, or that this node has something of."""
    named = {(name, network.path) for network in networks for name in network.clusters}
    leases: list[Lease] = []
    names: list[str] = []
    with failures.of(part="clusters"):
        names = sorted({*host.ledger.clusters(), *(name for name, _ in named)})
    if names:
        with failures.of(part="leases of shared pools"):
            leases = _leases(host)
    found = []
    for name in names:
        with failures.of(cluster=name):
            found.append(_cluster(host, name, leases, data_dir))
            found[-1].networks = sorted(path for other, path in named if other == name)
            found[-1].faults = (judge or clusterjson.faults)(found[-1].file)
    return found


def _cluster(host: Host, name: str, leases: list[Lease], data_dir: str) -> Cluster:
    there = blocks.of(host.ledger, name)
    found = Cluster(name, there.path, path_of(name), every=CONTACT_S)
    ours = there.names()
    mine = [age for lease, _, age in leases if any(block.overlaps(lease) for block in ours)]
    found.blocks, found.leased, found.newest = len(ours), len(mine), min(mine, default=None)
    found.lost = [_lost(there, block, who, leases) for block, who in there.lost_to().items()]
    found.contact = _age(f"{there.path}/contact")
    found.refused = _refused(there)
    if not there.was_contacted():  # as an ADD looks at both (ipam/shared.py)
        found.is_copied, found.is_stopped = bool(ours) and there.is_of_another_machine(), there.is_stopped()
    found.low = [str(subnet) for one in claim.low(host, there, data_dir) for subnet in one.subnets]
    return found


def _lost(there: ClusterFiles, block: Prefix, holder: str, leases: list[Lease]) -> LostBlock:
    users = [f"{who} ({lease})" for lease, who, _ in leases if block.overlaps(lease)]
    return LostBlock(str(block), f"{there.path}/lost/{name_of(block)}", holder, sorted(users))


def _refused(there: ClusterFiles) -> Refused | None:
    failure = there.failure()
    if failure is None:
        return None
    file = f"{there.run_path}/failure"
    return Refused(file, failure.msg, failure.details, _age(file) or 0.0)


def _age(path: str) -> float | None:
    """By the file, since a recording has how old each was, and is looked at later. A clock may have been put back."""
    written = files.modified(path)
    return None if written is None else max(time.time() - written, 0.0)


def _leases(host: Host) -> list[Lease]:
    """All that this node has, whatever pool they are of."""
    found = []
    for there, holding in own.all_holdings(host):
        who = str(holding.attachment or "kept for a pod")
        directory = Directory(there.where, there.node.boot_id if holding.attachment else STICKY)
        for lease in holding.leases:
            subnet = parse_prefix(lease.subnet)
            found.append((subnet, who, _age(f"{directory.leases}/{name_of(subnet)}") or 0.0))
    return found
