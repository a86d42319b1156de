"""What makes a VF, a MAC, a lease free again when nobody says DEL: by proof only (rule 10 of the design).

Loaded only where something is in the way. All of it acts on others' attachments, each under its own lock: gotten at
once, or waited for where its holder is giving back already, which needs no other attachment's lock and so comes to
an end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..state.files import Lock
from ..vf.host import Host
from ..words.domain import Attachment, Record
from ..words.errors import CniError, KernelRefused
from . import giveback

GIVING_BACK = ("DEL", "GC", "reclaim", "sriovctl gc")  # verbs as locks name them
REMEDY = "`sriovctl gc` takes back what is provably dead"


def sweep(host: Host, pfs: set[str] | None, verify_timeout_ms: int) -> bool:
    """Give back all that provably nobody owns, of these PFs (None = all); each is logged. False: there was nothing."""
    taken = [
        record.vf
        for record in host.ledger.claims()
        if (pfs is None or record.pf in pfs) and _of_claim(host, record, verify_timeout_ms, 0)
    ]
    if host.ledger.cache_names():
        from . import adopt

        taken += adopt.reclaim(host, verify_timeout_ms, pfs)
    return bool(taken)


def of_vf(host: Host, vf: str, claimed: bool, verify_timeout_ms: int, until: float) -> bool:
    """Give that VF back, if whoever has it is provably dead; until then (time.monotonic), wait for who is doing it.
    True: look again. `claimed`: so it was seen.
    """
    claim = host.ledger.claim_on(vf)
    if claim is not None:
        return _of_claim(host, claim, verify_timeout_ms, until)
    if claimed and vf not in host.ledger.claimed():
        return True  # it was given back just now
    if not host.ledger.cache_names():
        return False
    from . import adopt

    return bool(adopt.reclaim(host, verify_timeout_ms, vf=vf, until=until))


def of_attachment(host: Host, attachment: Attachment, verify_timeout_ms: int, until: float) -> bool:
    """The same for whoever holds a lease, with the VF that it has, if any."""
    return take_back(host, attachment, lambda: host.record_of(attachment), verify_timeout_ms, until)


def _of_claim(host: Host, claim: Record, verify_timeout_ms: int, until: float) -> bool:
    def look() -> Record | None:
        record = host.ledger.claim_of(claim.pf, claim.vf)
        if record is None or record.attachment != claim.attachment:
            return None
        found = host.ledger.find(claim.attachment)
        return found if found is not None and found.vf == claim.vf else record

    if take_back(host, claim.attachment, look, verify_timeout_ms, until):
        return True
    now = host.ledger.claim_of(
        claim.pf, claim.vf
    )  # a DEL, or the undo of an ADD, may have been quicker than we
    return now is None or now.attachment != claim.attachment


def take_back(
    host: Host,
    attachment: Attachment,
    look: Callable[[], Record | None],
    verify_timeout_ms: int,
    until: float = 0,
) -> bool:
    """Give back what `look` finds under the attachment's lock, if that is dead. True also where it is gone by then."""
    lock = host.ledger.attachment_lock(attachment, "reclaim")
    known = os.path.lexists(lock.path)
    waited = _acquire(lock, until)
    if waited is None:
        return False
    try:
        record = look()
        if record is None:
            if waited or not known:
                lock.forget()  # it is ours alone
            return waited
        reason = death_proof(host, record)
        if reason:
            host.ledger.open()  # host-subnet's door did not need it so far
        if not reason or not giveback.give_back(host, record, verify_timeout_ms):
            return False
        host.log.warning("reclaimed", vf=record.vf, attachment=attachment, reason=reason)
        lock.forget()
        return True
    except (CniError, KernelRefused) as error:
        host.log.warning("reclaim failed", attachment=attachment, reason=error)
        return False
    finally:
        lock.release()


def _acquire(lock: Lock, until: float) -> bool | None:
    """Whether we waited for it; None: whoever holds it is alive and not giving back. TryAgain names who takes too long."""
    waited = False
    while not lock.try_acquire():
        left = until - time.monotonic()
        verb = lock.held_for() if left > 0 else ""
        if left <= 0 or verb not in {None, *GIVING_BACK}:
            return None
        waited = True
        if verb:
            lock.acquire(left)
            break
    return waited


def death_proof(host: Host, record: Record) -> str:
    """Why nobody can own this attachment any more, "" if somebody may. The caller holds its lock."""
    if record.boot_id != host.ledger.boot_id:
        return "it is of an earlier boot"
    lost = host.lost_vf(record)
    if lost:
        return lost
    claimed = host.ledger.claim_of(record.pf, record.vf)
    if claimed is not None and claimed.attachment != record.attachment:
        return f"its VF is {claimed.attachment}'s by now"
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


def holder(record: Record) -> str:
    """Who has a VF, for the one who cannot have it."""
    what = " (deleted, but its VF is not back yet)" if record.status == "released" else ""
    return f"{record.attachment} of network {record.network}{what}"
