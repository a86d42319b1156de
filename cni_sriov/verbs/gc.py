"""GC: give back every attachment of this network that the runtime no longer knows; whatever fails, go on and tell all.

Without a list (cnitool, and ocicni's null: requests.valid_attachments) only what is provably dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..conf import requests
from ..conf.netconf import NetConf
from ..ipam import delegate, own
from ..owner import adopt, death, giveback, observer, records
from ..state import claims
from ..state.lock import Lock
from ..vf import homename
from ..vf.call import Call
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import TryAgain, Unreadable
from ..words.failures import Failures


def run(call: Call) -> None:
    """A foreign IPAM collects its own, whatever fails of ours."""
    try:
        _collect(call.conf.name, requests.valid_attachments(call.request.conf), call.host, call.conf)
    finally:
        delegate.forward(call.host)


def _collect(network: str, keep: set[Attachment] | None, host: Host, conf: NetConf) -> None:
    """`keep` None: the runtime sent no list."""
    observer.must_see_all(host)
    if keep is None:
        say_no_list(network, host)
    host.ledger.open()
    failures = Failures(host.log.error, "garbage stays")
    for attachment in sorted(_unknown(network, keep or set(), host), key=str):
        with failures.of(attachment=attachment), _alone(host, attachment) as lock:
            if lock and _give_back(attachment, network, host, conf.verify_timeout_ms, by_proof=keep is None):
                lock.forget()
    for error in _unreadable(network, keep or set(), host):
        with failures.of():
            raise error
    failed = failures.told + collect_leases(network, keep, host)
    homename.settle(host)
    records.sweep_locks(host)
    if failed:
        raise TryAgain(f"collect garbage of {network}: {len(failed)} attachment(s) failed", "; ".join(failed))


def say_no_list(network: str, host: Host) -> None:
    host.log.routine("GC without a list of valid attachments: only what is dead is removed", network=network)


def _unknown(network: str, keep: set[Attachment], host: Host) -> set[Attachment]:
    recorded = [*host.ledger.records(), *host.ledger.claims()]
    gone = {record.attachment for record in recorded if record.network == network} - keep
    return gone | adopt.unknown(host, network, keep)


def _unreadable(network: str, keep: set[Attachment], host: Host) -> Iterator[Unreadable]:
    """What may be garbage, as far as its file tells."""
    for error in [*host.ledger.unreadable_records(), *host.ledger.unreadable_claims()]:
        if claims.text_in(error, "network") == network and claims.attachment_in(error) not in keep:
            yield error


@contextmanager
def _alone(host: Host, attachment: Attachment) -> Iterator[Lock | None]:
    with records.alone(host, attachment, "GC") as lock:
        if lock is None:
            host.log.routine("left alone: a call for it is running", attachment=attachment)
        yield lock


def _give_back(
    attachment: Attachment, network: str, host: Host, verify_timeout_ms: int, by_proof: bool
) -> bool:
    record = records.record_of(host, attachment)
    if record is None:
        return True  # a DEL was quicker
    if record.network != network:
        return False  # an ADD of another network was, too
    if by_proof and not death.proof(host, record):
        return False
    if not giveback.give_back(host, record, verify_timeout_ms):
        return False
    host.log.info("garbage collected", attachment=attachment, vf=record.vf, network=record.network)
    return True


def _forget_kept(network: str, host: Host, failures: Failures) -> None:
    """What has waited for its pod as long as it shall."""
    for store in own.stores(host):
        with failures.of(directory=store.where.path):
            for kept in store.kept():
                if kept.network == network and store.is_over(kept):
                    store.forget_kept(kept, only_if_over=True)


def collect_leases(network: str, keep: set[Attachment] | None, host: Host) -> list[str]:
    """Leases of this network without a Record: those of foreign main plugins, or whose Record was damaged."""
    observer.must_see_all(host)
    failures = Failures(host.log.error, "garbage stays")
    is_dead = death.DeathProof(host)
    _forget_kept(network, host, failures)
    for store, attachment in own.leases_of(host, network, failures):
        if attachment in (keep or ()):
            continue
        with failures.of(attachment=attachment):
            if host.ledger.find(attachment) is not None:
                continue
            with _alone(host, attachment) as lock:
                if lock is None:
                    continue
                if not lock.is_new:
                    host.ledger.refuse_unclear(attachment)
                if keep is None and not store.release_if(attachment, is_dead):
                    continue
                if keep is not None:
                    own.release_leases(host, attachment, store.where)
                lock.forget()
    return failures.told
