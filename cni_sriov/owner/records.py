"""An attachment's Record and its lock: for the call about it, and for one of many that may be nobody's any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..ipam import own
from ..state import files, sriovcni
from ..state.ledger import attachment_of
from ..state.lock import Lock
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.failures import Failures
from ..words.record import Record
from . import adopt

GIVING_BACK = ("DEL", "GC", "reclaim", "sriovctl gc", "sriovctl release")  # verbs as locks name them


def record_of(host: Host, attachment: Attachment) -> Record | None:
    """Its Record; where it has none, but sriov-cni left a file for it, one made of that."""
    record = host.ledger.find(attachment)
    if record is None and sriovcni.has(host.ledger.cache_dirs, attachment):
        return adopt.find(host, attachment)
    return record


@contextmanager
def held(
    host: Host, attachment: Attachment, verb: str, is_known: Callable[[], bool] | None = None
) -> Iterator[Lock]:
    """The lock of the call's own attachment. A refused call leaves nothing, not even its lock's file, unless something is
    recorded of the attachment (`is_known`: a Record of ours); the error that is on its way is told first.
    """
    with host.ledger.attachment_lock(attachment, verb) as lock:
        try:
            yield lock
        except BaseException:
            with Failures(host.log.warning, "lock file stays").of(attachment=attachment):
                if not (is_known() if is_known else host.ledger.find(attachment)):
                    lock.forget()
            raise


@contextmanager
def alone(
    host: Host, attachment: Attachment, verb: str, until: float = 0, dry_run: bool = False
) -> Iterator[Lock | None]:
    """The lock of one of many attachments. None: whoever holds it is alive and finishes by himself; but who is giving it
    back, which needs no other attachment's lock and so comes to an end, is waited for until then (time.monotonic), and
    TryAgain names who takes too long. A dry run writes nothing for it.
    """
    lock = host.ledger.attachment_lock(attachment, verb)
    try:
        is_ours = lock.try_share() if dry_run else _acquire(lock, until)
        yield lock if is_ours else None
    finally:
        lock.release()


def _acquire(lock: Lock, until: float) -> bool:
    while not lock.try_acquire():
        left = until - time.monotonic()
        verb = lock.held_for() if left > 0 else ""
        if left <= 0 or verb not in {None, *GIVING_BACK}:
            return False
        lock.waited = True
        if verb:
            lock.acquire(left)
            break
    return True


def sweep_locks(host: Host) -> None:
    """Lock files of attachments that are gone: a call killed in its last step leaves one, and no DEL follows a GC.

    Claims are read once, however many locks there are. An ADD that was quicker since has a Record's file, or was killed
    before it had, and then needs no lock's file. Where a claim does not tell whose it is, a lock's file may be all that does.
    """
    ledger, failures = host.ledger, Failures(host.log.warning, "lock file stays")
    known: set[str] | None = None
    with failures.of():
        if not ledger.is_unclear():
            known = {attachment.filename for attachment in ledger.with_vf()}
            known.update(*(store.owners() for store in own.stores(host)))
    for name in files.names(f"{ledger.run_dir}/locks") if known is not None else ():
        attachment = attachment_of(name)
        if "@" not in name or (known and name in known) or ledger.has_record(attachment):
            continue
        with failures.of(attachment=attachment), alone(host, attachment, "sweep") as lock:
            if lock is not None and not ledger.has_record(attachment):
                ledger.forget_half(attachment)
                lock.forget()
