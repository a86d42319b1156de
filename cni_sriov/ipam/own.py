"""host-subnet: in-process for `sriov`, and behind its own door for any other main plugin.

The caller holds the attachment's lock and has parsed the conf (conf/hostsubnet.py). DEL needs no more of it than where
the leases are (hostsubnet.parse_lease_dir), so that it goes through whatever else is wrong there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..conf.hostsubnet import IpamConf
from ..conf.netconf import NetConf
from ..conf.pools import Pool
from ..decide import subnets
from ..leases import sticky
from ..leases.holding import Holding, owner_name
from ..leases.node import Node
from ..leases.snapshot import Snapshot
from ..leases.store import Store, everywhere
from ..leases.transaction import Judge, Transaction
from ..state import resolvconf
from ..vf.host import Host
from ..words.domain import PF, Attachment, HostUse, IpamResult, IPConfig
from ..words.errors import Drift, PoolExhausted
from ..words.failures import Failures
from ..words.inet import Prefix, parse_prefix
from ..words.lease import Choice, Lease, LeaseDir
from ..words.record import Record
from . import shared


@dataclass(slots=True)
class Asked:
    """One lease per pool of `conf` for an attachment that has none yet; its netns as Holding has it. `used` is what the
    host uses itself; `foreign`: the main plugin is not ours. `given_up` are the shared pools of which no block is to be had:
    sticky leases that wait may go. `low` are those of which there is little left (lease).
    """

    conf: IpamConf
    attachment: Attachment
    network: str
    netns: str
    netns_identity: list[int]
    netns_cookie: int
    used: list[HostUse]
    foreign: bool = False
    given_up: list[Pool] = field(default_factory=list)
    low: list[Pool] = field(default_factory=list)

    @property
    def prefixes(self) -> list[Prefix]:
        return [prefix for pool in self.conf.pools for prefix in pool.prefixes]

    @property
    def sticky(self) -> str:
        """The key under which the leases are kept for the pod, "" = they are not."""
        name = self.conf.sticky
        return f"{self.network}/{name}/{self.attachment.ifname}" if name else ""


def node(host: Host) -> Node:
    return Node(host.ledger.run_dir, host.ledger.boot_id)


def store(host: Host, where: LeaseDir) -> Store:
    return Store(node(host), where, host.log)


def stores(host: Host, scope: str | None = None) -> Iterator[Store]:
    """Of every data directory in use on this node."""
    return everywhere(node(host), host.log, scope)


# add -----------------------------------------------------------------------------------------------------------------


def read_dns(conf: IpamConf) -> None:
    """What `resolvConf` stands for; before anything is changed, since the file may not be there."""
    if conf.resolv_conf:
        conf.dns = resolvconf.read(conf.resolv_conf)


def asked_for(host: Host, conf: IpamConf, record: Record, pf: PF | None) -> Asked:
    """By an attachment of `sriov`; the LAN that its own `pf` is on is no use of the host's."""
    used = [] if conf.allow_host_overlap else host_use(host, own_links(host, pf))
    whose = record.attachment, record.network
    return Asked(conf, *whose, record.netns, record.netns_identity, record.netns_cookie, used)


def reserve(host: Host, asked: Asked, is_dead: Judge) -> IpamResult:
    """The leases, and the routes that follow; errors as of `lease`."""
    conf = asked.conf
    subnets.check_main_plugin(conf, asked.foreign)
    if conf.wants_sticky and not conf.sticky:
        host.log.warning("lease is not sticky: CNI_ARGS has no K8S_POD_NAME", attachment=asked.attachment)
    leases = lease(store(host, conf.lease_dir), asked, is_dead, host.ledger.cluster)
    if conf.shared:
        shared.top_up(host, conf, asked.low, asked.used)
    ips = [IPConfig(lease.address, lease.gateway, None) for lease in leases]
    return IpamResult(ips, subnets.routes(conf, leases, asked.foreign), conf.dns, leases)


def lease(
    there: Store, asked: Asked, is_dead: Judge | None = None, cluster: shared.Cluster = shared.none
) -> list[Lease]:
    """AttachedAlready while the attachment holds leases, unless it `is_dead`. `cluster` has this node's blocks.

    PoolExhausted, SubnetConflict: owner/reclaim.py may give back what is in the way. Sticky leases that wait for their
    pod are in nobody's way: of an exhausted pool the oldest go.
    """
    owner_name(asked.attachment)  # judged before anything is made for it
    where = asked.netns, asked.netns_identity, there.node.boot_id
    kept_for = asked.conf.sticky_lifetime
    holding = Holding(
        asked.attachment, [], asked.network, *where, netns_cookie=asked.netns_cookie, lifetime=kept_for
    )
    with there.transaction(f"reserve for {asked.attachment}") as transaction:
        transaction.refuse_second(asked.attachment, is_dead)
        key = asked.sticky if asked.sticky and sticky.find(transaction, asked.sticky) else ""
        if asked.conf.shared:
            shared.bound(asked.conf.shared, cluster)
        while not transaction.take(holding, choice := _choose(asked, transaction), key):
            pass
        if asked.conf.shared:
            asked.low = shared.low(asked.conf, transaction, choice, asked.used)
    return holding.leases


def _choose(asked: Asked, transaction: Transaction) -> Choice:
    while True:
        try:
            return subnets.choose(asked.conf, transaction, asked.used)
        except PoolExhausted as error:
            pool = asked.conf.pools[error.pool]
            if pool.blocks is not None and pool not in asked.given_up:
                raise
            within = asked.prefixes if pool.bounds is None else pool.bounds
            if not sticky.give_up(transaction, within, asked.conf.sticky_lifetime > 0):
                raise


