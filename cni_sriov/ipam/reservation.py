"""The lease of an attachment of ours: host-subnet in-process, with what the host uses and who is dead.

Between the acts of `sriov` and those of host-subnet (ipam/own.py), which know nothing of VFs.
"""

from __future__ import annotations

import os
import time
from typing import Any

from ..conf import hostsubnet
from ..conf.hostsubnet import IpamConf
from ..kernel.netns import Netns
from ..leases.holding import Holding
from ..state.files import LOCK_DEADLINE_S
from ..vf.host import Host
from ..words.domain import Attachment, HostUse, IpamResult, Record
from ..words.errors import BadNetns, Drift, KernelRefused, PoolExhausted
from . import delegate, own

RECLAIM_TIMEOUT_MS = 2000


def place(host: Host, deaths: Deaths | None = None) -> own.Place:
    deaths = deaths or Deaths(host)
    return own.Place(host.ledger.run_dir, host.ledger.boot_id, host.log, deaths, deaths.make_way)


def reserve(host: Host, conf: IpamConf, record: Record) -> IpamResult:
    use = [] if conf.allow_host_overlap else host_use(host, own_links(host, record.pf))
    seen, cookie = record.netns_identity, record.netns_cookie
    who = Holding(record.attachment, [], record.network, record.netns, seen, "", netns_cookie=cookie)
    return lease(host, conf, who, use)


def lease(
    host: Host, conf: IpamConf, who: Holding, use: list[HostUse], other_main: bool = False
) -> IpamResult:
    """Leases for `who`, which has none yet; `use` is what the host uses itself. The same through both doors."""
    assert who.attachment is not None
    asking = (who.attachment, who.network, who.netns, who.netns_id)

    def once() -> IpamResult:
        deaths = Deaths(host)
        result = own.reserve(place(host, deaths), conf, *asking, use, other_main, who.netns_cookie)
        deaths.forget_locks()
        return result

    try:
        return once()
    except PoolExhausted:
        from ..owner import reclaim  # seldom

        if not reclaim.sweep(host, None, RECLAIM_TIMEOUT_MS):  # a dead attachment's lease goes with its VF
            raise
    return once()


def release(host: Host, record: Record) -> None:
    if "type" in record.ipam:
        delegate.release(host, record)
    elif record.ipam:
        release_attachment(host, record.attachment, record.ipam["scope"], record.ipam["dataDir"])


def release_attachment(host: Host, attachment: Attachment, scope: str, data_dir: str) -> None:
    for lease in own.release(place(host), attachment, data_dir, scope):
        host.log.info("lease released", attachment=attachment, subnet=lease.subnet)


def drift(host: Host, record: Record) -> list[str]:
    if not record.ipam or "type" in record.ipam:
        return []
    addresses = [lease.address for lease in record.leases]
    where = (record.ipam["dataDir"], record.ipam["scope"])
    try:
        own.check(place(host), record.attachment, record.network, *where, addresses)
    except Drift as error:
        return [f"reservation: {error}"]
    return []


def follow(record: Record, ipam_conf: dict[str, Any]) -> None:
    """Where the network went from a foreign IPAM to host-subnet (`sriovctl import`), the lease is what counts."""
    if "type" in record.ipam and ipam_conf.get("type") == "host-subnet":
        scope, data_dir = hostsubnet.parse_place(ipam_conf)
        record.ipam = {"dataDir": data_dir, "scope": scope}


def leases_of(host: Host, network: str) -> list[tuple[str, str, Attachment]]:
    """(scope, data directory, attachment) of every lease of that network on this node."""
    return [
        (store.scope, store.data_dir, holding.attachment)
        for store, holding in own.all_holdings(place(host))
        if holding.network == network and holding.attachment is not None
    ]


