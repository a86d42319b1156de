"""The subnets that are given out, on all of the node."""

from __future__ import annotations

from typing import Any

from ..ipam import own
from ..leases.holding import Holding
from ..leases.store import Store
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.failures import Failures
from ..words.inet import parse_prefix
from ..words.lease import Lease
from ..words.shown import moment
from . import node, owned


def leases(host: Host) -> list[dict[str, Any]]:
    """All leases of all data directories, by scope and subnet."""
    everything = list(own.all_holdings(host))
    pods: dict[Attachment, str] = {}
    with Failures().of():  # a name alone depends on it
        pods = {record.attachment: owned.pod_of(record) for record in node.records(host)}
    found = [_lease(store, holding, lease, pods) for store, holding in everything for lease in holding.leases]
    return sorted(found, key=_by_subnet)


def _lease(store: Store, holding: Holding, lease: Lease, pods: dict[Attachment, str]) -> dict[str, Any]:
    """`containerID` "" = it waits for its pod, whose key is `sticky`. `pod` "" too where another plugin has the lease: it is
    the Record that knows.
    """
    who = holding.attachment
    return owned.lease(lease) | {
        "network": holding.network,
        "containerID": who.container_id if who else "",
        "ifname": who.ifname if who else "",
        "pod": pods.get(who, "") if who else "",
        "netns": holding.netns,
        "since": moment(holding.created),
        "dataDir": store.where.data_dir,
    }


def _by_subnet(lease: dict[str, Any]) -> tuple[str, int, int, int]:
    prefix = parse_prefix(lease["subnet"])
    return lease["scope"], prefix.version, prefix.value, prefix.length
