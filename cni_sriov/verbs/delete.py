"""DEL: give back what this attachment holds, from its Record. Nothing there is success, again and again."""

from __future__ import annotations

from .. import ipam
from ..conf.netconf import NetConf
from ..ipam import delegate, own
from ..owner import giveback, records
from ..vf.host import Host
from ..words.domain import Request
from ..words.lease import LeaseDir


def run(request: Request, conf: NetConf, lease_dir: LeaseDir | None, host: Host) -> None:
    """Works from the Record, not from CNI_NETNS: runtimes send "", and the VF may be back in the host already."""
    host.ledger.open_for(request.attachment)
    with host.ledger.attachment_lock(request.attachment, "DEL") as lock:
        record = records.record_of(host, request.attachment)
        # leases that no Record tells of: it was damaged in both copies, or they were imported since (sriovctl import)
        where = lease_dir if record is None or ipam.of(record) is delegate else None
        try:
            done = record is None or giveback.give_back(host, record, conf.verify_timeout_ms)
        finally:
            if where is not None:
                own.release_leases(host, request.attachment, where)
        if record is None:
            host.log.debug("nothing to delete", attachment=request.attachment)
        if done:
            lock.forget()  # else it stays, as the Record does
