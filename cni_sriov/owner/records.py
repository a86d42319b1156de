"""The Record of an attachment: ours, or one made of what sriov-cni left."""

from __future__ import annotations

from ..vf.host import Host
from ..words.domain import Attachment, Record
from . import adopt


def record_of(host: Host, attachment: Attachment) -> Record | None:
    """Its Record; where it has none, but sriov-cni left a file for it, one made of that."""
    record = host.ledger.find(attachment)
    if record is None and host.ledger.has_cache(attachment):
        return adopt.find(host, attachment)
    return record
