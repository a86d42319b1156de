"""What is on this node: PFs, VFs, who has them, and the leases. Looks only.

VFs inside pods are seen through their Records and the PF's own view; nobody enters a pod for it.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ..ipam import own
from ..leases.holding import Holding
from ..leases.store import Store
from ..owner import adopt, death
from ..state.ledger import Ledger
from ..vf.card import in_host
from ..vf.host import Host
from ..words.domain import PF, VF, Attachment, Link
from ..words.errors import KernelRefused
from ..words.failures import Failures
from ..words.inet import parse_prefix
from ..words.lease import Lease
from ..words.record import Record, VfState
from .status.facts import PfFacts, VfFacts

# dead: its container is provably gone, and gc takes it back; unknown: it could not be looked at
State = Literal["free", "attached", "claimed", "released", "dead", "busy", "unknown"]
UNREADABLE_CLAIM = "taken, by a claim that cannot be read"
_RELEASED: tuple[State, str] = "released", "released, not restored yet"


@dataclass(slots=True)
class VfRow:
    """One VF. `reason` says in words why it is neither free nor attached; `more` is what only `status` looks at."""

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
            "owner": _owner(self.record) if self.record else None,
            "leases": [
                {"subnet": lease.subnet, "address": lease.address, "gateway": lease.gateway}
                for lease in self.leases
            ],
            "state": self.state,
            "reason": self.reason,
        } | (self.more.to_json() if self.more else {})


@dataclass(slots=True)
class PfRow:
    """One PF with all its VFs."""

    pf: PF
    is_up: bool
    vfs: list[VfRow]
    link: Link | None = None
    more: PfFacts | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.pf.ifname,
            "pci": self.pf.pci_address,
            "driver": self.pf.driver,
            "up": self.is_up,
            "numvfs": self.pf.numvfs,
            "totalvfs": self.pf.totalvfs,
            "vfs": [vf.to_json() for vf in self.vfs],
        } | (self.more.to_json() if self.more else {})


def _owner(record: Record) -> dict[str, str]:
    return {
        "containerID": record.attachment.container_id,
        "ifname": record.attachment.ifname,
        "network": record.network,
        "netns": record.netns,
    }


def look(host: Host) -> list[PfRow]:
    """Every PF of the node."""
    owned = owners(host)
    held: dict[Attachment, list[Lease]] = {}
    for _, holding in own.all_holdings(host):
        if holding.attachment is not None:
            held.setdefault(holding.attachment, []).extend(holding.leases)
    addressed = {found.ifindex for found in host.netlink.addresses() if found.is_global and found.is_lasting}
    rows = [_pf_row(host, pf, owned, held, addressed) for pf in host.sysfs.pfs()]
    alone = [record for record in owned.values() if not record.pf and record.boot_id]
    return rows + ([_without_pf(host, alone, held, addressed)] if alone else [])


def _without_pf(
    host: Host, records: list[Record], held: dict[Attachment, list[Lease]], addressed: set[int]
) -> PfRow:
    """Attached VFs whose PF is not visible, as those of one without name; free ones cannot be told from other cards."""
    rows = []
    for record in records:
        vf = host.sysfs.vf(record.vf_index, record.vf)
        netdev, state, reason = _seen(host, vf, record, addressed)
        rows.append(_vf_row(vf, netdev, None, record, held.get(record.attachment, []), state, reason))
    return PfRow(PF("", "", 0, "", len(rows), len(rows)), True, rows)


def _pf_row(
    host: Host,
    pf: PF,
    owners: dict[str, Record],
    held: dict[Attachment, list[Lease]],
    addressed: set[int],
) -> PfRow:
    link = host.netlink.link(pf.ifname) if pf.ifname else None
    admin = _admin_states(host, link)
    rows = []
    for vf in host.sysfs.vfs(pf):
        record = owners.get(vf.pci_address)
        leases = held.get(record.attachment, []) if record else []
        netdev, state, reason = _seen(host, vf, record, addressed)
        rows.append(_vf_row(vf, netdev, admin.get(vf.index), record, leases, state, reason))
    return PfRow(pf, link is not None and link.is_up, rows, link)


def _seen(host: Host, vf: VF, record: Record | None, addressed: set[int]) -> tuple[Link | None, State, str]:
    """Its netdev if that is in the host, and its state. What is wrong with one hides no other."""
    failures = Failures()
    with failures.of():
        netdev = in_host(host, vf.pci_address)
        return netdev, *_state(host, vf, netdev, record, addressed)
    return None, "unknown", f"it cannot be looked at: {failures.told[0]}"


def _vf_row(
    vf: VF,
    netdev: Link | None,
    admin: VfState | None,
    record: Record | None,
    leases: list[Lease],
    state: State,
    reason: str,
) -> VfRow:
    """In a pod: the name that ADD gave it, and the MAC that the PF sees (what the VF itself last set counts there)."""
    if netdev is not None:
        name, mac = netdev.ifname, netdev.mac
    else:
        name = record.attachment.ifname if record else ""
        mac = (admin.mac if admin else "") or _recorded_mac(record)
    vlan = admin.vlan if admin else None
    return VfRow(vf, mac, name, vlan, record, leases, state, reason, netdev, admin)


def _recorded_mac(record: Record | None) -> str:
    if record is None:
        return ""
    return record.settings.mac or (record.baseline.own_mac if record.baseline else "")


def _state(
    host: Host, vf: VF, netdev: Link | None, record: Record | None, addressed: set[int]
) -> tuple[State, str]:
    if record is not None and record.status == "done":
        # the caller holds no lock here, but a finished ADD's VF is not in the host unless its pod is gone
        dead = death.proof(host, record)
        return ("dead", dead) if dead else ("attached", "")
    if record is not None:
        return ("claimed", "ADD in progress") if record.status == "in-progress" else _RELEASED
    if vf.pci_address in host.ledger.claimed():
        return "claimed", UNREADABLE_CLAIM
    if vf.busy:
        return "busy", vf.busy
    if netdev is not None and netdev.ifindex in addressed:
        return "busy", f"{netdev.ifname} has an address"
    return "free", ""


def _admin_states(host: Host, link: Link | None) -> dict[int, VfState]:
    try:
        return host.netlink.vf_states(link.ifindex) if link is not None else {}
    except KernelRefused:
        return {}  # the PF went meanwhile


def unreadable(host: Host) -> list[dict[str, str]]:
    """State files that say nothing that we know. The `vf` of a claim is its name, and taken."""
    claims, found = f"{host.ledger.run_dir}/claims/", host.ledger.unreadable_claims()
    for ledger in ledgers(host):
        found += ledger.unreadable_records()
    failures = Failures(host.log.error, "leases are left out")
    for store in own.stores(host):
        with failures.of(directory=store.where.path):
            found += store.unreadable()
    return [
        {
            "file": error.path,
            "reason": error.why,
            "writtenBy": error.by,
            "vf": error.path.rpartition("+")[2] if error.path.startswith(claims) else "",
            "remedy": error.details,
        }
        for error in found
    ]


# records and leases --------------------------------------------------------------------------------------------------


def ledgers(host: Host) -> list[Ledger]:
    """One for each stateDir that was used in this boot, and the one that was asked for."""
    found = []
    for directory in sorted({host.ledger.state_dir, *host.ledger.directories()}):
        ledger = Ledger(directory, host.ledger.log, host.ledger.run_dir, host.ledger.boot_id)
        ledger.complained = host.ledger.complained  # each file is told of once
        found.append(ledger)
    return found


def owners(host: Host) -> dict[str, Record]:
    """`records`, by their VFs."""
    return {record.vf: record for record in records(host)}


def holder(owned: dict[str, Record], claimed: Container[str], vf: str) -> str:
    """Who has that VF, "" for nobody. A claim that cannot be read keeps its VF all the same."""
    record = owned.get(vf)
    if record is not None:
        return f"attached to {record.attachment} ({record.netns})"
    return UNREADABLE_CLAIM if vf in claimed else ""


def records(host: Host) -> list[Record]:
    """Every VF's owner in this boot: its claim, or where that is damaged, the Record of a stateDir."""
    found = {record.vf: record for record in host.ledger.claims()}
    for ledger in ledgers(host):
        for record in ledger.records():
            if record.boot_id == host.ledger.boot_id:
                found.setdefault(record.vf, record)
    for record in adopted(host):
        found.setdefault(record.vf, record)
    return list(found.values())


