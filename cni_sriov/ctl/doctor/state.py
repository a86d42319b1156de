"""What is attached and leased, and which of it is dead by gc's own word. Looks only: gc's dry run writes nothing."""

from __future__ import annotations

from collections import Counter

from ...conf.hostsubnet import DATA_DIR
from ...decide.facts_state import Away, DeadLease, Drifted, GoneDir, Held, Nic, State, Unread
from ...decide.trouble import quoted
from ...ipam import own
from ...kernel.files import Files
from ...leases.transaction import Judge
from ...state import files as state_files
from ...vf import card, golden
from ...vf.host import Host
from ...words.domain import Attachment
from ...words.errors import Unreadable
from ...words.failures import Failures
from ...words.lease import LeaseDir
from ...words.pci import is_userspace
from ...words.record import Record
from .. import baseline, gc, keepers, node, places, unreadable
from ..node import PfRow, VfRow
from ..verdict import Verdict
from . import away


def look(
    host: Host,
    files: Files,
    failures: Failures,
    wanted: str = "",
    is_dead: Judge | None = None,
    data_dir: str = DATA_DIR,
) -> State:
    """Each part by itself: what cannot be seen is told to `failures`, and hides no other. `wanted`: of that PF's VFs alone."""
    state = State()
    rows: list[PfRow] = []
    records: list[Record] = []
    verdicts: list[Verdict] = []
    with failures.of(part="who has which VF"):
        rows = [row for row in node.look(host) if wanted in {"", row.pf.pci_address}]
        records = [record for record in node.records(host) if wanted in {"", record.pf}]
    with failures.of(part="MACs"):
        state.nics = _nics(host, rows, failures)
    with failures.of(part="what is dead"):
        verdicts = gc.run(host, True, is_dead, data_dir)
        failures.told += [f"{one.what}, {one.owner}: {one.reason}" for one in verdicts if one.failed]
    with failures.of(part="attachments"):
        state.held = _held(host, records, verdicts, failures)
    state.leases = [] if wanted else _leases(verdicts)
    with failures.of(part="VFs that nobody recorded"):
        state.away = _away(host, rows)
        away.find(host, files, state.away, failures)
    with failures.of(part="state files"):
        state.unread = _unread(host, rows, wanted)
    with failures.of(part="VFs that were changed"):
        state.drifted = _drifted(host, rows)
    with failures.of(part="directories in use"):
        state.gone = _gone(host, records)
    return state


# MACs ----------------------------------------------------------------------------------------------------------------


def _nics(host: Host, rows: list[PfRow], failures: Failures) -> list[Nic]:
    """PFs that are not visible have none, and tell of none."""
    found = []
    for row in rows:
        pf, admin = row.pf, {}
        with failures.of(pf=pf.ifname or pf.pci_address):
            link = host.netlink.link(pf.ifname) if pf.ifname else None
            if link is not None:
                found.append(Nic(pf.pci_address, pf.pci_address, pf.ifname, -1, pf.ifname, link.mac))
                admin = host.netlink.vf_states(link.ifindex)
        for vf in row.vfs:
            told = admin.get(vf.vf.index)
            found.append(_nic(row, vf, told.mac or "" if told is not None else ""))
    with failures.of(part="ports of bonds"):
        _find_uppers(host, found)
    return found


def _find_uppers(host: Host, nics: list[Nic]) -> None:
    """Of those that share a MAC alone: it is a look at each."""
    macs = Counter(nic.mac for nic in nics)
    for nic in nics:
        if macs[nic.mac] > 1 and nic.netdev:
            nic.upper = next(iter(host.sysfs.uppers(nic.netdev)), "")


def _nic(row: PfRow, vf: VfRow, admin: str) -> Nic:
    pf, owner = row.pf, vf.record.attachment.container_id if vf.record else ""
    netdev = vf.netdev if vf.vf.ifname else ""
    return Nic(vf.vf.pci_address, pf.pci_address, pf.ifname, vf.vf.index, netdev, vf.mac, owner, admin)


# attachments ---------------------------------------------------------------------------------------------------------


def _held(host: Host, records: list[Record], verdicts: list[Verdict], failures: Failures) -> list[Held]:
    dead = {one.owner: one.reason for one in verdicts if one.kind == "vf" and one.taken}
    claimed = host.ledger.claimed()
    living: dict[int, list[str]] = {}
    if records:
        with failures.of(part="network namespaces"):
            living = host.live_netns()
    found = []
    for record in records:
        owner = str(record.attachment)
        held = Held(
            owner,
            record.vf,
            places.of(host, record),
            record.netns,
            record.status,
            _file(host, record, claimed),
            dead=dead.get(owner, ""),
            mounts=keepers.mounts(record, living),
        )
        with failures.of(attachment=owner):
            if record.plane is not None and record.vf:
                held.open_in = places.open_in(host, record.vf)
            held.is_vf_gone = bool(card.lost(host, record))
            held.unleased = _unleased(host, record)
        found.append(held)
    return found


