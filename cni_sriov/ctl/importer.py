"""`sriovctl import host-local`: the addresses that host-local gave become leases of host-subnet, all of them or none.

Its files (hostlocal.py) are read and left where they are: until the configuration is exchanged they are the truth, and
afterwards the way back.
"""

from __future__ import annotations

from .. import poolconf, protocol, reservation
from ..commands.ipam import Glance
from ..domain import Lease
from ..errors import BadConfig, SubnetConflict
from ..inet import parse_address, parse_prefix, prefix_around, render_address
from ..subnets import Choice
from . import hostlocal, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..domain import Attachment
    from ..host import Host
    from ..inet import Prefix
    from ..ipam.store import Store
    from ..poolconf import IpamConf, Pool
    from ..subnets import View


class Item:
    """One attachment and what it gets; `done`: it held exactly that before."""

    def __init__(self, attachment: Attachment, leases: list[Lease], done: bool) -> None:
        self.attachment = attachment
        self.leases = leases
        self.done = done

    def to_json(self) -> dict[str, Any]:
        return {
            "containerID": self.attachment.container_id,
            "ifname": self.attachment.ifname,
            "subnets": [lease.subnet for lease in self.leases],
            "addresses": [lease.address for lease in self.leases],
            "done": self.done,
        }


class Outcome:
    def __init__(self, network: str, directory: str, items: list[Item], dry_run: bool) -> None:
        self.network = network
        self.directory = directory
        self.items = items
        self.dry_run = dry_run

    def to_json(self) -> dict[str, Any]:
        items = [item.to_json() for item in self.items]
        return {"network": self.network, "directory": self.directory, "dryRun": self.dry_run, "items": items}


def run(host: Host, file: str, network: str, store: str, dry_run: bool) -> Outcome:
    """`file` is the new configuration, `network` the name of the old one if that was another. SubnetConflict names all
    that stands against it, before anything is written.
    """
    name, conf = _host_subnet_of(file)
    protocol.check_name(network or name)
    if not dry_run:
        host.ledger.open_run_dir()
    directory = f"{store}/{network or name}"
    with hostlocal.Locked(directory):
        held, last = hostlocal.read(directory)
        ours = reservation.place(host).store(conf.data_dir, conf.scope)
        items = _plan(directory, conf, held, ours)
        if not dry_run:
            _write(host, name, conf, ours, items, last)
    return Outcome(name, directory, items, dry_run)


def _host_subnet_of(file: str) -> tuple[str, IpamConf]:
    """(network name, conf) of the one plugin with host-subnet in a .conf or .conflist."""
    found = [finding for finding in validate.run(file) if finding.severity == "error"]
    if found:
        raise BadConfig(
            f"read {file}: {found[0].path} {found[0].rule}", f"`sriovctl validate {file}` says it all"
        )
    plugins = [plugin for _, plugin in validate.plugins(validate.read(file))]
    ours = [plugin for plugin in plugins if plugin.get("ipam", {}).get("type") == "host-subnet"]
    if len(ours) != 1:
        raise BadConfig(
            f"read {file}: {len(ours)} of its plugins have an ipam of type host-subnet", "give the new one"
        )
    return str(ours[0]["name"]), poolconf.parse(ours[0]["ipam"], {}, {}, {})


def _plan(directory: str, conf: IpamConf, held: hostlocal.Held, store: Store) -> list[Item]:
    leases: dict[Attachment, list[Lease]] = {}
    owners: dict[str, str] = {}
    problems: list[str] = []
    for address, attachment in held.items():
        try:
            lease = _lease(conf, address)
        except ValueError as error:
            problems.append(f"{address} of {attachment}: {error}")
            continue
        if lease.subnet in owners:
            problems.append(f"{address} of {attachment}: {lease.subnet} is that of {owners[lease.subnet]}")
        owners[lease.subnet] = f"{address} of {attachment}"
        leases.setdefault(attachment, []).append(lease)
    items = [_item(store, attachment, found, problems) for attachment, found in leases.items()]
    problems += _taken(store, items)
    if problems:
        raise hostlocal.refuse(directory, problems, "give pools with room for each; see docs/sriov-cni.md")
    return items