def adopted(host: Host) -> Iterator[Record]:
    """Of attachments that sriov-cni made."""
    for ledger in ledgers(host):
        yield from adopt.records(with_ledger(host, ledger))


def with_ledger(host: Host, ledger: Ledger) -> Host:
    of_directory = copy.copy(host)
    of_directory.ledger = ledger
    return of_directory


def leases(host: Host) -> list[dict[str, Any]]:
    """All leases of all data directories, by scope and subnet."""
    everything = own.all_holdings(host)
    found = [_lease(store, holding, lease) for store, holding in everything for lease in holding.leases]
    return sorted(found, key=_by_subnet)


def _lease(store: Store, holding: Holding, lease: Lease) -> dict[str, Any]:
    """`containerID` "" = it waits for its pod, whose key is `sticky`."""
    who = holding.attachment
    return {
        "scope": lease.scope,
        "subnet": lease.subnet,
        "address": lease.address,
        "gateway": lease.gateway,
        "network": holding.network,
        "containerID": who.container_id if who else "",
        "ifname": who.ifname if who else "",
        "sticky": lease.sticky,
        "dataDir": store.where.data_dir,
    }


def _by_subnet(lease: dict[str, Any]) -> tuple[str, int, int, int]:
    prefix = parse_prefix(lease["subnet"])
    return lease["scope"], prefix.version, prefix.value, prefix.length
