"""What makes a VF, a MAC, a lease free again when nobody says DEL: by proof only (rule 10 of the design).

Loaded only where something is in the way. All of it acts on others' attachments, each under its own lock: gotten at
once, or waited for where its holder is giving back already, which needs no other attachment's lock and so comes to
an end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from ..conf.netconf import NetConf
from ..decide import choose
from ..state.files import LOCK_DEADLINE_S, Lock
from ..vf import cachefiles, card, claim, handover
from ..vf.host import Host
from ..wire import sriovcni
from ..words.domain import PF, Attachment, Record
from ..words.errors import CniError, KernelRefused, MacInUse, NoFreeVf
from . import adopt, giveback, records

Done = TypeVar("Done")
Failure = TypeVar("Failure", bound=CniError)

GIVING_BACK = ("DEL", "GC", "reclaim", "sriovctl gc")  # verbs as locks name them
REMEDY = "`sriovctl gc` takes back what is provably dead"


def then_again(
    act: Callable[[], Done], *errors: type[Failure], make_way: Callable[[Failure, float], bool]
) -> Done:
    """`act`. Fails it with one of the errors, make way for it, and then again: as long as `make_way` can do something, but
    not for longer than anybody waits for a lock. `make_way` gets the error and that deadline (time.monotonic).
    """
    until = time.monotonic() + LOCK_DEADLINE_S
    while True:
        try:
            return act()
        except errors as error:
            if time.monotonic() >= until or not make_way(error, until):
                raise


class WayToVf:
    """Gives back what is in the way of an ADD: exactly that where it was asked for by name, else all of its PFs. What came
    home just now, here or by a DEL, it waits for until udev has named it.
    """

    __slots__ = ("came_home", "conf", "host", "pfs")

    def __init__(self, host: Host, conf: NetConf, pfs: list[PF]) -> None:
        self.host = host
        self.conf = conf
        self.pfs = {pf.pci_address for pf in pfs}
        self.came_home = time.monotonic() if conf.device else 0.0

    def __call__(self, error: CniError, until: float) -> bool:
        if claim.is_unnamed(error) and time.monotonic() < self.came_home + claim.NAMING_S:
            time.sleep(0.02)
        elif self._make(error, until):
            self.came_home = time.monotonic()
        else:
            return False
        self.host.forget_addresses()  # what was given back may have had some
        return True

    def _make(self, error: CniError, until: float) -> bool:
        timeout_ms = self.conf.verify_timeout_ms
        if isinstance(error, MacInUse):
            return bool(error.vf) and of_vf(self.host, error.vf, error.claimed, timeout_ms, until)
        if self.conf.device and isinstance(error, NoFreeVf):
            claimed = any(reason == choose.CLAIMED for _, _, reason in error.seen)
            return of_vf(self.host, self.conf.device, claimed, timeout_ms, until)
        return sweep(self.host, self.pfs, timeout_ms)


def with_holders(host: Host, error: NoFreeVf | MacInUse) -> CniError:
    """The error that is told: who has what is in the way, and what to do. Read only now, and without the node lock."""
    if isinstance(error, MacInUse):
        claim = host.ledger.claim_on(error.vf) if error.claimed else None
        if claim is not None:
            error.msg += f": {holder(claim)}"
            error.details = f"DEL that, or ask for another; {REMEDY}"
        return error
    claimed = {address for _, address, reason in error.seen if reason == choose.CLAIMED}
    holders = {claim.vf: f" by {holder(claim)}" for claim in host.ledger.claims() if claim.vf in claimed}
    remedy = f"; DEL one of them, or ask for another; {REMEDY}" if claimed else ""
    error.details = (choose.told(error.seen, holders) or error.details) + remedy
    return error


def sweep(host: Host, pfs: set[str] | None, verify_timeout_ms: int) -> bool:
    """Give back all that provably nobody owns, of these PFs (None = all); each is logged. False: there was nothing."""
    taken = [
        record.vf
        for record in host.ledger.claims()
        if (pfs is None or record.pf in pfs) and _of_claim(host, record, verify_timeout_ms, 0)
    ]
    if host.ledger.cache_names():
        taken += _of_adopted(host, verify_timeout_ms, pfs)
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
    return bool(host.ledger.cache_names() and _of_adopted(host, verify_timeout_ms, vf=vf, until=until))


def of_attachment(host: Host, attachment: Attachment, verify_timeout_ms: int, until: float) -> bool:
    """The same for whoever holds a lease, with the VF that it has, if any."""
    return take_back(host, attachment, lambda: records.record_of(host, attachment), verify_timeout_ms, until)


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


def _of_adopted(
    host: Host, verify_timeout_ms: int, pfs: set[str] | None = None, vf: str = "", until: float = 0
) -> list[str]:
    """What sriov-cni attached: an orphan's VLAN must not become the next one's baseline. Only of these PFs, or that VF;
    the answer is which VFs.
    """
    taken = []
    for found in cachefiles.all_files(host):
        attachment = adopt.attachment_of(host, found, sriovcni.attachments(found.name))
        if attachment is None or found.cache.is_dpdk or vf not in {"", found.cache.vf}:
            continue

        def look(attachment: Attachment = attachment) -> Record | None:
            record = records.record_of(host, attachment)
            meant = record is not None and record.adopted and (pfs is None or record.pf in pfs)
            return record if meant else None

        if take_back(host, attachment, look, verify_timeout_ms, until):
            taken.append(found.cache.vf)
    return taken


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
    lost = card.lost(host, record)
    if lost:
        return lost
    claimed = host.ledger.claim_of(record.pf, record.vf)
    if claimed is not None and claimed.attachment != record.attachment:
        return f"its VF is {claimed.attachment}'s by now"
    if record.status == "in-progress":
        return "its ADD died"
    if handover.of(record.driver).is_home(host, record):
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