def in_the_way(host: Host, conf: IpamConf, wanted: str) -> Iterator[tuple[Store, Holding]]:
    """Whoever holds a lease that overlaps, in any data directory of the scope; without the lock."""
    failures = Failures(host.log.error, "data directory left out")
    for there in stores(host, conf.lease_dir.scope):
        held = []
        with failures.of(directory=there.where.data_dir):
            held = there.overlapping(parse_prefix(wanted))
        yield from ((there, holding) for holding in held)


# what a Record's `ipam` stands for (ipam/__init__.py) ------------------------------------------------------------------


def stored(where: LeaseDir) -> dict[str, Any]:
    return {"dataDir": where.data_dir, "scope": where.scope}


def add(host: Host, record: Record, conf: NetConf) -> IpamResult | None:
    """None: the leases are reserved before the interface is in the pod."""


def release(host: Host, record: Record) -> None:
    release_leases(host, record.attachment, _where(record))


def release_leases(host: Host, attachment: Attachment, where: LeaseDir) -> None:
    """Give back what the attachment holds there; nothing is success."""
    for lease in store(host, where).release(attachment):
        host.log.routine("lease released", attachment=attachment, subnet=lease.subnet)


def check(host: Host, record: Record, wrong: list[str]) -> list[str]:
    addresses = [lease.address for lease in record.leases]
    try:
        check_leases(host, record.attachment, record.network, _where(record), addresses)
    except Drift as error:
        return [*wrong, f"reservation: {error}"]
    return wrong


def check_leases(
    host: Host, attachment: Attachment, network: str, where: LeaseDir, addresses: list[str] | None = None
) -> None:
    """The reservation stands, is this network's, and is what `addresses` say; else Drift.

    `network` "": the conf names none any more.
    """
    holding = store(host, where).find(attachment)
    if holding is None:
        raise Drift(f"check the reservation of {attachment}: there is none", f"in {where.path}")
    held = {lease.address for lease in holding.leases}
    wrong = [f"address {address}: not reserved" for address in addresses or [] if address not in held]
    if network and holding.network != network:
        wrong.append(f"leases: belong to network {holding.network}")
    if wrong:
        raise Drift(f"check the reservation of {attachment}: it is not as ADD left it", "; ".join(wrong))


def _where(record: Record) -> LeaseDir:
    return LeaseDir(record.ipam["dataDir"], record.ipam["scope"])


# what the host uses itself, which no lease may overlap --------------------------------------------------------------


def host_use(host: Host, without: set[int]) -> list[HostUse]:
    """Its addresses and connected routes, but for those of the links in `without`."""
    return [
        HostUse(prefix, words)
        for prefix, ifindex, words in host.netlink.host_use(host.addresses)
        if ifindex not in without
    ]


def own_links(host: Host, pf: PF | None) -> set[int]:
    """The PF, its VLANs, its bond, and theirs: a pool may be cut from the LAN that the PF itself is on."""
    return stacked_on(host, pf.ifname) if pf is not None and pf.ifname else set()


def stacked_on(host: Host, ifname: str) -> set[int]:
    """The interface and all that is stacked on it, as ifindexes."""
    todo, names = [ifname], set()
    while todo:
        name = todo.pop()
        if name not in names:
            names.add(name)
            todo += host.sysfs.uppers(name)
    return {host.netlink.ifindex(name) for name in names}


# the node --------------------------------------------------------------------------------------------------------------


def check_room(host: Host, conf: IpamConf) -> None:
    """PoolExhausted if an ADD would find no free subnet now. Without the lock: the answer may be old when it is read.

    Of a shared pool an ADD would claim a block: only where the last one who tried got none, its reason is the error.
    """
    with Snapshot(node(host), conf.lease_dir.scope) as view:
        used = host_use(host, set())
        while True:
            try:
                subnets.choose(conf, view, used)
                return
            except PoolExhausted as error:
                conf = _without_shared(host, conf, error)


def _without_shared(host: Host, conf: IpamConf, error: PoolExhausted) -> IpamConf:
    pool = conf.pools[error.pool]
    failure = host.ledger.cluster(pool.blocks.cluster).failure() if pool.blocks is not None else None
    if failure is not None:
        raise PoolExhausted(error.msg, f"{failure.msg}\n{failure.details}".rstrip()) from error
    if pool.blocks is None:
        raise error
    others = [number for number in range(len(conf.pools)) if number != error.pool]
    pools, wanted = [conf.pools[n] for n in others], [conf.wanted[n] for n in others]
    return replace(conf, pools=pools, wanted=wanted)


def where_held(host: Host, attachment: Attachment) -> LeaseDir | None:
    """Where the attachment holds leases, of all places where this node keeps some."""
    return next((there.where for there in stores(host) if there.has(attachment)), None)


def all_holdings(host: Host) -> Iterator[tuple[Store, Holding]]:
    """Every lease of this node, with the Store it is in."""
    return ((there, holding) for there in stores(host) for holding in there.holdings())


def leases_of(host: Host, network: str, failures: Failures) -> list[tuple[Store, Attachment]]:
    """The attachments of that network that hold leases; directories that cannot be read are told to `failures`."""
    found: list[tuple[Store, Attachment]] = []
    for there in stores(host):
        with failures.of(directory=there.where.path):
            held = [holding.attachment for holding in there.holdings() if holding.network == network]
            found += [(there, attachment) for attachment in held if attachment is not None]
    return found
