"""The lease of an attachment of ours: host-subnet in-process, with what the host uses and who is dead.

Between the acts of `sriov` and those of host-subnet (commands/ipam.py), which know nothing of VFs.
"""

from __future__ import annotations

from .commands import foreign, ipam
from .domain import HostUse
from .errors import Drift, PoolExhausted
from .netns import live_inodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .domain import Attachment, IpamResult, Record
    from .host import Host
    from .ipam.holding import Holding
    from .poolconf import IpamConf


RECLAIM_TIMEOUT_MS = 2000


def place(host: Host) -> ipam.Place:
    return ipam.Place(host.ledger.run_dir, host.ledger.boot_id, host.log, Deaths(host))


def reserve(host: Host, conf: IpamConf, record: Record) -> IpamResult:
    use = [] if conf.allow_host_overlap else host_use(host, own_links(host, record.pf))

    def once() -> IpamResult:
        identity = record.netns_identity
        return ipam.reserve(place(host), conf, record.attachment, record.network, record.netns, identity, use)

    try:
        return once()
    except PoolExhausted:
        from . import claim

        if not claim.reclaim(host, None, RECLAIM_TIMEOUT_MS):  # a dead attachment's lease goes with its VF
            raise
    return once()


def release(host: Host, record: Record) -> None:
    if "type" in record.ipam:
        foreign.release(host, record)
    elif record.ipam:
        release_attachment(host, record.attachment, record.ipam["scope"], record.ipam["dataDir"])


def release_attachment(host: Host, attachment: Attachment, scope: str, data_dir: str) -> None:
    for lease in ipam.release(place(host), attachment, data_dir, scope):
        host.log.info("lease released", attachment=attachment, subnet=lease.subnet)


def drift(host: Host, record: Record) -> list[str]:
    if not record.ipam or "type" in record.ipam:
        return []
    addresses = [lease.address for lease in record.leases]
    where = (record.ipam["dataDir"], record.ipam["scope"])
    try:
        ipam.check(place(host), record.attachment, record.network, *where, addresses)
    except Drift as error:
        return [f"reservation: {error}"]
    return []


def follow(record: Record, ipam_conf: dict[str, Any]) -> None:
    """Where the network went from a foreign IPAM to host-subnet (`sriovctl import`), the lease is what counts."""
    if "type" in record.ipam and ipam_conf.get("type") == "host-subnet":
        from . import poolconf

        scope, data_dir = poolconf.parse_place(ipam_conf)
        record.ipam = {"dataDir": data_dir, "scope": scope}


def leases_of(host: Host, network: str) -> list[tuple[str, str, Attachment]]:
    """(scope, data directory, attachment) of every lease of that network on this node."""
    return [
        (store.scope, store.data_dir, holding.attachment)
        for store, holding in ipam.all_holdings(place(host))
        if holding.network == network and holding.attachment is not None
    ]


def check_room(host: Host, conf: IpamConf) -> None:
    """PoolExhausted if an ADD would find no free subnet now; takes no lock."""
    ipam.check_room(place(host), conf, host_use(host, set()))


def host_use(host: Host, without: set[int]) -> list[HostUse]:
    """What the host uses itself, but for the links in `without`."""
    return [
        HostUse(prefix, words)
        for prefix, ifindex, words in host.netlink.host_use(host.addresses)
        if ifindex not in without
    ]


def own_links(host: Host, pf_address: str) -> set[int]:
    """The PF, its VLANs, its bond, and theirs: a pool may be cut from the LAN that the PF itself is on."""
    pf = host.sysfs.pf_by_pci(pf_address) if pf_address else None
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


class Deaths:
    """Judges lease holders, by proof only: another boot, or a netns that no process is in and no mount keeps.

    Whoever has a VF is not judged here: an open descriptor may keep a netns that cannot be found, and then the VF is
    not back in the host either. claim.reclaim knows.
    """

    __slots__ = ("_host", "_live", "_with_vf")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._live: set[int] | None = None
        self._with_vf: set[Attachment] = set()

    def __call__(self, holding: Holding) -> bool:
        if holding.boot_id != self._host.ledger.boot_id:
            return True
        if not holding.netns_id:
            return False
        if self._live is None:
            self._live = live_inodes()
            self._with_vf = {record.attachment for record in self._host.ledger.claims()}
        return holding.netns_id[-1] not in self._live and holding.attachment not in self._with_vf
