"""DEL: give back what this attachment holds, from its Record. Nothing there is success, again and again."""

from __future__ import annotations

from .. import release, reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..domain import Request
    from ..host import Host
    from ..netconf import NetConf


def run(request: Request, conf: NetConf, lease_place: tuple[str, str] | None, host: Host) -> None:
    """Works from the Record, not from CNI_NETNS: runtimes send "", and the VF may be back in the host already."""
    host.ledger.open()
    with host.ledger.attachment_lock(request.attachment, "DEL") as lock:
        record = host.ledger.find(request.attachment)
        if record is None:
            host.log.debug("nothing to delete", attachment=request.attachment)
            if lease_place is not None:  # a lease without a Record: the Record was damaged in both copies
                reservation.release_attachment(host, request.attachment, *lease_place)
        elif not release.give_back(host, record, conf.verify_timeout_ms):
            return  # the lock's file stays: the Record does
        lock.forget()
