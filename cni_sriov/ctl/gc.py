"""`sriovctl gc`: take back what provably nobody owns, and say of the rest why it stays.

The same proof and the same inverse as an ADD's own reclaim (reclaim.death_proof, release.give_back), over every stateDir
and data directory in use; only what no running verb has locked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from ..conf import hostsubnet
from ..ipam import own, reservation
from ..leases.directory import STICKY, ScopeDirectory
from ..leases.holding import Holding
from ..leases.store import Store
from ..owner import adopt, giveback, reclaim, records
from ..state.files import Lock
from ..vf import homename, restore
from ..vf.host import Host
from ..words.domain import Attachment, Record
from ..words.errors import CniError, KernelRefused
from . import node

Judge = Callable[[Holding], bool]

_VERIFY_TIMEOUT_MS = 2000


class Item:
    """A VF or a lease: taken back (or, in a dry run, to be), or left, and why."""

    def __init__(self, kind: str, what: str, owner: str, taken: bool, reason: str) -> None:
        self.kind = kind
        self.what = what
        self.owner = owner
        self.taken = taken
        self.reason = reason

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "owner": self.owner,
            "taken": self.taken,
            "reason": self.reason,
        }


def run(
    host: Host, dry_run: bool = False, is_dead: Judge | None = None, data_dir: str = hostsubnet.DATA_DIR
) -> list[Item]:
    """VFs first: with a VF go the leases of its attachment."""
    if not dry_run:
        host.ledger.open_run_dir()
    items = list(_vfs(host, dry_run))
    if not dry_run:
        homename.settle(host)
    items += _leases(host, dry_run, is_dead or reservation.Deaths(host))
    return items + list(_boots(host, dry_run, data_dir))


# VFs -----------------------------------------------------------------------------------------------------------------


def _vfs(host: Host, dry_run: bool) -> Iterator[Item]:
    seen = set()
    for ledger in node.ledgers(host):
        of_directory = node.with_ledger(host, ledger)
        adopted = adopt.records(of_directory) if ledger.cache_names() else []
        for record in ledger.records() + adopted:
            if record.attachment not in seen:
                seen.add(record.attachment)
                yield from _vf(of_directory, record, dry_run)
    for record in host.ledger.claims():
        if record.attachment not in seen:
            yield from _vf(host, record, dry_run)


def _vf(host: Host, record: Record, dry_run: bool) -> Iterator[Item]:
    what = f"{_pf_name(host, record)} vf {record.vf_index}" if record.pf else f"VF {record.vf}"
    lock = _lock(host, record.attachment, dry_run)
    if lock is None:
        yield Item("vf", what, str(record.attachment), False, "a running verb holds it")
        return
    try:
        now = records.record_of(host, record.attachment)
        if now is not None:
            taken, reason = _judge_vf(host, now, dry_run)
            yield Item("vf", what, str(record.attachment), taken, reason)
            if taken and not dry_run:
                lock.forget()
    except (CniError, KernelRefused) as error:
        yield Item("vf", what, str(record.attachment), False, str(error))
    finally:
        lock.release()


def _judge_vf(host: Host, record: Record, dry_run: bool) -> tuple[bool, str]:
    proof = reclaim.death_proof(host, record)
    if not proof:
        return False, _STUCK if record.status == "released" else "the VF is in a pod"
    if not dry_run and not giveback.give_back(host, record, _VERIFY_TIMEOUT_MS):
        stuck = (
            _STUCK if host.sysfs.has_netdev(record.vf) else f"driver {record.driver} makes no netdev of it"
        )
        return False, restore.pf_out_of_reach(host, record) or stuck
    return True, proof


_STUCK = "its netdev is in a netns that neither can be reached nor dies"


def _pf_name(host: Host, record: Record) -> str:
    pf = host.sysfs.pf_by_pci(record.pf)
    return pf.ifname if pf is not None and pf.ifname else record.pf


def _lock(host: Host, attachment: Attachment, dry_run: bool) -> Lock | None:
    """Gotten without waiting; None = whoever has it is alive. A dry run makes no file for it."""
    lock = host.ledger.attachment_lock(attachment, "sriovctl gc")
    if dry_run and not os.path.exists(lock.path):
        return lock
    return lock if lock.try_acquire() else None


# leases --------------------------------------------------------------------------------------------------------------


def _leases(host: Host, dry_run: bool, is_dead: Judge) -> Iterator[Item]:
    with_vf = {record.attachment for record in node.records(host)}
    for store, holding in list(own.all_holdings(reservation.place(host))):
        what = ", ".join(lease.subnet for lease in holding.leases)
        if holding.attachment is None:
            yield Item("lease", what, holding.leases[0].sticky, False, "it is kept for its pod (sticky)")
        elif holding.attachment in with_vf:
            reason = "it goes with its VF" if dry_run else "its attachment has a VF"
            yield Item("lease", what, str(holding.attachment), False, reason)
        else:
            taken, reason = _judge_lease(host, store, holding, holding.attachment, dry_run, is_dead)
            yield Item("lease", what, str(holding.attachment), taken, reason)


def _judge_lease(
    host: Host, store: Store, holding: Holding, attachment: Attachment, dry_run: bool, is_dead: Judge
) -> tuple[bool, str]:
    if not is_dead(holding):
        return False, _why_alive(holding, is_dead)
    lock = _lock(host, attachment, dry_run)
    if lock is None:
        return False, "a running verb holds it"
    try:
        if not dry_run and not store.release_if(attachment, is_dead):
            return False, "it changed meanwhile"
        if not dry_run:
            lock.forget()
    finally:
        lock.release()
    return True, f"no process is in its netns {holding.netns}, and no mount keeps it"


def _why_alive(holding: Holding, is_dead: Judge) -> str:
    if not holding.netns_id:
        return "nothing is known of its netns"
    hidden = " ".join(is_dead.hidden) if isinstance(is_dead, reservation.Deaths) else ""
    if hidden:
        return f"its network namespace lives, or may be that of a process that cannot be looked at ({hidden})"
    return "its network namespace lives"


# earlier boots -------------------------------------------------------------------------------------------------------


def _boots(host: Host, dry_run: bool, data_dir: str) -> Iterator[Item]:
    """Directories of earlier boots below the default dataDir; the others are known, and so cleared, at first use."""
    for scope in _scopes(data_dir):
        old = sorted(set(ScopeDirectory(data_dir, scope).shelves()) - {STICKY, host.ledger.boot_id})
        if old and not dry_run:  # a session's first use of a directory drops them
            reservation.place(host).store(data_dir, scope).rebuild()
        for name in old:
            yield Item("lease", f"{data_dir}/{scope}/{name}", "", True, "it is of an earlier boot")


def _scopes(data_dir: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(data_dir) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
