"""GC: give back every attachment of this network that the runtime no longer knows; whatever fails, go on and tell all.

Without a list (cnitool, and ocicni's null: requests.valid_attachments) only what is provably dead.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ipam import reservation
from ..owner import adopt, giveback, reclaim
from ..vf import homename
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import CniError, KernelRefused, TryAgain


def run(network: str, keep: set[Attachment] | None, host: Host, verify_timeout_ms: int) -> None:
    """`keep` None: the runtime sent no list."""
    if keep is None:
        say_no_list(network, host)
    host.ledger.open()
    failed = []

    def act(gone: Attachment) -> bool:
        return _give_back(gone, network, host, verify_timeout_ms, by_proof=keep is None)

    for attachment in sorted(_unknown(network, keep or set(), host), key=str):
        problem = _alone(host, attachment, act)
        failed += [problem] if problem else []
    failed += collect_leases(network, keep, host)
    homename.settle(host)
    host.ledger.sweep_locks()
    if failed:
        raise TryAgain(f"collect garbage of {network}: {len(failed)} attachment(s) failed", "; ".join(failed))


def say_no_list(network: str, host: Host) -> None:
    host.log.warning("GC without a list of valid attachments: only what is dead is removed", network=network)


def _unknown(network: str, keep: set[Attachment], host: Host) -> set[Attachment]:
    records = [*host.ledger.records(), *host.ledger.claims()]
    gone = {record.attachment for record in records if record.network == network} - keep
    if host.ledger.cache_names():
        gone |= adopt.unknown(host, network, keep)
    return gone


def _alone(host: Host, attachment: Attachment, act: Callable[[Attachment], bool]) -> str:
    """Run `act` under the attachment's lock, if nobody has it: whoever holds it is alive and finishes by himself."""
    lock = host.ledger.attachment_lock(attachment, "GC")
    if not lock.try_acquire():
        host.log.info("left alone: a call for it is running", attachment=attachment)
        return ""
    try:
        if act(attachment):
            lock.forget()
        return ""
    except (CniError, KernelRefused) as error:
        host.log.error("garbage stays", attachment=attachment, reason=error)
        return f"{attachment}: {error}"
    finally:
        lock.release()


def _give_back(
    attachment: Attachment, network: str, host: Host, verify_timeout_ms: int, by_proof: bool
) -> bool:
    record = host.record_of(attachment)
    if record is None:
        return True  # a DEL was quicker
    if record.network != network:
        return False  # an ADD of another network was, too
    if by_proof and not reclaim.death_proof(host, record):
        return False
    if not giveback.give_back(host, record, verify_timeout_ms):
        return False
    host.log.info("garbage collected", attachment=attachment, vf=record.vf, network=record.network)
    return True


def collect_leases(network: str, keep: set[Attachment] | None, host: Host) -> list[str]:
    """Leases of this network without a Record: those of foreign main plugins, or whose Record was damaged."""
    failed = []
    place, is_dead = reservation.place(host), reservation.Deaths(host)
    for scope, data_dir, attachment in reservation.leases_of(host, network):
        if attachment in (keep or ()) or host.ledger.find(attachment) is not None:
            continue

        def act(gone: Attachment, scope: str = scope, data_dir: str = data_dir) -> bool:
            if keep is None:
                return bool(place.store(data_dir, scope).release_if(gone, is_dead))
            reservation.release_attachment(host, gone, scope, data_dir)
            return True

        problem = _alone(host, attachment, act)
        failed += [problem] if problem else []
    return failed
