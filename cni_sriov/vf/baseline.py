"""What a VF is before we touch it: looked at, judged and recorded."""

from __future__ import annotations

from ..conf.netconf import NetConf
from ..decide import knobs
from ..words.domain import PF, Link
from ..words.errors import BadConfig, KernelRefused, PfUnusable
from ..words.gone import is_gone
from ..words.record import Record, VfState
from . import card, golden, handover, homename, restore
from .card import Card
from .host import Host


def find(host: Host, record: Record, conf: NetConf) -> Card:
    """Read all that the VF is, judge what only the hardware can judge, and put the Record: nothing is changed yet."""
    if not record.vf:
        host.ledger.put(record)
        return Card(host, record)
    link = handover.of(record).find(host, record)
    pf = card.pf_of(host, record)
    port = _port(host, record, pf)
    _judge(conf, port, link)
    if link is not None and link.is_up:
        host.log.routine("the VF is UP in the host; taken all the same", vf=record.vf, ifname=link.ifname)
    found = Card(host, record, pf, link, _admin(host, record, port), port)
    first = golden.first(found)
    record.baseline = _baseline(found, first.state)
    record.parent_dev = link.parent_dev if link is not None else ""
    host.ledger.put(record)
    if link is not None and record.baseline.ifname != link.ifname:
        homename.forget(host, record.vf)  # the Record knows it now
    wrong = restore.differences(found, record.baseline, first)
    if wrong or (link is not None and link.is_held):
        return restore.before_use(found, conf, wrong)
    return found


def _port(host: Host, record: Record, pf: PF | None) -> Link | None:
    """The PF's netdev, None if the PF is not visible."""
    port = card.port_of(host, pf)
    if port is None and record.pf:  # gone, or in a netns itself (kernels.md 6.16)
        raise PfUnusable(f"use PF {record.pf}: it has no netdev in the host netns")
    return port


def _judge(conf: NetConf, port: Link | None, link: Link | None) -> None:
    mtu, limits = conf.settings.mtu, [of for of in (port, link) if of is not None]
    if mtu is not None and limits:
        low = max(of.min_mtu for of in limits)
        high = min(of.max_mtu or mtu for of in limits)
        if not low <= mtu <= high:
            raise BadConfig(f"read mtu {mtu}: {limits[0].ifname} and its VFs take {low}-{high}")
    if port is not None and not port.is_up and not conf.pf_up:
        raise PfUnusable(
            f"use PF {port.ifname}: it is down, so its VFs carry nothing", 'bring it up, or set "pfUp": true'
        )


def _admin(host: Host, record: Record, port: Link | None) -> VfState | None:
    """What the PF tells of the VF. One that tells nothing is accepted only if nothing is asked of it."""
    if port is None:
        return None
    try:
        return host.netlink.vf_state(port.ifindex, record.vf_index)
    except KernelRefused as refused:
        if not is_gone(refused):
            raise
        if knobs.steps(VfState(), record.settings) or record.settings.mac:
            raise PfUnusable(
                f"use PF {port.ifname}: it tells nothing of vf {record.vf_index}", str(refused)
            ) from refused
        return None


def _baseline(found: Card, first: VfState) -> VfState:
    """What DEL restores: the golden baseline, and of today what is the operator's to change at any time."""
    base, link = first.copy(), found.link
    if link is not None:
        base.ifname = homename.of(found.host, found.record.vf) or link.ifname
        base.altnames, base.up = link.altnames, link.is_up
    return base
