"""`sriovctl release CONTAINER[/IFNAME]`: one attachment given back on the operator's word, where nothing proves that its
container is gone. As DEL does it (owner/giveback.py); no process is ended, and nobody else's things are touched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from ..conf.netconf import VERIFY_TIMEOUT_MS
from ..ipam import own
from ..kernel.files import Files
from ..leases.holding import Holding
from ..leases.store import Store
from ..owner import giveback, holder, records
from ..state.claims import attachment_in
from ..state.ledger import attachment_of
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import BadConfig, TryAgain
from ..words.lease import Lease
from ..words.record import Record
from ..words.shown import short_name
from . import called, keepers, node, noted, places
from .verdict import Verdict

VERB = "sriovctl release"


@dataclass(slots=True)
class Plan:
    """What would be given back, of whom, and who is in its netns. `unseen`: processes that may be in there, too."""

    attachment: Attachment
    record: Record | None
    held: list[tuple[Store, Holding]]
    where: str = ""
    inside: list[str] = field(default_factory=list)
    kept_by: list[str] = field(default_factory=list)
    unseen: bool = False

    @property
    def leases(self) -> list[Lease]:
        return [lease for _, holding in self.held for lease in holding.leases]

    @property
    def netns(self) -> str:
        return self.record.netns if self.record is not None else self.held[0][1].netns

    @property
    def who(self) -> str:
        if self.record is not None:
            return holder.of(self.record)
        return f"{short_name(self.attachment)} of network {self.held[0][1].network}"

    def to_json(self) -> dict[str, Any]:
        return {
            "containerID": self.attachment.container_id,
            "ifname": self.attachment.ifname,
            "netns": self.netns,
            "inside": self.inside,
            "keptBy": self.kept_by,
        }


def look(host: Host, files: Files, target: str) -> Plan | None:
    """None if no such attachment is known. BadConfig if several are called so; Unreadable where a state file may be about it
    and does not tell.
    """
    found = {record.attachment: record for record in _records(host)}
    held = [(store, one) for store, one in own.all_holdings(host) if one.attachment is not None]
    known = dict.fromkeys([*found, *(one.attachment for _, one in held if one.attachment is not None)])
    who = _meant(list(known), target)
    if who is None:
        _refuse_unread(host, target)
        return None
    plan = Plan(who, found.get(who), [(store, one) for store, one in held if one.attachment == who])
    if plan.record is not None:
        plan.where = places.of(host, plan.record)
        live = keepers.living(host)()
        plan.inside = keepers.inside(files, plan.record, live)
        plan.kept_by, plan.unseen = keepers.mounts(plan.record, live), 0 in live
    return plan


def act(host: Host, plan: Plan) -> list[Verdict]:
    """TryAgain while a verb is running for it."""
    of_directory = _host_of(host, plan.attachment)
    host.ledger.open_run_dir()
    with records.alone(of_directory, plan.attachment, VERB) as lock:
        if lock is None:
            raise TryAgain(f"release {plan.attachment}: a running verb holds it", "again when that has ended")
        record = records.record_of(of_directory, plan.attachment)
        done = record is None or giveback.give_back(of_directory, record, VERIFY_TIMEOUT_MS)
        for store, _ in plan.held if done else ():
            own.release_leases(of_directory, plan.attachment, store.where)
        if done:
            lock.forget()
        if done and record is not None:
            noted.given_back(record, VERB, "on the operator's word")
    why = "given back" if done or record is None else places.stuck(of_directory, record)
    return verdicts(plan, done, why)


def verdicts(plan: Plan, done: bool, why: str) -> list[Verdict]:
    owner = str(plan.attachment)
    found = [Verdict("vf", plan.where, owner, done, why)] if plan.record is not None else []
    return found + [Verdict("lease", lease.subnet, owner, done, why) for lease in plan.leases]


def _records(host: Host) -> list[Record]:
    """Of earlier boots too: DEL gives back what these hold."""
    found = node.records(host)
    known = {record.attachment for record in found}
    return found + [
        record
        for ledger in node.ledgers(host)
        for record in ledger.records()
        if record.attachment not in known
    ]


def _refuse_unread(host: Host, target: str) -> None:
    """Unreadable, if a state file is about it, or does not even tell whose it is."""
    unread = [(error, attachment_in(error)) for error in host.ledger.unreadable_claims()]
    for ledger in node.ledgers(host):
        unread += [
            (error, attachment_of(os.path.basename(error.path))) for error in ledger.unreadable_records()
        ]
    for error, who in unread:
        if who is None or _meant([who], target) is not None:
            raise error


def _host_of(host: Host, who: Attachment) -> Host:
    """With the stateDir that its Record is in, or the file that sriov-cni left of it; its claim alone is read from any."""
    hosts = [node.with_ledger(host, ledger) for ledger in node.ledgers(host)]
    recorded = [one for one in hosts if any(found.attachment == who for found in one.ledger.records())]
    return next((one for one in recorded or hosts if records.record_of(one, who) is not None), host)


def _meant(known: list[Attachment], target: str) -> Attachment | None:
    """The one that is called so, as status and errors show it."""
    found = called.meant(known, target)
    if len(found) > 1:
        shown = called.listed([*map(str, found)])
        raise BadConfig(f"release {target}: {len(found)} attachments are called so", f"name one: {shown}")
    return found[0] if found else None
