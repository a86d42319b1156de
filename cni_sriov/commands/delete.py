"""DEL: give back what this attachment holds, from its Record. Nothing there is success, again and again."""

from __future__ import annotations

from .. import release, reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..domain import Request
    from ..host import Host
    from ..netconf import NetConf
    from ..poolconf import IpamConf


def run(request: Request, conf: NetConf, ipam_conf: IpamConf | None, host: Host) -> None:
    """Works from the Record, not from CNI_NETNS: runtimes send "", and the VF may be back in the host already."""
    host.ledger.open()
    with host.ledger.attachment_lock(request.attachment, "DEL") as lock:
        record = host.ledger.find(request.attachment)
        if record is None:
            host.log.debug("nothing to delete", attachment=request.attachment)
            _release_stray_lease(request, ipam_conf, host)
        elif not release.give_back(host, record, conf.verify_timeout_ms):
            return  # the lock's file stays: the Record does
        lock.forget()


def _release_stray_lease(request: Request, ipam_conf: IpamConf | None, host: Host) -> None:
    """A lease without a Record: its Record was damaged in both copies."""
    if ipam_conf is not None:
        reservation.release_attachment(host, request.attachment, ipam_conf.data_dir, ipam_conf.scope)
