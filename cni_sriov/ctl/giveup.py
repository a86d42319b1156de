"""`sriovctl gc --forget FILE`: the operator's way out where a state file cannot be read, and so holds what it holds for ever.

What can be read is refused: a DEL gives that back. Only files that we may have written, where we write them; under the locks
of whoever writes there. By a file's name alone a VF's address is known, and no more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from ..ipam import own
from ..leases.directory import STICKY, Directory
from ..owner import records
from ..state import bound, claims, files
from ..state.ledger import Ledger, attachment_of
from ..state.lock import Lock
from ..vf.card import in_host
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import BadConfig, InputOutput, TryAgain, Unreadable
from ..words.lease import LeaseDir
from ..words.record import Record
from . import node
from .verdict import Verdict

_OLD = ".damaged-"  # what versions before 0.2 set aside

Act = Callable[[Host, bool], Verdict]


def run(host: Host, path: str, dry_run: bool, data_dir: str) -> Verdict:
    """BadConfig if it is none of our files or one that can be read."""
    act = _act_for(host, path, data_dir)
    if act is None:
        raise BadConfig(
            f"give up {path}: it is no state file of this node",
            "its absolute path, as the error has it: a claim, a Record, a lease",
        )
    if not os.path.lexists(path):
        raise InputOutput(f"give up {path}: there is no such file")
    return act(host, dry_run)


def _act_for(host: Host, path: str, data_dir: str) -> Act | None:
    """By the directory that it is in, as text: nothing is followed."""
    parent, _, name = path.rpartition("/")
    run_dir = host.ledger.run_dir
    ledgers = {ledger.state_dir: ledger for ledger in node.ledgers(host)}
    if name in {"", ".", ".."}:
        return None
    if name.startswith(_OLD) and (
        parent in {f"{run_dir}/claims", *ledgers} or _lease_dir(host, parent, data_dir)
    ):
        return partial(_plain, path)
    if parent == f"{run_dir}/claims" and "+" in name:
        return partial(_claim, path)
    if parent in ledgers and "@" in name and name[0] != ".":
        return partial(_record, ledgers[parent], name)
    if parent == f"{run_dir}/names" and name[0] != ".":  # of one VF, and nothing hangs on it
        return partial(_plain, path)
    if parent == f"{run_dir}/bound" and name[0] != ".":
        return partial(_bound, path)
    found = _lease_dir(host, parent, data_dir)
    return partial(_lease, path, *found) if found is not None and name[0] != "." else None


def _lease_dir(host: Host, parent: str, data_dir: str) -> tuple[LeaseDir, str] | None:
    """<dataDir>/<scope>/<boot id>/owners and leases; only of this boot, and what is kept."""
    scopes = {there.where.path: there.where for there in own.stores(host)}
    above, _, kind = parent.rpartition("/")
    top, _, boot = above.rpartition("/")
    where = scopes.get(top)
    if where is None and os.path.dirname(top) == data_dir:
        where = LeaseDir(data_dir, os.path.basename(top))
    if where is None or kind not in {"owners", "leases"} or boot not in {host.ledger.boot_id, STICKY}:
        return None
    return where, boot


# claims and Records --------------------------------------------------------------------------------------------------


def _claim(path: str, host: Host, dry_run: bool) -> Verdict:
    error = _unreadable(path, host.ledger.parse_claim(path))
    vf = path.rpartition("+")[2]
    for record in node.records(host):
        if record.vf == vf:
            raise BadConfig(
                f"give up {path}: the Record of {record.attachment} has the same in it, and can be read",
                "DEL works by that",
            )
    who = claims.attachment_in(error)
    if who is None:
        return _drop(host, error, [path], None, dry_run)
    return _alone(host, who, dry_run, lambda: _drop(host, error, [path], who, dry_run))


def _record(ledger: Ledger, name: str, host: Host, dry_run: bool) -> Verdict:
    who, path = attachment_of(name), f"{ledger.state_dir}/{name}"
    found = next((record for record in ledger.each_record() if _path_of(ledger, record) == path), None)
    error = _unreadable(path, found)
    if any(claim.attachment == who for claim in host.ledger.claims()):
        raise BadConfig(f"give up {path}: the claim has the same in it, and can be read", "DEL works by that")
    where = claims.vf_in(error)
    same = [
        claim.path
        for claim in host.ledger.unreadable_claims()
        if claims.attachment_in(claim) == who or (where and claim.path.endswith(f"/{where[0]}+{where[1]}"))
    ]
    return _alone(host, who, dry_run, lambda: _drop(host, error, [*same, path], who, dry_run))


def _path_of(ledger: Ledger, found: Record | Unreadable) -> str:
    return found.path if isinstance(found, Unreadable) else f"{ledger.state_dir}/{found.attachment.filename}"


def _unreadable(path: str, found: Record | Unreadable | None) -> Unreadable:
    if isinstance(found, Unreadable):
        return found
    raise BadConfig(f"give up {path}: it can be read", "DEL gives back what it holds, or `sriovctl gc`")


def _alone(host: Host, who: Attachment, dry_run: bool, act: Callable[[], Verdict]) -> Verdict:
    """Under the attachment's lock, which goes with its last file."""
    with records.alone(host, who, "sriovctl gc", dry_run=dry_run) as lock:
        if lock is None:
            raise TryAgain(f"give up a file of {who}: a running verb holds it")
        verdict = act()
        if not dry_run and not host.ledger.has_record(who):
            lock.forget()
        return verdict


