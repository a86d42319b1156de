"""`sriovctl import host-local`: the addresses that host-local gave become leases of host-subnet, all of them or none.

Its files (hostlocal.py) are read and left where they are: until the configuration is exchanged they are the truth, and
afterwards the way back. What a file does not say stops nobody else's import: its address is kept from being leased
under a name of its own, in a network of its own, so that no runtime's GC frees what may be a living container's.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from ..conf import hostsubnet
from ..conf.hostsubnet import IpamConf
from ..conf.pools import Pool
from ..ipam import own
from ..leases.holding import Holding
from ..leases.snapshot import Snapshot
from ..leases.store import Store
from ..vf.host import Host
from ..wire import cni
from ..words.domain import Attachment
from ..words.errors import BadConfig, SubnetConflict
from ..words.inet import Prefix, parse_address, parse_prefix, render_address
from ..words.lease import Choice, Lease, View
from . import hostlocal, importblocks, unclear, validate


@dataclass(slots=True)
class Planned:
    """One attachment and what it gets; `done`: it held exactly that before."""

    attachment: Attachment
    leases: list[Lease]
    done: bool
    network: str

    def to_json(self) -> dict[str, Any]:
        return {
            "containerID": self.attachment.container_id,
            "ifname": self.attachment.ifname,
            "subnets": [lease.subnet for lease in self.leases],
            "addresses": [lease.address for lease in self.leases],
            "done": self.done,
        }


@dataclass(slots=True)
class Imported:
    """What `sriovctl import` did, or would do; `directory` is host-local's, `blocks` were claimed for it."""

    network: str
    directory: str
    items: list[Planned]
    skipped: list[unclear.Skipped]
    dry_run: bool
    blocks: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "network": self.network,
            "directory": self.directory,
            "dryRun": self.dry_run,
            "blocks": self.blocks,
            "items": [item.to_json() for item in self.items],
            "skipped": [skipped.to_json() for skipped in self.skipped],
        }


@dataclass(slots=True)
class Plan:
    """What is to be leased to whom; `holders` keep what nobody is known for, `stale` are of an earlier import, and go first."""

    items: list[Planned]
    holders: list[Planned]
    skipped: list[unclear.Skipped]
    stale: list[Planned]


def run(host: Host, file: str, network: str, store: str, dry_run: bool) -> Imported:
    """`file` is the new configuration, `network` the name of the old one if that was another. SubnetConflict names all
    that stands against it, before anything is written.
    """
    name, conf = _host_subnet_of(file)
    old = network or name
    cni.check_name(old)
    if not dry_run:
        host.ledger.open_run_dir()
    directory = f"{store}/{old}"
    with hostlocal.Locked(directory):
        found = hostlocal.read(directory)
        unclear.name_owners(host, found, old, store)
        ours = own.store(host, conf.lease_dir)
        plan = _plan(directory, name, conf, found, ours)
        leases = [lease for item in plan.items + plan.holders if not item.done for lease in item.leases]
        blocks = importblocks.missing(host, conf, leases)
        if not dry_run:
            importblocks.claim(host, blocks)
            _write(host, conf, ours, plan, found.last)
    return Imported(name, directory, plan.items, plan.skipped, dry_run, [str(block) for _, block in blocks])


def _host_subnet_of(file: str) -> tuple[str, IpamConf]:
    """(network name, conf) of the one plugin with host-subnet in a .conf or .conflist."""
    found = [finding for finding in validate.run(file) if finding.severity == "error"]
    if found:
        raise BadConfig(
            f"read {file}: {found[0].path} {found[0].rule}",
            f"`sriovctl validate {shlex.quote(file)}` says it all",
        )
    plugins = [plugin.conf for plugin in validate.plugins(validate.read(file))]
    ours = [plugin for plugin in plugins if hostsubnet.is_asked(plugin.get("ipam"))]
    if len(ours) != 1:
        raise BadConfig(
            f"read {file}: {len(ours)} of its plugins have an ipam of type host-subnet", "give the new one"
        )
    return str(ours[0]["name"]), hostsubnet.parse(ours[0]["ipam"])


def _plan(directory: str, network: str, conf: IpamConf, found: hostlocal.Files, store: Store) -> Plan:
    leases: dict[Attachment, list[Lease]] = {}
    owners: dict[str, str] = {}
    problems: list[str] = []
    for address, attachment in found.held.items():
        try:
            lease = _lease(conf, address)
        except ValueError as error:
            problems.append(f"{address} of {attachment}: it {error}")
            continue
        if lease.subnet in owners:
            problems.append(f"{address} of {attachment}: {lease.subnet} is that of {owners[lease.subnet]}")
        owners[lease.subnet] = f"{address} of {attachment}"
        leases.setdefault(attachment, []).append(lease)
    before, grown = _holders_of(store, f"host-local:{network}"), list[Planned]()
    items = [_item(store, attachment, network, held, grown, problems) for attachment, held in leases.items()]
    mine = {lease.subnet for item in before + grown for lease in item.leases}
    problems += _taken(store, items, mine)
    if problems:
        raise hostlocal.refuse(directory, problems, "give pools with room for each; see docs/sriov-cni.md")
    kept, skipped = unclear.hold(found.unclear, lambda address: _lease(conf, address), owners)
    holders = [Planned(who, held, False, f"host-local:{network}") for who, held in kept.items()]
    for holder in holders:
        holder.done = any(_same(holder, other) for other in before)
    stale = [holder for holder in before if not any(_same(holder, other) for other in holders)]
    return Plan(items, holders, skipped, stale + grown)


