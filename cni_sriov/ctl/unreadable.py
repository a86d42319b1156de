"""State files that say nothing that we know, on all of the node."""

from __future__ import annotations

from ..ipam import own
from ..vf.host import Host
from ..words.failures import Failures
from . import node


def look(host: Host) -> list[dict[str, str]]:
    """State files that say nothing that we know. The `vf` of a claim is its name, and taken."""
    claims, found = f"{host.ledger.run_dir}/claims/", host.ledger.unreadable_claims()
    for ledger in node.ledgers(host):
        found += ledger.unreadable_records()
    failures = Failures(host.log.error, "leases are left out")
    for store in own.stores(host):
        with failures.of(directory=store.where.path):
            found += store.unreadable()
    return [
        {
            "file": error.path,
            "reason": error.why,
            "writtenBy": error.by,
            "vf": _vf_of(error.path) if error.path.startswith(claims) else "",
            "remedy": error.details,
        }
        for error in found
    ]


def _vf_of(claim: str) -> str:
    """By its name; that of an attachment without a VF is the attachment's."""
    name = claim.rpartition("+")[2]
    return "" if "@" in name else name
