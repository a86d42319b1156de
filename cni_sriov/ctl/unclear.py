"""host-local's files that do not say which interface has their address: found out, or kept from being leased.

Whoever has the address may live, so a file that is merely passed over would give it to a second one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..vf.host import Host
from ..wire import sriovcni
from ..words import jsontext
from ..words.domain import Attachment
from ..words.errors import BadJson
from ..words.lease import Lease
from . import hostlocal, node

RESULTS = "/var/lib/cni/results"  # libcni's default (containernetworking/cni v1.3.0, libcni/api.go, CacheDir)
UNKNOWN = "unknown"
_LARGEST_RESULT = 1 << 20


@dataclass(slots=True)
class Skipped:
    """`kept` says why nobody else gets the address."""

    unclear: hostlocal.Unclear
    kept: str

    def to_json(self) -> dict[str, Any]:
        found = self.unclear
        return {"address": found.address, "file": found.file, "reason": found.why, "kept": self.kept}


def name_owners(host: Host, found: hostlocal.Files, network: str, store: str) -> None:
    """The interface that an old file does not name, where its container has but one in that network."""
    if not found.unclear:
        return
    records = [record.attachment for record in node.records(host) if record.network == network]
    caches = {RESULTS, f"{os.path.dirname(store.rstrip('/'))}/results"}
    for unclear in list(found.unclear):
        who = unclear.container_id
        names = {one.ifname for one in records if one.container_id == who}
        for results in caches if who else ():
            names |= _interfaces(results, network, who)
        if len(names) == 1:  # host-local too frees all of a container's old files at the DEL of any interface
            found.held[unclear.address] = Attachment(who, names.pop())
            found.unclear.remove(unclear)


def _interfaces(results: str, network: str, container_id: str) -> set[str]:
    """The container's interfaces in that network, by what libcni keeps of each ADD.

    <results>/<network>-<containerID>-<interface> (containernetworking/cni v1.3.0, libcni/api.go, getCacheFilePath);
    since 2019 the file says them again, so that a - in a name cannot mislead.
    """
    start = f"{network}-{container_id}-"
    found = set()
    for name in os.listdir(results) if os.path.isdir(results) else []:
        if not name.startswith(start):
            continue
        try:
            said = jsontext.parse_object(hostlocal.text_of(f"{results}/{name}", _LARGEST_RESULT))
        except BadJson:
            said = {}
        whose = said.get("networkName", network), said.get("containerId", container_id)
        ifname = name.removeprefix(start)
        if whose == (network, container_id) and sriovcni.is_attachment(container_id, ifname):
            found.add(ifname)
    return found


def hold(
    unclear: list[hostlocal.Unclear], lease_of: Callable[[str], Lease], owners: dict[str, str]
) -> tuple[dict[Attachment, list[Lease]], list[Skipped]]:
    """An address that a pool could give is leased to a name of its own. `owners`: {subnet: whose it is}."""
    leases: dict[Attachment, list[Lease]] = {}
    skipped = []
    for found in unclear:
        who = Attachment(found.container_id or f"host-local-{found.address.replace(':', '-')}", UNKNOWN)
        try:
            lease = lease_of(found.address)
        except ValueError as error:
            skipped.append(Skipped(found, f"it {error}"))
            continue
        if lease.subnet in owners:
            skipped.append(Skipped(found, f"{lease.subnet} is that of {owners[lease.subnet]}"))
            continue
        owners[lease.subnet] = f"{found.address} of {who}"
        leases.setdefault(who, []).append(lease)
        skipped.append(Skipped(found, f"leased as {who}"))
    return leases, skipped
