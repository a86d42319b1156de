"""What is on this node: PFs, VFs, who has them, and the leases. Looks only.

VFs inside pods are seen through their Records and the PF's own view; nobody enters a pod for it.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ..decide.offer import Offer
from ..ipam import own
from ..kernel import holders
from ..owner import adopt, death
from ..state.ledger import Ledger
from ..vf.card import in_host
from ..vf.host import Host
from ..words.domain import PF, VF, Attachment, Link
from ..words.errors import KernelRefused
from ..words.failures import Failures
from ..words.lease import Lease
from ..words.pci import is_userspace
from ..words.plane import SOFTWARE
from ..words.record import Record, VfState
from . import owned, places
from .status.facts import PfFacts, VfFacts

# dead: its container is provably gone, and gc takes it back; unknown: it could not be looked at
State = Literal["free", "attached", "claimed", "released", "dead", "busy", "unknown"]
STATES: tuple[State, ...] = get_args(State)
UNREADABLE_CLAIM = "taken, by a claim that cannot be read"
ONLY_ROOT = "only root sees"
_RELEASED: tuple[State, str] = "released", "released, not restored yet"


@dataclass(slots=True)
class VfRow:
    """One VF. `reason` says in words why it is neither free nor attached; `more` and `kept_by` are what only `status` looks
    at. `open_in`: processes that have it open, of a VF for user space. `kept_by`: the mounts that alone keep its container's
    netns; `inside`: who is in there, as "sleep (pid 12)".
    """

    vf: VF
    mac: str
    netdev: str
    vlan: int | None
    record: Record | None
    leases: list[Lease]
    state: State
    reason: str = ""
    link: Link | None = None
    admin: VfState | None = None
    more: VfFacts | None = None
    open_in: list[str] = field(default_factory=list)
    kept_by: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        return self.reason or self.state

    def to_json(self) -> dict[str, Any]:
        """A contract with who parses it: keys are only ever added."""
        return {
            "index": self.vf.index,
            "pci": self.vf.pci_address,
            "driver": self.vf.driver,
            "netdev": self.netdev,
            "mac": self.mac,
            "vlan": self.vlan,
            "owner": owned.owner(self.record) if self.record else None,
            "leases": [owned.lease(lease) for lease in self.leases],
            "state": self.state,
            "reason": self.reason,
            "openIn": self.open_in,
            "keptBy": self.kept_by,
            "inside": self.inside,
            "userspace": places.to_json(self.record) if self.record else None,
        } | (self.more.to_json() if self.more else {})


@dataclass(slots=True)
class PfRow:
    """One PF with its VFs, without those that are `hidden`: not asked for (status/selection.py). `offer`: where it has none,
    if that was looked at.
    """

    pf: PF
    is_up: bool
    vfs: list[VfRow]
    link: Link | None = None
    more: PfFacts | None = None
    offer: Offer | None = None
    hidden: list[VfRow] = field(default_factory=list)

    @property
    def all_vfs(self) -> list[VfRow]:
        return [*self.vfs, *self.hidden]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.pf.ifname,
            "pci": self.pf.pci_address,
            "driver": self.pf.driver,
            "up": self.is_up,
            "numvfs": self.pf.numvfs,
            "totalvfs": self.pf.totalvfs,
            "counts": self._counts(),
            "vfs": [vf.to_json() for vf in self.vfs],
            "offer": self.offer.to_json() if self.offer else None,
        } | (self.more.to_json() if self.more else {})

    def _counts(self) -> dict[State, int]:
        found = Counter(vf.state for vf in self.all_vfs)
        return {state: found[state] for state in STATES}


@dataclass(slots=True)
class _Around:
    """What is asked once for all VFs. `addressed`: interfaces with a global address. Who is not root sees no claims."""

    addressed: set[int]
    is_root: bool
    _running: holders.Processes | None = None

    def open_in(self, host: Host, vf: VF) -> list[str]:
        if not is_userspace(vf.driver):
            return []
        if self._running is None:
            self._running = holders.processes(host.files)
        return holders.holders(host.files, vf.pci_address, self._running)


def look(host: Host, is_root: bool = True) -> list[PfRow]:
    """Every PF of the node. Without root nobody is told who has a VF, and a VF that may be had is "unknown"."""
    owned = owners(host) if is_root else {}
    held: dict[Attachment, list[Lease]] = {}
    for _, holding in own.all_holdings(host) if is_root else ():
        if holding.attachment is not None:
            held.setdefault(holding.attachment, []).extend(holding.leases)
    around = _Around(
        {found.ifindex for found in host.netlink.addresses() if found.is_global and found.is_lasting},
        is_root,
    )
    rows = [_pf_row(host, pf, owned, held, around) for pf in host.sysfs.pfs()]
    alone = [record for vf, record in owned.items() if record.vf == vf and not record.pf and record.boot_id]
    return rows + ([_without_pf(host, alone, held, around)] if alone else [])


def _without_pf(
    host: Host, records: list[Record], held: dict[Attachment, list[Lease]], around: _Around
) -> PfRow:
    """Attached VFs whose PF is not visible, as those of one without name; free ones cannot be told from other cards."""
    rows = []
    for record in records:
        vf = host.sysfs.vf(record.vf_index, record.vf)
        seen = _seen(host, vf, record, around)
        rows.append(_vf_row(vf, None, record, held.get(record.attachment, []), seen))
    return PfRow(PF("", "", 0, "", len(rows), len(rows)), True, rows)


def _pf_row(
    host: Host,
    pf: PF,
    owners: dict[str, Record],
    held: dict[Attachment, list[Lease]],
    around: _Around,
) -> PfRow:
    link = host.netlink.link(pf.ifname) if pf.ifname else None
    admin = _admin_states(host, link)
    rows = []
    for vf in host.sysfs.vfs(pf):
        record = owners.get(vf.pci_address)
        is_own = record is not None and record.vf == vf.pci_address  # else it is its accelerator
        leases = held.get(record.attachment, []) if record is not None and is_own else []
        rows.append(_vf_row(vf, admin.get(vf.index), record, leases, _seen(host, vf, record, around)))
    return PfRow(pf, link is not None and link.is_up, rows, link)


@dataclass(slots=True)
class _Seen:
    """Its netdev if that is in the host, its state, and who has it open."""

    netdev: Link | None
    state: State
    reason: str
    open_in: list[str] = field(default_factory=list)


def _seen(host: Host, vf: VF, record: Record | None, around: _Around) -> _Seen:
    """What is wrong with one hides no other."""
    failures = Failures()
    with failures.of():
        netdev, open_in = in_host(host, vf.pci_address), around.open_in(host, vf)
        return _Seen(netdev, *_state(host, vf, netdev, record, around, open_in), open_in)
    return _Seen(None, "unknown", f"it cannot be looked at: {failures.told[0]}")


def _vf_row(vf: VF, admin: VfState | None, record: Record | None, leases: list[Lease], seen: _Seen) -> VfRow:
    """In a pod: the name that ADD gave it, and the MAC that the PF sees (what the VF itself last set counts there)."""
    netdev = seen.netdev
    if netdev is not None:
        name, mac = netdev.ifname, netdev.mac
    else:
        name = record.attachment.ifname if record and record.plane is None else ""
        is_own = record is not None and record.vf == vf.pci_address
        mac = (admin.mac if admin else "") or (_recorded_mac(record) if is_own else "")
    vlan = admin.vlan if admin else None
    return VfRow(
        vf, mac, name, vlan, record, leases, seen.state, seen.reason, netdev, admin, open_in=seen.open_in
    )


def _recorded_mac(record: Record | None) -> str:
    if record is None:
        return ""
    return record.settings.mac or (record.baseline.own_mac if record.baseline else "")


def _state(
    host: Host, vf: VF, netdev: Link | None, record: Record | None, around: _Around, open_in: list[str]
) -> tuple[State, str]:
    if record is not None:
        return state_of(host, record)
    if around.is_root and vf.pci_address in host.ledger.claimed():
        return "claimed", UNREADABLE_CLAIM
    if vf.busy or open_in:
        return "busy", vf.busy or f"it is open in {', '.join(open_in)}"
    if netdev is not None and netdev.ifindex in around.addressed:
        return "busy", f"{netdev.ifname} has an address"
    return ("free", "") if around.is_root else ("unknown", ONLY_ROOT)


def state_of(host: Host, record: Record) -> tuple[State, str]:
    if record.status == "done":
        # the caller holds no lock here, but a finished ADD's VF is not in the host unless its pod is gone
        dead = death.proof(host, record)
        return ("dead", dead) if dead else ("attached", "")
    return ("claimed", "ADD in progress") if record.status == "in-progress" else _RELEASED


def _admin_states(host: Host, link: Link | None) -> dict[int, VfState]:
    try:
        return host.netlink.vf_states(link.ifindex) if link is not None else {}
    except KernelRefused:
        return {}  # the PF went meanwhile


# records ---------------------------------------------------------------------------------------------------------


def ledgers(host: Host) -> list[Ledger]:
    """One for each stateDir that was used in this boot, and the one that was asked for."""
    found = []
    for directory in sorted({host.ledger.state_dir, *host.ledger.directories()}):
        ledger = Ledger(directory, host.ledger.log, host.ledger.run_dir, host.ledger.boot_id)
        ledger.complained = host.ledger.complained  # each file is told of once
        found.append(ledger)
    return found


def owners(host: Host) -> dict[str, Record]:
    """`records`, by their VFs and by the QAT VFs that go with these; those without one are left out."""
    found: dict[str, Record] = {}
    for record in records(host):
        crypto = record.plane.crypto if record.plane is not None else ""
        found |= dict.fromkeys({record.vf, crypto} - {"", SOFTWARE}, record)
    return found


def holder(owned: dict[str, Record], claimed: Container[str], vf: str) -> str:
    """Who has that VF, "" for nobody. A claim that cannot be read keeps its VF all the same."""
    record = owned.get(vf)
    if record is not None:
        return f"attached to {record.attachment} ({record.netns})"
    return UNREADABLE_CLAIM if vf in claimed else ""


def records(host: Host) -> list[Record]:
    """Every owner in this boot: its claim, or where that is damaged, the Record of a stateDir."""
    found = {_key(record): record for record in host.ledger.claims()}
    for ledger in ledgers(host):
        for record in ledger.records():
            if record.boot_id == host.ledger.boot_id:
                found.setdefault(_key(record), record)
    for record in adopted(host):
        found.setdefault(_key(record), record)
    return list(found.values())


def _key(record: Record) -> str:
    """A VF has one owner."""
    return record.vf or record.attachment.filename


def adopted(host: Host) -> Iterator[Record]:
    """Of attachments that sriov-cni made."""
    for ledger in ledgers(host):
        yield from adopt.records(with_ledger(host, ledger))


def with_ledger(host: Host, ledger: Ledger) -> Host:
    of_directory = copy.copy(host)
    of_directory.ledger = ledger
    return of_directory
