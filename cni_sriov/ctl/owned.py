"""Whose a VF, a tap or a lease is, as JSON has it everywhere. A contract (conf/status.schema.json): keys are only ever added."""

from __future__ import annotations

from typing import Any

from ..words.lease import Lease
from ..words.origin import Origin
from ..words.record import Record
from ..words.shown import moment


def owner(record: Record) -> dict[str, str]:
    """`podNamespace`, `podName` and `podUID` are the runtime's words (CNI_ARGS); podman says a name alone."""
    origin = Origin.of(record.origin)
    return {
        "containerID": record.attachment.container_id,
        "ifname": record.attachment.ifname,
        "network": record.network,
        "netns": record.netns,
        "pod": origin.pod,
        "podNamespace": origin.namespace,
        "podName": origin.name,
        "podUID": origin.uid,
        "since": moment(origin.since),
    }


def pod_of(record: Record) -> str:
    """What the runtime called it: namespace/name of a pod, or the name of podman's container; "" if it said nothing."""
    return Origin.of(record.origin).pod


def lease(one: Lease) -> dict[str, Any]:
    """`pool`: what it was cut from. `sticky`: the pod's key that it is kept for, "" = it is not."""
    return {
        "subnet": one.subnet,
        "address": one.address,
        "gateway": one.gateway,
        "scope": one.scope,
        "pool": one.pool,
        "sticky": one.sticky,
    }
