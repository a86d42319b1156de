"""What an attachment holds, given back from its Record: used by ADD's undo, DEL and reclaim, so they cannot drift apart.
Every inverse is idempotent: what is already so is left alone, what is gone is success. Those of the VF: vf/restore.py.
"""

from __future__ import annotations

from .. import ipam
from ..state import deviceinfo
from ..vf import restore
from ..vf.card import NotYet
from ..vf.host import Host
from ..words.failures import Failures
from ..words.record import Record


def give_back(host: Host, record: Record, verify_timeout_ms: int) -> bool:
    """Everything an attachment holds, the Record last: ADD's undo, DEL, GC and reclaim all end here.

    False: all is free but the VF: its netdev is in a netns that neither can be reached nor dies, or its PF is down,
    without carrier or in another netns, so that its settings cannot be restored. The Record stays as "released", and a later call
    finishes. Raises after having done all it could; the Record then stays as it was.
    """
    failures = Failures()
    for inverse in (ipam.release, _forget_device_info):
        with failures.of():
            inverse(host, record)
    try:
        if record.boot_id == host.ledger.boot_id and host.ledger.owns(record):
            restore.return_vf(host, record, verify_timeout_ms)
    except NotYet as reason:
        if not failures.reasons:
            record.status, record.leases, record.addresses, record.ipam = "released", [], [], {}
            record.device_info = ""
            host.ledger.put(record)
            host.log.warning(
                "the VF is not back yet", vf=record.vf, attachment=record.attachment, reason=reason
            )
            return False
    if failures.reasons:
        raise failures.reasons[0]
    host.ledger.forget(record)
    return True


def _forget_device_info(_: Host, record: Record) -> None:
    if record.device_info:
        deviceinfo.remove(record)