def _drop(host: Host, error: Unreadable, paths: list[str], who: Attachment | None, dry_run: bool) -> Verdict:
    vfs = [path.rpartition("+")[2] for path in paths if "+" in path]
    reason = f"{error.why}; " + (" ".join(_left(host, vf) for vf in vfs) or "no VF goes with it")
    if not dry_run:
        with host.ledger.node_lock("sriovctl gc"):
            for path in paths:
                _remove(path)
    return Verdict("file", ", ".join(paths), str(who or ""), True, reason)


def _left(host: Host, vf: str) -> str:
    """What becomes of the VF. Its settings are as whoever had it left them: vf/golden.py is for that."""
    link = in_host(host, vf)
    if link is None:
        return f"VF {vf} is free when its netdev is back in the host"
    return f"VF {vf} ({link.ifname}) is free, and an ADD first makes it what it was at first: `sriovctl baseline`"


# leases and the rest -------------------------------------------------------------------------------------------------


def _lease(path: str, where: LeaseDir, boot: str, host: Host, dry_run: bool) -> Verdict:
    name, kind = os.path.basename(path), os.path.basename(os.path.dirname(path))
    with own.store(host, where).transaction("sriovctl gc") as transaction:
        there = transaction.sticky if boot == STICKY else transaction.boot
        owner = name if kind == "owners" else there.owner_of(name)
        why = _why(there, owner, name, path)
        names = there.names_of_damaged(owner) if owner else [name]
        if not dry_run:
            transaction.give_up(there, owner, names)
    subnets = ", ".join(one.replace("_", "/") for one in names) or "no subnet"
    return Verdict("lease", path, owner.replace("@", "/"), True, f"{why}; it leased {subnets}")


def _why(there: Directory, owner: str, name: str, path: str) -> str:
    try:
        if owner:
            there.holding(owner)
        else:
            there.holder(name)
    except Unreadable as error:
        return error.why
    raise BadConfig(f"give up {path}: it can be read", "DEL gives back what it holds, or `sriovctl gc`")


def _bound(path: str, host: Host, dry_run: bool) -> Verdict:
    """What a device was before `sriovctl bind`."""
    address = os.path.basename(path)
    with Lock(f"{host.ledger.run_dir}/bound.lock", "sriovctl gc"):
        try:
            bound.of(host.ledger.run_dir, address, 0)
        except Unreadable as error:
            if not dry_run:
                _remove(path)
            what = f"what {address} was is not known any more: `sriovctl bind {address} kernel`"
            return Verdict("file", path, "", True, f"{error.why}; {what}")
    raise BadConfig(f"give up {path}: it can be read", f"sriovctl restore {address}")


def _plain(path: str, _: Host, dry_run: bool) -> Verdict:
    if not dry_run:
        _remove(path)
    return Verdict("file", path, "", True, "nothing hangs on it")


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)  # one with something in it is for the operator to look at
    else:
        files.forget(path)
