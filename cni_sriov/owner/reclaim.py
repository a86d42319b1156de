"""What makes a VF, a MAC, a lease free again when nobody says DEL: by proof only (rule 10 of the design).

All of it acts on others' attachments, each under its own lock (records.alone).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..conf.netconf import VERIFY_TIMEOUT_MS, NetConf
from ..decide import choose
from ..ipam import own
from ..leases.holding import Holding
from ..leases.store import Store
from ..state.lock import LOCK_DEADLINE_S
from ..vf import cachefiles, claim
from ..vf.cachefiles import CacheFile
from ..vf.host import Host
from ..words.domain import PF, Attachment, IpamResult
from ..words.errors import CniError, MacInUse, NoFreeVf, OutsideBlocks, PoolExhausted, SubnetConflict
from ..words.failures import Failures
from ..words.record import Record
from . import adopt, death, giveback, holder, observer, records
from .moreblocks import WayToBlocks

Done = TypeVar("Done")
Failure = TypeVar("Failure", bound=CniError)


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


class WayToLeases:
    """Gives back what is in the way of a reserve: the very leases where they were asked for or are kept for the pod, else
    all of the pools that are provably nobody's, and then all VFs, since with them go leases.
    """

    __slots__ = ("asked", "blocks", "host", "is_dead", "tried")

    def __init__(self, host: Host, asked: own.Asked) -> None:
        self.blocks: WayToBlocks | None = None
        self.host = host
        self.asked = asked
        self.is_dead = death.DeathProof(host)
        self.tried: set[str] = set()

    def __call__(self, error: CniError, until: float) -> bool:
        if isinstance(error, OutsideBlocks):
            return self.way_to_blocks().of_block(error)
        if isinstance(error, SubnetConflict):
            if not error.wanted or error.wanted in self.tried:
                return False
            self.tried.add(error.wanted)
            held = list(own.in_the_way(self.host, self.asked.conf, error.wanted))
            return all(self.free(store, holding, until) for store, holding in held)
        ours = own.store(self.host, self.asked.conf.lease_dir)
        if ours.reclaim(self.is_dead, self.asked.prefixes) or sweep(self.host, None, VERIFY_TIMEOUT_MS):
            return True
        return isinstance(error, PoolExhausted) and self.way_to_blocks().more(error)

    def way_to_blocks(self) -> WayToBlocks:
        """Few ADDs need it."""
        self.blocks = self.blocks or WayToBlocks(self.host, self.asked)
        return self.blocks

    def free(self, store: Store, holding: Holding, until: float) -> bool:
        """Whether the holder had to give back, and did: with its VF, if it has one."""
        if holding.attachment is None:  # kept for its pod
            return store.forget_kept(holding, only_if_over=True)
        if self.is_dead(holding):
            store.release_if(holding.attachment, self.is_dead)
            return True
        return (
            of_attachment(self.host, holding.attachment, VERIFY_TIMEOUT_MS, until)
            or store.find(holding.attachment) != holding
        )

    def free_kept(self) -> None:
        """What is kept for the pod may still be in the hands of its last container."""
        store, until = own.store(self.host, self.asked.conf.lease_dir), time.monotonic() + LOCK_DEADLINE_S
        failures = Failures(self.host.log.warning, "reclaim failed")
        for holding in store.holders_of_kept(self.asked.sticky):
            with failures.of(attachment=holding.attachment):
                if holding.attachment != self.asked.attachment:
                    self.free(store, holding, until)


def reserve(host: Host, asked: own.Asked) -> IpamResult:
    """Leases for an attachment, the same through both doors. Of others' things only what is provably nobody's is changed;
    the error says who has what is in the way.
    """
    way = WayToLeases(host, asked)
    if asked.sticky:
        way.free_kept()
    act = partial(own.reserve, host, asked, way.is_dead)
    try:
        found = then_again(act, PoolExhausted, SubnetConflict, make_way=way)
    except SubnetConflict as error:
        raise holder.told_of_subnet(host, asked.conf, error) from None
    way.is_dead.forget_locks()
    return found


def sweep(host: Host, pfs: set[str] | None, verify_timeout_ms: int) -> bool:
    """Give back all that provably nobody owns, of these PFs (None = all); each is logged. False: there was nothing."""
    taken = False
    if not observer.sees_all(host):
        return False
    failures = Failures(host.log.warning, "reclaim failed")
    for record in host.ledger.claims():
        with failures.of(attachment=record.attachment):
            if pfs is None or record.pf in pfs:
                taken |= _of_claim(host, record, verify_timeout_ms, 0)
    theirs: list[CacheFile] = []
    with failures.of(what="sriov-cni's files"):
        theirs = cachefiles.all_files(host)
    for found in theirs:
        with failures.of(file=found.path):
            taken |= _of_file(host, found, pfs, verify_timeout_ms)
    return taken


def finish(host: Host, is_left: Callable[[Record], bool], verify_timeout_ms: int) -> None:
    """Give back, if its owner is dead or gave it up, what `is_left` says waits for that."""
    failures = Failures(host.log.warning, "reclaim failed")
    for record in host.ledger.claims():
        with failures.of(attachment=record.attachment):
            if is_left(record):
                _of_claim(host, record, verify_timeout_ms, 0)


def of_vf(host: Host, vf: str, claimed: bool, verify_timeout_ms: int, until: float) -> bool:
    """Give that VF back, if whoever has it is provably dead; until then (time.monotonic), wait for who is doing it.
    True: look again. `claimed`: so it was seen.
    """
    claim = host.ledger.claim_on(vf)
    if claim is not None:
        return _of_claim(host, claim, verify_timeout_ms, until)
    if claimed and vf not in host.ledger.claimed():
        return True  # it was given back just now
    taken = False
    failures = Failures(host.log.warning, "reclaim failed")
    for found in cachefiles.all_files(host):
        with failures.of(file=found.path):
            if found.cache.vf == vf and not taken:
                taken = _of_file(host, found, None, verify_timeout_ms, until)
    return taken


def of_attachment(host: Host, attachment: Attachment, verify_timeout_ms: int, until: float) -> bool:
    """The same for whoever holds a lease, with the VF that it has, if any."""
    return take_back(host, attachment, lambda: records.record_of(host, attachment), verify_timeout_ms, until)


def _of_claim(host: Host, claim: Record, verify_timeout_ms: int, until: float) -> bool:
    def look() -> Record | None:
        record = host.ledger.claim_again(claim)
        if record is None or record.attachment != claim.attachment:
            return None
        found = host.ledger.find(claim.attachment)
        return found if found is not None and found.vf == claim.vf else record

    if take_back(host, claim.attachment, look, verify_timeout_ms, until):
        return True
    # a DEL, or the undo of an ADD, may have been quicker than we
    now = host.ledger.claim_again(claim)  # Unreadable where it is not what it was just now
    return now is None or now.attachment != claim.attachment


def _of_file(
    host: Host, found: CacheFile, pfs: set[str] | None, verify_timeout_ms: int, until: float = 0
) -> bool:
    """What sriov-cni attached, by its file: an orphan's VLAN must not become the next one's baseline."""
    attachment = adopt.attachment_of(host, found)
    if attachment is None:
        return False

    def look() -> Record | None:
        record = records.record_of(host, attachment)
        meant = record is not None and record.adopted and (pfs is None or record.pf in pfs)
        return record if meant else None

    return take_back(host, attachment, look, verify_timeout_ms, until)


def take_back(
    host: Host,
    attachment: Attachment,
    look: Callable[[], Record | None],
    verify_timeout_ms: int,
    until: float,
) -> bool:
    """Give back what `look` finds under the attachment's lock, if that is dead. True also where it is gone by then."""
    if not observer.sees_all(host):
        return False
    failures = Failures(host.log.warning, "reclaim failed")
    with records.alone(host, attachment, "reclaim", until) as lock, failures.of(attachment=attachment):
        if lock is None:
            return False
        record = look()
        if record is None:
            if lock.waited or lock.is_new:
                lock.forget()  # it is ours alone
            return lock.waited
        reason = death.proof(host, record)
        if reason:
            host.ledger.open()  # host-subnet's door did not need it so far
        if reason and giveback.give_back(host, record, verify_timeout_ms):
            host.log.warning("reclaimed", vf=record.vf, attachment=attachment, reason=reason)
            lock.forget()
            return True
    return False
