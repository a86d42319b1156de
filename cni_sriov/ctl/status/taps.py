"""Attachments to the host's VPP: a tap for each, and no VF."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...ipam import own
from ...vf.host import Host
from ...words.failures import Failures
from ...words.lease import Lease
from ...words.record import Record
from .. import node, owned, places
from ..node import State


@dataclass(slots=True)
class Tap:
    """`state`, `reason` and `kept_by` as of a VF (node.VfRow)."""

    record: Record
    leases: list[Lease]
    state: State
    reason: str = ""
    kept_by: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    @property
    def socket(self) -> str:
        return places.socket(self.record)

    def to_json(self) -> dict[str, Any]:
        return {
            "owner": owned.owner(self.record),
            "socket": self.socket,
            "leases": [owned.lease(lease) for lease in self.leases],
            "state": self.state,
            "reason": self.reason,
            "keptBy": self.kept_by,
            "inside": self.inside,
        }


def look(host: Host, failures: Failures) -> list[Tap]:
    """By container and interface. VPP is not asked: it may not answer for long."""
    found = []
    records = [record for record in node.records(host) if not record.vf]
    held = {one.attachment: one.leases for _, one in own.all_holdings(host)} if records else {}
    for record in sorted(records, key=lambda one: str(one.attachment)):
        with failures.of(attachment=record.attachment):
            found.append(Tap(record, held.get(record.attachment, []), *node.state_of(host, record)))
    return found