def _leases(verdicts: list[Verdict]) -> list[DeadLease]:
    """What is of an earlier boot has no owner, and is in nobody's way; what goes with a VF is told with that."""
    with_vf = {one.owner for one in verdicts if one.kind == "vf"}
    dead = (one for one in verdicts if one.kind == "lease" and one.taken and one.owner not in {"", *with_vf})
    return [DeadLease(one.what, one.owner, one.reason) for one in dead]


def _file(host: Host, record: Record, claimed: dict[str, str]) -> str:
    if record.adopted:
        return record.adopted
    if record.vf in claimed or not record.vf:
        return host.ledger.claim_path(record)
    return f"{host.ledger.state_dir}/{record.attachment.filename}"


def _unleased(host: Host, record: Record) -> list[str]:
    """Of its subnets those that are reserved for it no more; a reservation that cannot be read is one."""
    if not (record.leases and "dataDir" in record.ipam):
        return []
    where = LeaseDir(record.ipam["dataDir"], record.ipam["scope"])
    try:
        holding = own.store(host, where).find(record.attachment)
    except Unreadable:
        return []
    held = {lease.subnet for lease in holding.leases} if holding is not None else set()
    return [lease.subnet for lease in record.leases if lease.subnet not in held]


# VFs that nobody has -------------------------------------------------------------------------------------------------


def _away(host: Host, rows: list[PfRow]) -> list[Away]:
    """Their netdev is somewhere, not here, and nobody claims them."""
    claimed = host.ledger.claimed()
    return [
        Away(vf.vf.pci_address, f"{row.pf.ifname or row.pf.pci_address} vf {vf.vf.index}")
        for row, vf in _unowned(rows)
        if vf.vf.driver and not is_userspace(vf.vf.driver) and vf.vf.pci_address not in claimed
        if not host.sysfs.netdevs(vf.vf.pci_address) and host.sysfs.has_netdev(vf.vf.pci_address)
    ]


def _unowned(rows: list[PfRow]) -> list[tuple[PfRow, VfRow]]:
    return [(row, vf) for row in rows for vf in row.vfs if vf.record is None]


def _drifted(host: Host, rows: list[PfRow]) -> list[Drifted]:
    free = {vf.vf.pci_address for _, vf in _unowned(rows) if vf.state == "free"}
    return [
        Drifted(row.vf, f"{row.pf.ifname or row.pf.pci_address} vf {row.index}", row.differs)
        for row in baseline.run(host, "", "")
        if row.differs and row.vf in free
    ]


# files ---------------------------------------------------------------------------------------------------------------


def _unread(host: Host, rows: list[PfRow], wanted: str) -> list[Unread]:
    found = []
    for one in [] if wanted else unreadable.look(host):
        command = f"sriovctl gc --forget {quoted(one['file'])}"
        told = one["remedy"].partition(", or give it up")[0]
        gives_up = "gc --forget" in one["remedy"]
        found.append(Unread(one["file"], one["reason"], one["vf"], told, command if gives_up else ""))
    for row in rows:
        for vf in row.vfs:
            try:
                golden.of(host, vf.vf.pci_address)
            except Unreadable as error:
                command = f"sriovctl baseline --take {vf.vf.pci_address}"
                told = "what the VF is now can be taken for what it was at first"
                found.append(Unread(error.path, error.why, vf.vf.pci_address, told, command))
    return found


def _gone(host: Host, records: list[Record]) -> list[GoneDir]:
    """What nobody has anything in is none: a directory comes back with the next ADD that names it."""
    found = []
    lost = [record.attachment for record in records if not record.adopted]
    lost = [who for who in lost if not host.ledger.has_record(who)]
    for path in host.ledger.directories():
        if lost and not state_files.exists(path):
            registered = f"{host.ledger.run_dir}/dirs/{state_files.as_name(path)}"
            found.append(GoneDir(path, registered, "Records", _names(lost)))
    for where in own.node(host).dirs():
        users = [record.attachment for record in records if _leases_in(record) == where]
        if users and not state_files.exists(where.data_dir):
            registered = f"{own.node(host).path}/dirs"
            found.append(GoneDir(where.data_dir, registered, "leases", _names(users)))
    return found


def _leases_in(record: Record) -> LeaseDir | None:
    if not (record.leases and "dataDir" in record.ipam):
        return None
    return LeaseDir(record.ipam["dataDir"], record.ipam["scope"])


def _names(attachments: list[Attachment]) -> list[str]:
    return [str(one) for one in attachments]
