"""Proofs that nobody can own an attachment any more (rule 10 of the design): nothing is taken back without one."""

from __future__ import annotations

from ..vf.host import Host
from ..words.domain import Record


def proof(host: Host, record: Record) -> str:
    """Why nobody can own this attachment any more, "" if somebody may. The caller holds its lock."""
    if record.boot_id != host.ledger.boot_id:
        return "it is of an earlier boot"
    lost = host.lost_vf(record)
    if lost:
        return lost
    has = host.ledger.claimant(record)
    if has not in {None, record.attachment}:
        return f"its VF is {has}'s by now"
    if record.status == "in-progress":
        return "its ADD died"
    # where CNI_NETNS_OVERRIDE let the container be in the host, a living one's VF is there as well
    away = record.status == "released" or not host.is_in_own_netns(record)
    if away and host.vf_link(record.vf) is not None:
        return "the VF is back in the host"
    # its driver was taken off to end what was stacked on it (stacked.make_anew), and did not come back
    given_up = record.status == "released" or record.anew
    return (
        "its DEL gave it up, and it has no netdev"
        if given_up and not host.sysfs.has_netdev(record.vf)
        else ""
    )
