"""The subnets that are given out, on all of the node."""

from __future__ import annotations

from typing import Any

from ..ipam import own
from ..leases.holding import Holding
from ..leases.store import Store
from ..vf.host import Host
from ..words.inet import parse_prefix
from ..words.lease import Lease


def leases(host: Host) -> list[dict[str, Any]]:
    """All leases of all data directories, by scope and subnet."""
    everything = own.all_holdings(host)
    found = [_lease(store, holding, lease) for store, holding in everything for lease in holding.leases]
    return sorted(found, key=_by_subnet)


def _lease(store: Store, holding: Holding, lease: Lease) -> dict[str, Any]:
    """`containerID` "" = it waits for its pod, whose key is `sticky`."""
    who = holding.attachment
    return {
        "scope": lease.scope,
        "subnet": lease.subnet,
        "address": lease.address,
        "gateway": lease.gateway,
        "network": holding.network,
        "containerID": who.container_id if who else "",
        "ifname": who.ifname if who else "",
        "sticky": lease.sticky,
        "dataDir": store.where.data_dir,
    }


def _by_subnet(lease: dict[str, Any]) -> tuple[str, int, int, int]:
    prefix = parse_prefix(lease["subnet"])
    return lease["scope"], prefix.version, prefix.value, prefix.length
