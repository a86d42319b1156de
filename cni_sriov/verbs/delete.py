"""DEL: give back what this attachment holds, from its Record. Nothing there is success, again and again."""

from __future__ import annotations

from .. import ipam
from ..conf import hostsubnet
from ..ipam import delegate, own
from ..owner import giveback, records
from ..vf.call import Call
from ..words.domain import Request
from ..words.errors import CniError
from ..words.lease import LeaseDir


def run(call: Call) -> None:
    """Works from the Record, not from CNI_NETNS: runtimes send "", and the VF may be back in the host already.

    Where there is no Record either, what made the conf unreadable is raised.
    """
    request, host = call.request, call.host
    if request.fault is not None and records.record_of(host, request.attachment) is None:
        raise request.fault
    host.ledger.open_for(request.attachment)
    with host.ledger.attachment_lock(request.attachment, "DEL") as lock:
        record = records.record_of(host, request.attachment)
        if record is None and not lock.is_new:
            host.ledger.refuse_unclear(request.attachment)
            host.ledger.forget_half(request.attachment)
        # leases that no Record tells of: it was damaged in both copies, or they were imported since (sriovctl import)
        where = _lease_dir(request) if record is None or ipam.of(record) is delegate else None
        done = False
        try:
            done = record is None or giveback.give_back(host, record, call.conf.verify_timeout_ms)
        finally:
            # what is given back is not asked after: it would be claimed again
            if where is not None and (record is None or done or not giveback.is_out(host, record)):
                own.release_leases(host, request.attachment, where)
        if record is None:
            host.log.debug("nothing to delete", attachment=request.attachment)
        elif done:
            host.log.routine("detached", vf=record.vf, network=record.network)
        if done:
            lock.forget()  # else it stays, as the Record does


def _lease_dir(request: Request) -> LeaseDir | None:
    """Where the conf's leases are; None if it says nothing that can be used, which must not stop a DEL."""
    section = request.conf.get("ipam")
    if not hostsubnet.is_asked(section):
        return None
    try:
        return hostsubnet.parse_lease_dir(section)
    except CniError:
        return None
