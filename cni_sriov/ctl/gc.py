"""`sriovctl gc`: take back what provably nobody owns, and say of the rest why it stays.

The same proof and the same inverse as an ADD's own reclaim (owner/death.py, owner/giveback.py), over every stateDir
and data directory in use; only what no running verb has locked.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ..conf import hostsubnet
from ..conf.netconf import VERIFY_TIMEOUT_MS
from ..ipam import own
from ..leases import directory
from ..leases.holding import Holding
from ..leases.store import Store
from ..leases.transaction import Judge
from ..owner import adopt, death, giveback, observer, records
from ..vf import homename
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.failures import Failures
from ..words.lease import LeaseDir
from ..words.record import Record
from . import keepers, node, noted, places, unreadable
from .keepers import Living

VERB = "sriovctl gc"
Judgement = tuple[bool, str]  # taken (or to be), and why, or why not


@dataclass(slots=True)
class Verdict:
    """A VF or a lease: taken back (or, in a dry run, to be), or left, and why. `failed`: since a look or an act failed."""

    kind: str
    what: str
    owner: str
    taken: bool
    reason: str
    failed: bool = False

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "failed"}


def run(
    host: Host, dry_run: bool = False, is_dead: Judge | None = None, data_dir: str = hostsubnet.DATA_DIR
) -> list[Verdict]:
    """VFs first: with a VF go the leases of its attachment. TryAgain where not all of the node can be seen."""
    observer.must_see_all(host)
    if not dry_run:
        host.ledger.open_run_dir()
    items = list(_vfs(host, dry_run, keepers.living(host)))
    if not dry_run:
        homename.settle(host)
    items += _leases(host, dry_run, is_dead or death.DeathProof(host))
    items += _boots(host, dry_run, data_dir)
    if not dry_run:
        records.sweep_locks(host)
    return items


# VFs -----------------------------------------------------------------------------------------------------------------


def _vfs(host: Host, dry_run: bool, live: Living) -> Iterator[Verdict]:
    seen = set()
    for ledger in node.ledgers(host):
        of_directory = node.with_ledger(host, ledger)
        for record in ledger.records() + adopt.records(of_directory):
            if record.attachment not in seen:
                seen.add(record.attachment)
                yield from _vf(of_directory, record, dry_run, live)
    for record in host.ledger.claims():
        if record.attachment not in seen:
            yield from _vf(host, record, dry_run, live)
    for one in unreadable.look(host):
        yield Verdict("file", one["file"], "", False, f"it cannot be read: {one['reason']}; {one['remedy']}")


def _vf(host: Host, record: Record, dry_run: bool, live: Living) -> Iterator[Verdict]:
    what = places.of(host, record)

    def judge() -> Judgement | None:
        now = records.record_of(host, record.attachment)
        return None if now is None else _judge_vf(host, now, dry_run, live)

    found = _surviving(lambda: _alone(host, record.attachment, dry_run, judge))
    if found is not None:
        yield Verdict("vf", what, str(record.attachment), *found)


def _surviving(judge: Callable[[], Judgement | None]) -> tuple[bool, str, bool] | None:
    failures = Failures()
    with failures.of():
        found = judge()
        return None if found is None else (*found, False)
    return False, str(failures.reasons[0]), True


def _alone(
    host: Host, attachment: Attachment, dry_run: bool, judge: Callable[[], Judgement | None]
) -> Judgement | None:
    with records.alone(host, attachment, VERB, dry_run=dry_run) as lock:
        if lock is None:
            return False, "a running verb holds it"
        found = judge()
        if found is not None and found[0] and not dry_run:
            lock.forget()
        return found


def _judge_vf(host: Host, record: Record, dry_run: bool, live: Living) -> tuple[bool, str]:
    proof = death.proof(host, record)
    if not proof:
        kept_by = keepers.mounts(record, live())
        return False, keepers.sentence(record, kept_by) if kept_by else places.living(record)
    if not dry_run and not giveback.give_back(host, record, VERIFY_TIMEOUT_MS):
        return False, places.stuck(host, record)
    if not dry_run:
        noted.given_back(record, VERB, proof)
    return True, proof


# leases --------------------------------------------------------------------------------------------------------------


def _leases(host: Host, dry_run: bool, is_dead: Judge) -> Iterator[Verdict]:
    with_vf = {record.attachment for record in node.records(host)} | host.ledger.with_vf()
    for store, holding in list(own.all_holdings(host)):
        what = ", ".join(lease.subnet for lease in holding.leases)
        if holding.attachment is None:
            found = _surviving(functools.partial(_judge_kept, store, holding, dry_run))
            if found is not None:
                yield Verdict("lease", what, holding.leases[0].sticky, *found)
        elif holding.attachment in with_vf:
            reason = "it goes with its VF" if dry_run else "its attachment has a VF"
            yield Verdict("lease", what, str(holding.attachment), False, reason)
        else:
            judge = functools.partial(
                _judge_lease, host, store, holding, holding.attachment, dry_run, is_dead
            )
            found = _surviving(judge)
            if found is not None:
                yield Verdict("lease", what, str(holding.attachment), *found)


def _judge_kept(store: Store, kept: Holding, dry_run: bool) -> Judgement:
    if store.is_over(kept) and (dry_run or store.forget_kept(kept, only_if_over=True)):
        return True, "its pod did not come back in time (stickyLifetime)"
    return False, "it is kept for its pod (sticky)"


def _judge_lease(
    host: Host, store: Store, holding: Holding, attachment: Attachment, dry_run: bool, is_dead: Judge
) -> Judgement | None:
    if not is_dead(holding):
        return False, _why_alive(holding, is_dead)

    def release() -> Judgement:
        if not dry_run and not store.release_if(attachment, is_dead):
            return False, "it changed meanwhile"
        return True, f"no process is in its netns {holding.netns}, and no mount keeps it"

    return _alone(host, attachment, dry_run, release)


def _why_alive(holding: Holding, is_dead: Judge) -> str:
    if not holding.netns_identity:
        return "nothing is known of its netns"
    hidden = " ".join(is_dead.hidden) if isinstance(is_dead, death.DeathProof) else ""
    if hidden:
        return f"its network namespace lives, or may be that of a process that cannot be looked at ({hidden})"
    return "its network namespace lives"


# earlier boots -------------------------------------------------------------------------------------------------------


def _boots(host: Host, dry_run: bool, data_dir: str) -> Iterator[Verdict]:
    """Directories of earlier boots below the default dataDir; the others are known, and so cleared, at first use."""
    for scope in _scopes(data_dir):
        failures = Failures()
        with failures.of():
            yield from _boots_of(host, LeaseDir(data_dir, scope), dry_run)
        for reason in failures.reasons:
            yield Verdict("lease", f"{data_dir}/{scope}", "", False, str(reason), True)


def _boots_of(host: Host, where: LeaseDir, dry_run: bool) -> list[Verdict]:
    old = sorted(set(directory.boots(where)) - {host.ledger.boot_id})
    if old and not dry_run:  # a transaction's first use of a directory drops them
        own.store(host, where).rebuild()
    return [Verdict("lease", f"{where.path}/{name}", "", True, "it is of an earlier boot") for name in old]


def _scopes(data_dir: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(data_dir) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
