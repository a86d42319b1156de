"""`sriovctl gc`: take back what provably nobody owns, and say of the rest why it stays.

The same proof and the same inverse as an ADD's own reclaim (owner/death.py, owner/giveback.py), over every stateDir
and data directory in use; only what no running verb has locked. A dry run tells what the real one does (foresee.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ..conf import hostsubnet
from ..conf.netconf import VERIFY_TIMEOUT_MS
from ..ipam import own
from ..leases.holding import Holding
from ..leases.store import Store
from ..leases.transaction import Judge
from ..owner import adopt, death, giveback, observer, records
from ..vf import homename
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.failures import Failures
from ..words.record import Record
from . import foresee, keepers, node, noted, oldboots, places, unreadable
from .keepers import Living
from .verdict import Verdict

VERB = "sriovctl gc"
KEPT = "it is kept for its pod (sticky)"


@dataclass(slots=True)
class Judgement:
    """`taken` (or to be), and why, or why not. `frees`: in a dry run, its subnets would be free."""

    taken: bool
    reason: str
    failed: bool = False
    frees: bool = False


@dataclass(slots=True)
class _Round:
    """One look at all. `held`: the leases that there were at first. `told`: those of them that were told of with their VFs."""

    host: Host
    dry_run: bool
    is_dead: Judge
    live: Living
    held: dict[Attachment, list[tuple[Store, Holding]]] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for store, holding in own.all_holdings(self.host):
            if holding.attachment is not None:
                self.held.setdefault(holding.attachment, []).append((store, holding))


def run(
    host: Host, dry_run: bool = False, is_dead: Judge | None = None, data_dir: str = hostsubnet.DATA_DIR
) -> list[Verdict]:
    """VFs first: with a VF go the leases of its attachment. TryAgain where not all of the node can be seen."""
    observer.must_see_all(host)
    if not dry_run:
        host.ledger.open_run_dir()
    now = _Round(host, dry_run, is_dead or death.DeathProof(host), keepers.living(host))
    items = [*_vfs(now), *_leases(now), *oldboots.take(host, dry_run, data_dir)]
    if not dry_run:
        records.sweep_locks(host)
    return items


# VFs -----------------------------------------------------------------------------------------------------------------


def _vfs(now: _Round) -> Iterator[Verdict]:
    names, freed = foresee.waiting(now.host), set()
    for host, record in list(_attachments(now.host)):
        for item in _vf(now, host, record):
            yield item
            if item.kind == "vf" and item.taken:
                freed.add(record.vf)
    yield from _names(now, names, freed)
    for one in unreadable.look(now.host):
        yield Verdict("file", one["file"], "", False, f"it cannot be read: {one['reason']}; {one['remedy']}")


def _attachments(host: Host) -> Iterator[tuple[Host, Record]]:
    """Each once, with the stateDir that its Record is in."""
    seen = set()
    for ledger in node.ledgers(host):
        of_directory = node.with_ledger(host, ledger)
        for record in ledger.records() + adopt.records(of_directory):
            if record.attachment not in seen:
                seen.add(record.attachment)
                yield of_directory, record
    for record in host.ledger.claims():
        if record.attachment not in seen:
            yield host, record


def _vf(now: _Round, host: Host, record: Record) -> Iterator[Verdict]:
    what, owner = places.of(host, record), str(record.attachment)

    def judge() -> Judgement | None:
        found = records.record_of(host, record.attachment)
        return None if found is None else _judge_vf(now, host, found)

    found = _surviving(lambda: _alone(host, record.attachment, now.dry_run, judge))
    if found is not None:
        yield Verdict("vf", what, owner, found.taken, found.reason, found.failed)
        for store, holding in now.held.get(record.attachment, ()):
            yield _lease_with(now, store, holding, found)


def _judge_vf(now: _Round, host: Host, record: Record) -> Judgement:
    proof = death.proof(host, record)
    if not proof:
        why = keepers.why(host.files, record, now.live()) or places.living(host, record)
        return Judgement(False, why)
    if now.dry_run:
        done = not foresee.is_stuck(host, record)
    else:
        done = giveback.give_back(host, record, VERIFY_TIMEOUT_MS)
    if done and not now.dry_run:
        noted.given_back(record, VERB, proof)
    frees = done or (now.dry_run and not giveback.is_out(host, record))
    return Judgement(done, proof if done else places.stuck(host, record), frees=frees)


def _names(now: _Round, names: dict[str, str], freed: set[str]) -> Iterator[Verdict]:
    """VFs that came home while another link had their names."""
    if not now.dry_run:
        homename.settle(now.host)
    has = foresee.named(now.host, names, freed, now.dry_run)
    for vf, name in names.items():
        done = vf in has
        reason = "it is free again" if done else f"another link is called so, or VF {vf} is in use"
        yield Verdict("name", f"{name} of VF {vf}", "", done, reason)


def _surviving(judge: Callable[[], Judgement | None]) -> Judgement | None:
    failures = Failures()
    with failures.of():
        return judge()
    return Judgement(False, str(failures.reasons[0]), failed=True)


def _alone(
    host: Host, attachment: Attachment, dry_run: bool, judge: Callable[[], Judgement | None]
) -> Judgement | None:
    with records.alone(host, attachment, VERB, dry_run=dry_run) as lock:
        if lock is None:
            return Judgement(False, "a running verb holds it")
        found = judge()
        if found is not None and found.taken and not dry_run:
            lock.forget()
        return found


# leases --------------------------------------------------------------------------------------------------------------


def _lease_with(now: _Round, store: Store, holding: Holding, vf: Judgement) -> Verdict:
    """Of an attachment that has a VF, or had until just now."""
    assert holding.attachment is not None
    is_free = vf.frees if now.dry_run else not store.has(holding.attachment)
    now.told.update((store.where.path, name) for name in holding.names)
    sticky = holding.leases[0].sticky
    if is_free and sticky:
        return Verdict("lease", _subnets(holding), sticky, False, KEPT)
    reason = "it goes with its VF" if is_free else "its attachment has it still"
    return Verdict("lease", _subnets(holding), str(holding.attachment), is_free, reason)


def _subnets(holding: Holding) -> str:
    return ", ".join(lease.subnet for lease in holding.leases)


def _leases(now: _Round) -> Iterator[Verdict]:
    """What no VF that is told of has: of foreign main plugins, and what is kept for pods."""
    with_vf = {record.attachment for record in node.records(now.host)} | now.host.ledger.with_vf()
    for store, holding in list(own.all_holdings(now.host)):
        if not now.told.isdisjoint((store.where.path, name) for name in holding.names):
            continue
        found: Judgement | None = Judgement(False, "its attachment has a VF")
        if holding.attachment is None:
            found = _surviving(partial(_judge_kept, store, holding, now.dry_run))
        elif holding.attachment not in with_vf:
            found = _surviving(partial(_judge_lease, now, store, holding, holding.attachment))
        if found is not None:
            owner = str(holding.attachment or holding.leases[0].sticky)
            yield Verdict("lease", _subnets(holding), owner, found.taken, found.reason, found.failed)


def _judge_kept(store: Store, kept: Holding, dry_run: bool) -> Judgement:
    if store.is_over(kept) and (dry_run or store.forget_kept(kept, only_if_over=True)):
        return Judgement(True, "its pod did not come back in time (stickyLifetime)")
    return Judgement(False, KEPT)


def _judge_lease(now: _Round, store: Store, holding: Holding, attachment: Attachment) -> Judgement | None:
    if not now.is_dead(holding):
        return Judgement(False, _why_alive(now, holding))

    def release() -> Judgement:
        if not now.dry_run and not store.release_if(attachment, now.is_dead):
            return Judgement(False, "it changed meanwhile")
        return Judgement(True, f"no process is in its netns {holding.netns}, and no mount keeps it")

    return _alone(now.host, attachment, now.dry_run, release)


def _why_alive(now: _Round, holding: Holding) -> str:
    if not holding.netns_identity:
        return "nothing is known of its netns"
    return keepers.why(now.host.files, holding, now.live()) or "its network namespace lives"
