"""Who has what an ADD wanted, told to the one who cannot have it, and what to do. Read only when the ADD has failed, and without
the node's lock.
"""

from __future__ import annotations

from ..conf.hostsubnet import IpamConf
from ..decide import choose
from ..ipam import own
from ..leases.holding import Holding
from ..vf.host import Host
from ..words.domain import PF, Attachment
from ..words.errors import CniError, MacInUse, NoFreeVf, SubnetConflict, typed
from ..words.failures import Failures
from ..words.origin import Origin
from ..words.record import Record
from ..words.shown import moment, short_name
from . import observer


def of(record: Record) -> str:
    """Like "3f7a12ab9c0d/eth0 of network fast (pod default/web-0), since 2026-11-26T09:12:33Z"."""
    origin = Origin.of(record.origin)
    words = f"{short_name(record.attachment)} of network {record.network}"
    words += f" (pod {origin.pod})" if origin.pod else ""
    words += f", since {moment(origin.since)}" if origin.since else ""
    return words + (" (deleted, but its VF is not back yet)" if record.status == "released" else "")


def told_of_mac(host: Host, error: MacInUse) -> CniError:
    """The error that is told."""
    claim = next((one for one in host.ledger.claims() if one.vf == error.vf), None)
    if claim is not None and error.claimed:
        error.msg += f": {of(claim)}"
        error.details = (
            f"DEL that, or ask for another; {_if_gone([claim.attachment])}; {observer.remedy(host)}"
        )
    return error


def told_of_vfs(host: Host, error: NoFreeVf, pfs: list[PF]) -> CniError:
    """The error that is told: what to do first, since runtimes cut what is long."""
    claimed = {address for _, address, reason in error.seen[: choose.TOLD] if reason == choose.CLAIMED}
    holders = {claim.vf: f" by {of(claim)}" for claim in host.ledger.claims() if claim.vf in claimed}
    for unread in host.ledger.unreadable_claims() if len(holders) < len(claimed) else ():
        holders.setdefault(
            unread.path.rpartition("+")[2], f" by {unread.path}, which cannot be read: {unread.why}"
        )
    words = choose.told(error.seen, holders) or error.details
    if claimed:
        more = "".join(map(_more, pfs))
        words = f"delete one of the containers, or ask for another VF; {_if_gone([])}; {observer.remedy(host)}{more}: {words}"
    error.details = words
    return error


def told_of_subnet(host: Host, conf: IpamConf, error: SubnetConflict) -> SubnetConflict:
    """The error that is told: it is not outside of the pools (code 7), somebody has it."""
    found = [holding for _, holding in own.in_the_way(host, conf, error.wanted)] if error.wanted else []
    words = [_leased(host, holding) for holding in found]
    if words:
        error.msg = f"{error.asked}: {'; '.join(words)}"
        error.details = f"{_to_have_it(found)}; {observer.remedy(host)}; `sriovctl leases` has all"
    return error


def _leased(host: Host, holding: Holding) -> str:
    leases = ", ".join(lease.subnet for lease in holding.leases)
    if holding.attachment is None:
        return f"{leases} is kept for {holding.leases[0].sticky} (sticky)"
    record = None
    with Failures().of():
        record = host.ledger.find(holding.attachment)
    who = of(record) if record is not None else _without_vf(holding, holding.attachment)
    return f"{leases} is taken by {who}"


def _without_vf(holding: Holding, who: Attachment) -> str:
    return f"{short_name(who)} of network {holding.network}, since {moment(holding.created)}"


def _to_have_it(held: list[Holding]) -> str:
    whos = [holding.attachment for holding in held if holding.attachment is not None]
    kept = [holding.leases[0].sticky for holding in held if holding.attachment is None]
    words = ["ask for another, or delete that container", _if_gone(whos)] if whos else ["ask for another"]
    return "; ".join(
        [*words, *(f"of a pod that does not come back: `sriovctl forget {typed(key)}`" for key in kept)]
    )


def _if_gone(whos: list[Attachment]) -> str:
    """Of one its name, fit to be typed; where there are several, each is named so behind it."""
    who = typed(short_name(whos[0])) if len(whos) == 1 else "CONTAINER/IFNAME"
    return f"of a container that is gone: `sriovctl release {who}`"


def _more(pf: PF) -> str:
    if pf.numvfs >= pf.totalvfs:
        return ""
    return f"; `sriovctl vfs {pf.ifname or pf.pci_address} max`, while no VF is in use, gives as many as there is room for"
