"""Proofs that nobody can own an attachment any more (rule 10 of the design): nothing is taken back without one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ..kernel.netns import Netns
from ..leases.holding import Holding
from ..vf import card, handover, netnslife
from ..vf.host import Host
from ..words.domain import Attachment
from ..words.errors import BadNetns, KernelRefused
from ..words.failures import Failures
from ..words.record import Record
from . import observer, records


def proof(host: Host, record: Record) -> str:
    """Why nobody can own this attachment any more, "" if somebody may. The caller holds its lock."""
    if record.boot_id != host.ledger.boot_id:
        return "it is of an earlier boot"
    lost = card.lost(host, record)
    if lost:
        return lost
    has = host.ledger.claimant(record)
    if has not in {None, record.attachment}:
        return f"its VF is {has}'s by now"
    if record.status == "in-progress":
        return "its ADD died"
    if handover.of(record).is_home(host, record):
        return _home(record)
    if record.status == "released":
        return "its DEL gave it up"
    # its driver was taken off (stacked.make_anew), and who did that died
    is_cut_off = record.plane is None and record.anew and not host.sysfs.has_netdev(record.vf)
    return "it has no netdev" if is_cut_off else ""


def _home(record: Record) -> str:
    if record.plane is None:
        return "the VF is back in the host"
    return "its netns is dead, and nobody has it open" if record.vf else "its netns is dead"


@dataclass(slots=True)
class DeathProof:
    """Judges one call's lease holders: dead is who is of another boot, or of a netns that no process is in and no mount
    keeps. The number of a netns may be another one's by now; the cookie tells.

    Whoever has a VF is not judged here: an open descriptor may keep a netns that cannot be found, and then the VF is
    not back in the host either (`proof`).
    """

    host: Host
    _found: set[Attachment] = field(default_factory=set)
    _live: dict[int, list[str]] | None = None
    _with_vf: set[Attachment] = field(default_factory=set)
    _sees_all: bool | None = None

    def __call__(self, holding: Holding) -> bool:
        dead = False
        with Failures(self.host.log.warning, "a lease stays").of(attachment=holding.attachment):
            dead = self._is_proved(holding)
        if dead and holding.attachment is not None:
            self._found.add(holding.attachment)
        return dead

    def _is_proved(self, holding: Holding) -> bool:
        """What cannot be seen is no proof."""
        if self._sees_all is None:
            self._sees_all = observer.sees_all(self.host)
        return self._sees_all and self._is_dead(holding)

    def forget_locks(self) -> None:
        """Of those that were found dead: nobody will come with a DEL, and files must not pile up."""
        failures = Failures(self.host.log.warning, "lock file stays")
        for attachment in self._found:
            path = self.host.ledger.attachment_lock(attachment, "reclaim").path
            if not os.path.lexists(path):  # to look for it by locking would make it
                continue
            with failures.of(attachment=attachment), records.alone(self.host, attachment, "reclaim") as lock:
                if lock is not None:
                    lock.forget()

    def _is_dead(self, holding: Holding) -> bool:
        if holding.boot_id != self.host.ledger.boot_id:
            return True
        if not holding.netns_identity:
            return False
        live_netns = self._look()
        if holding.attachment in self._with_vf:
            return False
        inode = holding.netns_identity[-1]
        live = live_netns.get(inode, [])
        # its own path first: it may be younger than our look
        netns = netnslife.opened(self.host, [holding.netns, *live], inode)
        if netns is None:
            return not live and 0 not in live_netns
        with netns:
            return self._is_anothers(holding, netns)

    @property
    def hidden(self) -> list[str]:
        """Processes that may be in any netns, as far as we may look."""
        return self._look().get(0, [])

    def _look(self) -> dict[int, list[str]]:
        """Once."""
        if self._live is None:
            self._live = self.host.live_netns()
            self._with_vf = self.host.ledger.with_vf()
            if 0 in self._live:
                pids = " ".join(self._live[0])
                self.host.log.warning(
                    "a lease is dead only by its cookie: processes cannot be seen", pids=pids
                )
        return self._live

    def _is_anothers(self, holding: Holding, netns: Netns) -> bool:
        """Whether the netns that has the holder's number is a later one. What cannot be known is no proof of it."""
        if holding.netns_cookie and netns.cookie:
            return netns.cookie != holding.netns_cookie
        return not self._leads_to(holding, netns) and not self._has_address(holding, netns)

    def _leads_to(self, holding: Holding, netns: Netns) -> bool:
        """For kernels that tell no cookie, and leases that have none: the path that ADD was given leads there still."""
        try:
            with self.host.open_path(holding.netns) as there:
                return there.identity == netns.identity
        except BadNetns:
            return False

    def _has_address(self, holding: Holding, netns: Netns) -> bool:
        """It lives on without its path, as the one who uses the lease."""
        try:
            with self.host.netlink_in(netns) as pod:
                used = {address.address.partition("/")[0] for address in pod.addresses()}
        except KernelRefused:
            return True
        return any(lease.address.partition("/")[0] in used for lease in holding.leases)