def _lease(conf: IpamConf, address: str) -> Lease:
    """ValueError, the end of a sentence, if no pool would ever give the address."""
    pool, subnet = _place(conf, address)
    version, value = parse_address(address)
    reason = pool.refusal(subnet, value)
    if reason:
        raise ValueError(reason)
    gateway = pool.gateway_of(subnet)
    told = "" if gateway is None else render_address(version, gateway)
    return Lease(conf.lease_dir.scope, str(subnet), f"{address}/{pool.length}", told, str(pool.holds(subnet)))


def _place(conf: IpamConf, address: str) -> tuple[Pool, Prefix]:
    for pool in conf.pools:
        subnet = pool.around(*parse_address(address))
        if subnet is not None:
            return pool, subnet
    raise ValueError("is outside every pool")


def _item(
    store: Store,
    attachment: Attachment,
    network: str,
    leases: list[Lease],
    grown: list[Planned],
    problems: list[str],
) -> Planned:
    there = store.find(attachment)
    held = {lease.address for lease in there.leases} if there else set()
    wanted = {lease.address for lease in leases}
    # an earlier import, which could not read all of its files
    if there and held < wanted and not there.netns:
        grown.append(Planned(attachment, there.leases, True, network))
        return Planned(attachment, leases, False, network)
    if held and held != wanted:
        problems.append(f"{attachment}: it holds {', '.join(sorted(held))} by host-subnet already")
    return Planned(attachment, leases, bool(held), network)


def _taken(store: Store, items: list[Planned], mine: set[str]) -> list[str]:
    """What another attachment leases already, in whatever directory: looked at without the lock, and again under it.

    `mine` is of an earlier import, and gone by then.
    """
    with Snapshot(store.node, store.where.scope) as view:
        return [
            f"{lease.address} of {item.attachment}: overlaps a lease; see `sriovctl leases`"
            for item in items
            for lease in item.leases
            if not item.done and lease.subnet not in mine and view.conflict(parse_prefix(lease.subnet))
        ]


def _holders_of(store: Store, network: str) -> list[Planned]:
    """Of earlier imports."""
    return [
        Planned(holding.attachment, holding.leases, True, network)
        for holding in store.holdings()
        if holding.network == network and holding.attachment is not None
    ]


def _same(one: Planned, other: Planned) -> bool:
    return (one.attachment, _subnets(one)) == (other.attachment, _subnets(other))


def _subnets(item: Planned) -> list[str]:
    return sorted(lease.subnet for lease in item.leases)


# write ---------------------------------------------------------------------------------------------------------------


def _write(host: Host, conf: IpamConf, store: Store, plan: Plan, last: list[str]) -> None:
    written: list[Planned] = []
    released: list[Planned] = []
    try:
        for item in plan.stale:
            _release(host, store, item)
            released.append(item)
        for item in plan.items + plan.holders:
            if not item.done:
                _reserve(host, store, conf, item, last)
                written.append(item)
    except BaseException:
        for item in written:
            _release(host, store, item)
        for item in released:
            _reserve(host, store, conf, item, [], is_new=False)
        raise


def _release(host: Host, store: Store, item: Planned) -> None:
    with host.ledger.attachment_lock(item.attachment, "sriovctl import"):
        store.release(item.attachment)


def _reserve(
    host: Host, store: Store, conf: IpamConf, item: Planned, last: list[str], is_new: bool = True
) -> None:
    """The netns is not known: nobody but DEL, GC or a reboot frees it."""
    who = item.attachment
    holding = Holding(who, [], item.network, "", [], store.node.boot_id)
    with (
        host.ledger.attachment_lock(who, "sriovctl import"),
        store.transaction(f"reserve for {who}") as transaction,
    ):
        transaction.refuse_second(who)
        if is_new:
            importblocks.check(host, conf, item.leases)
        while not transaction.take(holding, _choose(conf, transaction, item, last)):
            pass


def _choose(conf: IpamConf, view: View, item: Planned, last: list[str]) -> Choice:
    for lease in item.leases:
        if view.conflict(parse_prefix(lease.subnet)):
            raise SubnetConflict(f"lease {lease.subnet}: taken meanwhile", "see `sriovctl leases`")
    return Choice(item.leases, _cursors(conf, view, last))


def _cursors(conf: IpamConf, view: View, last: list[str]) -> dict[str, int]:
    """The search goes on where host-local's did, unless there was one already."""
    cursors = {}
    for text in last:
        try:
            pool, subnet = _place(conf, text)
        except ValueError:
            continue
        if view.cursor(pool.key) is None:
            cursors[pool.key] = subnet.last
    return cursors
