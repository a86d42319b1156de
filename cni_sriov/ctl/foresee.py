"""What `sriovctl gc` would find: what is nobody's and yet stays, and VFs that get their names back. Looks only.

A driver's refusal is known only by trying; but what was tried in vain before, and is as it was, is in vain again.
"""

from __future__ import annotations

from ..owner import giveback
from ..state import files
from ..vf import card, handover, homename, restore, vpptap
from ..vf.host import Host
from ..words.failures import Failures
from ..words.plane import VFIO
from ..words.record import Record
from . import places


def is_stuck(host: Host, record: Record) -> bool:
    """Of a Record that is provably nobody's: whether it would stay (places.stuck says why)."""
    if not giveback.is_its(host, record) or (record.vf and card.lost(host, record)):
        return False  # the Record goes, and nothing is done to the VF
    if record.plane is None:
        return record.baseline is not None and _is_netdev_stuck(host, record)
    if record.plane.kind == VFIO:
        return handover.of(record).is_out(host, record)
    return not record.vf and bool(vpptap.trouble(places.socket(record)))


def _is_netdev_stuck(host: Host, record: Record) -> bool:
    pf = card.pf_of(host, record)
    if pf is not None and pf.driver and card.port_of(host, pf) is None:
        return True  # in another netns, and the settings of its VFs with it
    if record.status != "released":
        return False
    kind = handover.of(record)
    is_seen = kind.is_home(host, record) or kind.is_in_pod(host, record)
    return bool(restore.pf_out_of_reach(host, record)) or (record.anew and not is_seen)


def waiting(host: Host) -> dict[str, str]:
    """VFs in the host that do not have their names (vf/homename.py), and these names, by address."""
    found = {}
    with Failures(host.log.warning, "VFs that wait for their names are not known").of():
        for vf in files.names(f"{host.ledger.run_dir}/names"):
            name, link = homename.of(host, vf), card.in_host(host, vf)
            if name and link is not None and link.ifname != name:
                found[vf] = name
    return found


def named(host: Host, names: dict[str, str], freed: set[str], dry_run: bool) -> list[str]:
    """Of those the VFs that have their names now, or in a dry run would. `freed`: what is given back in this call."""
    if not dry_run:
        return [vf for vf, name in names.items() if host.netlink.ifindex(name) == _ifindex(host, vf)]
    taken = host.ledger.claimed().keys() - freed
    return [
        vf
        for vf, name in names.items()
        if vf not in taken and host.netlink.ifindex(name) in {0, _ifindex(host, vf)}
    ]


def _ifindex(host: Host, vf: str) -> int:
    link = card.in_host(host, vf)
    return link.ifindex if link is not None else -1