def check_room(host: Host, conf: IpamConf) -> None:
    """PoolExhausted if an ADD would find no free subnet now; takes no lock."""
    own.check_room(place(host), conf, host_use(host, set()))


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
    """Judges lease holders, by proof only: another boot, or a netns that no process is in and no mount keeps. Its number
    may be another netns's by now; the cookie tells.

    Whoever has a VF is not judged here: an open descriptor may keep a netns that cannot be found, and then the VF is
    not back in the host either. owner/reclaim.py knows.
    """

    __slots__ = ("_found", "_host", "_live", "_with_vf")

    def __init__(self, host: Host) -> None:
        self._found: set[Attachment] = set()
        self._host = host
        self._live: dict[int, list[str]] | None = None
        self._with_vf: set[Attachment] = set()

    def __call__(self, holding: Holding) -> bool:
        dead = self._is_dead(holding)
        if dead and holding.attachment is not None:
            self._found.add(holding.attachment)
        return dead

    def forget_locks(self) -> None:
        """Of those that were found dead: nobody will come with a DEL, and files must not pile up."""
        for attachment in self._found:
            lock = self._host.ledger.attachment_lock(attachment, "reclaim")
            if os.path.lexists(lock.path) and lock.try_acquire():
                lock.forget()
                lock.release()

    def _is_dead(self, holding: Holding) -> bool:
        if holding.boot_id != self._host.ledger.boot_id:
            return True
        if not holding.netns_id:
            return False
        live_netns = self._look()
        if holding.attachment in self._with_vf:
            return False
        inode = holding.netns_id[-1]
        live = live_netns.get(inode, [])
        netns = self._open(
            [holding.netns, *live], inode
        )  # its own path first: it may be younger than our look
        if netns is None:
            return not live and 0 not in live_netns
        with netns:
            return self._is_anothers(holding, netns)

    def make_way(self, holding: Holding) -> bool:
        """Have it give back its VF with its leases, if it is dead; or wait for its DEL, if that runs. True: look again."""
        from ..owner import reclaim

        if holding.attachment is None:
            return False
        until = time.monotonic() + LOCK_DEADLINE_S
        return reclaim.of_attachment(self._host, holding.attachment, RECLAIM_TIMEOUT_MS, until)

    @property
    def hidden(self) -> list[str]:
        """Processes that may be in any netns, as far as we may look."""
        return self._look().get(0, [])

    def _look(self) -> dict[int, list[str]]:
        """Once."""
        if self._live is None:
            self._live = self._host.live_netns()
            self._with_vf = {record.attachment for record in self._host.ledger.claims()}
            if 0 in self._live:
                pids = " ".join(self._live[0])
                self._host.log.warning(
                    "a lease is dead only by its cookie: processes cannot be seen", pids=pids
                )
        return self._live

    def _is_anothers(self, holding: Holding, netns: Netns) -> bool:
        """Whether the netns that has the holder's number is a later one. What cannot be known is no proof of it."""
        if holding.netns_cookie and netns.cookie:
            return netns.cookie != holding.netns_cookie
        return not self._leads_to(holding, netns) and not self._has_address(holding, netns)

    def _open(self, paths: list[str], inode: int) -> Netns | None:
        for path in paths:
            try:
                netns = self._host.open_path(path)
            except BadNetns:
                continue
            if netns.identity[-1] == inode:
                return netns
            netns.close()
        return None

    def _leads_to(self, holding: Holding, netns: Netns) -> bool:
        """For kernels that tell no cookie, and leases that have none: the path that ADD was given leads there still."""
        try:
            with self._host.open_path(holding.netns) as there:
                return there.identity == netns.identity
        except BadNetns:
            return False

    def _has_address(self, holding: Holding, netns: Netns) -> bool:
        """It lives on without its path, as the one who uses the lease."""
        try:
            with self._host.netlink_in(netns) as pod:
                used = {address.address.partition("/")[0] for address in pod.addresses()}
        except KernelRefused:
            return True
        return any(lease.address.partition("/")[0] in used for lease in holding.leases)
