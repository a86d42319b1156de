"""What an attachment holds, given back from its Record: used by ADD's undo, DEL and reclaim, so they cannot drift apart.
Every inverse is idempotent: what is already so is left alone, what is gone is success. Those of the VF: vf/restore.py.

The VF first, and its addresses with it or not at all: a container that still has the VF still has them
(docs/design/0013-freed-together.md).
"""

from __future__ import annotations

from .. import ipam
from ..ipam import delegate
from ..state import deviceinfo
from ..vf import handover, nodes, restore, vppcontainer
from ..vf.card import NotYet
from ..vf.host import Host
from ..words.failures import Failures
from ..words.record import Record


def give_back(host: Host, record: Record, verify_timeout_ms: int) -> bool:
    """Everything an attachment holds, the Record last: ADD's undo, DEL, GC and reclaim all end here.

    False: the VF is not as it was yet, and repeating the call at once would not help (card.NotYet). The Record stays as
    "released", with the addresses if the container may still use the VF, and a later call finishes. Raises after having
    done all it could; the Record then stays as it was.
    """
    failures = Failures()
    with failures.of():
        _forget_device_info(record)
    for forget in (nodes.withdraw, vppcontainer.forget) if record.plane is not None else ():
        with failures.of():
            forget(host, record)
    early = _is_to_be_told_first(host, record)
    is_free = early and _free(host, record, failures)  # dhcp says its goodbye through the interface
    before = len(failures.reasons)
    away = _return_vf(host, record, verify_timeout_ms, failures)
    is_back = away is None and len(failures.reasons) == before
    if not early and (is_back or not is_out(host, record)):
        is_free = _free(host, record, failures)
    if failures.reasons:
        raise failures.reasons[0]
    if away is None:
        host.ledger.forget(record)
    else:
        _keep(host, record, away, is_free)
    return away is None


def is_out(host: Host, record: Record) -> bool:
    """Whether the container may still use its VF. What cannot be told is not absence."""
    with Failures().of():
        return is_its(host, record) and handover.of(record).is_out(host, record)
    return True


def _is_to_be_told_first(host: Host, record: Record) -> bool:
    if ipam.of(record) is delegate:
        with Failures().of():
            return handover.of(record).is_in_pod(host, record)
    return False


def is_its(host: Host, record: Record) -> bool:
    return record.boot_id == host.ledger.boot_id and host.ledger.owns(record)


def _free(host: Host, record: Record, failures: Failures) -> bool:
    with failures.of():
        ipam.of(record).release(host, record)
        return True
    return False


def _return_vf(host: Host, record: Record, verify_timeout_ms: int, failures: Failures) -> NotYet | None:
    with failures.of():
        try:
            if is_its(host, record):
                if record.vf:
                    restore.return_vf(host, record, verify_timeout_ms)
                else:
                    handover.of(record).take_home(host, record)
        except NotYet as reason:
            return reason
    return None


def _keep(host: Host, record: Record, reason: NotYet, is_free: bool) -> None:
    record.status, record.device_info = "released", ""
    if is_free:
        record.leases, record.addresses, record.ipam = [], [], {}
    host.ledger.put(record)
    host.log.warning(
        f"{'the VF' if record.vf else record.device} is not back yet",
        vf=record.vf,
        attachment=record.attachment,
        reason=reason,
    )


def _forget_device_info(record: Record) -> None:
    if record.device_info:
        deviceinfo.remove(record)
