"""host-subnet's acts: in-process for `sriov`, and behind its own door for any other main plugin.

The caller holds the attachment's lock, has parsed the conf (poolconf.parse), and hands in what the host uses
(netlink) and who is dead (netns). DEL needs no more of the conf than where the leases are (poolconf.parse_place), so
that it goes through whatever else is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..conf.hostsubnet import IpamConf
from ..decide import subnets
from ..leases.holding import Holding
from ..leases.index import DamagedIndex, Index
from ..leases.node import Node
from ..leases.store import Store, everywhere
from ..state import resolvconf
from ..words.domain import Attachment, HostUse, IpamResult, IPConfig, Lease
from ..words.errors import Drift
from ..words.inet import Prefix
from ..words.log import Log


class Place:
    """Where the node's IPAM state is. `is_dead` judges a lease's holder, with proof; None = nobody is dead. `make_way`
    has one give back all that it holds, if it is dead or is being deleted.
    """

    __slots__ = ("boot_id", "is_dead", "log", "make_way", "run_dir")

    def __init__(
        self,
        run_dir: str,
        boot_id: str,
        log: Log,
        is_dead: Callable[[Holding], bool] | None = None,
        make_way: Callable[[Holding], bool] | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.boot_id = boot_id
        self.log = log
        self.is_dead = is_dead
        self.make_way = make_way

    def store(self, data_dir: str, scope: str) -> Store:
        return Store(data_dir, scope, self.run_dir, self.boot_id, self.log)


def read_dns(conf: IpamConf) -> None:
    """What `resolvConf` stands for; before anything is changed, since the file may not be there."""
    if conf.resolv_conf:
        conf.dns = resolvconf.read(conf.resolv_conf)


def reserve(
    place: Place,
    conf: IpamConf,
    attachment: Attachment,
    network: str,
    netns: str,
    netns_id: list[int],
    host_use: list[HostUse],
    foreign: bool = False,
    netns_cookie: int = 0,
) -> IpamResult:
    """One lease per pool, and the routes that follow. `foreign`: the main plugin is not ours."""
    subnets.check_main_plugin(conf, foreign)
    sticky = f"{network}/{conf.sticky}/{attachment.ifname}" if conf.sticky else ""
    if conf.wants_sticky and not sticky:
        place.log.warning("lease is not sticky: CNI_ARGS has no K8S_POD_NAME", attachment=attachment)
    leases = place.store(conf.data_dir, conf.scope).reserve(
        attachment,
        network,
        netns,
        netns_id,
        lambda view: subnets.choose(conf, view, host_use),
        pools=[prefix for pool in conf.pools for prefix in pool.prefixes],
        sticky=sticky,
        is_dead=place.is_dead,
        make_way=place.make_way,
        netns_cookie=netns_cookie,
    )
    ips = [IPConfig(lease.address, lease.gateway, None) for lease in leases]
    return IpamResult(ips, subnets.routes(conf, leases, foreign), conf.dns, leases)


def release(place: Place, attachment: Attachment, data_dir: str, scope: str) -> list[Lease]:
    """Give back what the attachment holds; [] if that is nothing, which is success."""
    return place.store(data_dir, scope).release(attachment)


def check(
    place: Place,
    attachment: Attachment,
    network: str,
    data_dir: str,
    scope: str,
    addresses: list[str] | None = None,
) -> list[Lease]:
    """The reservation stands, is this network's, and is what `addresses` (the Result's ips) say; else Drift.

    `network` "": the conf names none any more.
    """
    holding = place.store(data_dir, scope).find(attachment)
    if holding is None:
        raise Drift(f"check the reservation of {attachment}: there is none", f"in {data_dir}/{scope}")
    held = {lease.address for lease in holding.leases}
    wrong = [f"address {address}: not reserved" for address in addresses or [] if address not in held]
    if network and holding.network != network:
        wrong.append(f"leases: belong to network {holding.network}")
    if wrong:
        raise Drift(f"check the reservation of {attachment}: it is not as ADD left it", "; ".join(wrong))
    return holding.leases


def check_room(place: Place, conf: IpamConf, host_use: list[HostUse]) -> None:
    """PoolExhausted if no free subnet is left; without the lock, so the answer may be old when it is read."""
    view = Glance(Node(place.run_dir, place.boot_id), conf.scope)
    try:
        subnets.choose(conf, view, host_use)
    finally:
        view.close()


class Glance:
    """A look at the overlap index without its lock: a View for subnets.choose that changes nothing.

    A scope nobody used yet, or an index that must be built anew, counts as free.
    """

    __slots__ = ("_indexes", "_node", "_scope")

    kept: list[Lease] = []

    def __init__(self, node: Node, scope: str) -> None:
        self._node = node
        self._scope = scope
        self._indexes: dict[int, Index] = {}

    def conflict(self, prefix: Prefix) -> bool:
        try:
            return self._index(prefix.version).conflict(prefix)
        except (DamagedIndex, OSError):
            return False

    def first_free(self, within: Prefix, length: int, start: int) -> int | None:
        try:
            return self._index(within.version).first_free(within, length, start)
        except (DamagedIndex, OSError):
            return start

    def cursor(self, _key: str) -> None:
        return None

    def close(self) -> None:
        for index in self._indexes.values():
            index.close()

    def _index(self, version: int) -> Index:
        if version not in self._indexes:
            self._indexes[version] = self._node.index(self._scope, version)
        return self._indexes[version]


def where_held(place: Place, attachment: Attachment) -> tuple[str, str] | None:
    """(scope, data directory) of what the attachment holds, wherever this node keeps leases."""
    for store in everywhere(Node(place.run_dir, place.boot_id), place.log):
        if store.has(attachment):
            return store.scope, store.data_dir
    return None


def all_holdings(place: Place) -> Iterator[tuple[Store, Holding]]:
    """Every lease of every data directory in use on this node, with the Store it is in (for sriovctl and GC)."""
    for store in everywhere(Node(place.run_dir, place.boot_id), place.log):
        for holding in store.holdings():
            yield store, holding