def _lease(conf: IpamConf, address: str) -> Lease:
    version, value = parse_address(address)
    for pool in conf.pools:
        subnet = prefix_around(version, value, pool.length) if pool.version == version else None
        within = pool.holds(subnet) if subnet is not None else None
        if subnet is not None and within is not None:
            _judge(pool, subnet, value)
            gateway = pool.gateway_of(subnet)
            told = "" if gateway is None else render_address(version, gateway)
            return Lease(conf.scope, str(subnet), f"{address}/{pool.length}", told, str(within))
    raise ValueError("it is outside every pool")


def _judge(pool: Pool, subnet: Prefix, value: int) -> None:
    first, last = pool.usable(subnet)
    if not first <= value <= last:
        raise ValueError(f"it is the network or broadcast address of {subnet}")
    if value == pool.gateway_of(subnet):
        raise ValueError(f"it is the gateway of {subnet}")
    if any(low <= subnet.last and subnet.value <= high for low, high in pool.exclude):
        raise ValueError(f"{subnet} is excluded")
    if pool.next_hop is not None and subnet.has(subnet.version, pool.next_hop):
        raise ValueError(f"{subnet} holds the gateway {render_address(subnet.version, pool.next_hop)}")


def _item(store: Store, attachment: Attachment, leases: list[Lease], problems: list[str]) -> Item:
    there = store.find(attachment)
    held = sorted(lease.address for lease in there.leases) if there else []
    if held and held != sorted(lease.address for lease in leases):
        problems.append(f"{attachment}: it holds {', '.join(held)} by host-subnet already")
    return Item(attachment, leases, done=bool(held))


def _taken(store: Store, items: list[Item]) -> list[str]:
    """What another attachment leases already, in whatever directory: looked at without the lock, and again under it."""
    view = Glance(store.node, store.scope)
    try:
        return [
            f"{lease.address} of {item.attachment}: overlaps a lease; see `sriovctl leases`"
            for item in items
            for lease in item.leases
            if not item.done and view.conflict(parse_prefix(lease.subnet))
        ]
    finally:
        view.close()


def _write(
    host: Host, network: str, conf: IpamConf, store: Store, items: list[Item], last: list[str]
) -> None:
    written: list[Attachment] = []
    try:
        for item in items:
            if not item.done:
                with host.ledger.attachment_lock(item.attachment, "sriovctl import"):
                    _reserve(store, network, conf, item, last)
                    written.append(item.attachment)
    except BaseException:
        for attachment in written:
            store.release(attachment)
        raise


def _reserve(store: Store, network: str, conf: IpamConf, item: Item, last: list[str]) -> None:
    """The netns is not known: nobody but DEL, GC or a reboot frees it."""

    def choose(view: View) -> Choice:
        for lease in item.leases:
            if view.conflict(parse_prefix(lease.subnet)):
                raise SubnetConflict(f"lease {lease.subnet}: taken meanwhile", "see `sriovctl leases`")
        return Choice(item.leases, _cursors(conf, view, last))

    pools = [prefix for pool in conf.pools for prefix in pool.prefixes]
    store.reserve(item.attachment, network, "", [], choose, pools)


def _cursors(conf: IpamConf, view: View, last: list[str]) -> dict[str, int]:
    """The search goes on where host-local's did, unless there was one already."""
    cursors = {}
    for text in last:
        try:
            lease = _lease(conf, text)
        except ValueError:
            continue
        pool = next(pool for pool in conf.pools if pool.holds(parse_prefix(lease.subnet)))
        if view.cursor(pool.key) is None:
            cursors[pool.key] = parse_prefix(lease.subnet).last
    return cursors
