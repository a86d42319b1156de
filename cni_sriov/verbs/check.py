"""CHECK: a drift detector. Everything ADD promised, compared with the world; every difference is named."""

from __future__ import annotations

from .. import ipam
from ..conf.netconf import NetConf
from ..decide import knobs
from ..kernel.netns import Netns
from ..owner import records
from ..vf import card, drift, handover, vppcontainer
from ..vf.call import Call
from ..vf.host import Host
from ..words.errors import BadConfig, Drift, KernelRefused
from ..words.record import Record


def run(call: Call) -> None:
    """Drift lists all that differs in its details."""
    request, conf, host = call.request, call.conf, call.host
    host.ledger.open_for(request.attachment)
    with records.held(host, request.attachment, "CHECK"):
        record = records.record_of(host, request.attachment)
        if record is None or record.status != "done":
            raise Drift(f"check {request.attachment}: it is not attached", "no finished ADD is recorded")
        _follow(host, record, conf)
        with host.open_netns(request.netns) as netns, host.netlink_in(netns) as pod:
            wrong = _identity(record, netns)
            wrong += handover.of(record).differences(host, record, conf, netns, pod)
            wrong += _admin(host, record, conf) + vppcontainer.differences(host, record)
        wrong = ipam.of(record).check(host, record, wrong)
    if wrong:
        raise Drift(
            f"check {request.attachment}: {len(wrong)} difference(s) from what ADD left", "; ".join(wrong)
        )


def _follow(host: Host, record: Record, conf: NetConf) -> None:
    try:
        ipam.follow(record, conf.ipam)
    except BadConfig as error:  # the conf was spoiled since
        host.log.warning("the call is not as it should be", reason=error)


def _identity(record: Record, netns: Netns) -> list[str]:
    same = netns.is_the_one(record.netns_identity, record.netns_cookie)
    return [] if same else [f"netns {netns.path} is another one than ADD saw"]


def _admin(host: Host, record: Record, conf: NetConf) -> list[str]:
    """The VF as the PF sees it: what was asked, and for the rest the baseline it was left at."""
    lost = card.lost(host, record)
    if lost:
        return [f"VF {record.vf} has vanished (numvfs changed, or the PF's driver was unbound): {lost}"]
    if not record.pf:
        return []  # it is not visible (vf/lone.py)
    port = card.port_of(host, card.pf_of(host, record))
    if port is None:
        return [f"PF {record.pf} is gone from the host"]
    wrong = [] if port.is_up else [f"PF {port.ifname} is down"]
    if record.baseline is None or record.baseline.vlan is None:
        return wrong
    try:
        now = host.netlink.vf_state(port.ifindex, record.vf_index)
    except KernelRefused as refused:
        return [*wrong, f"VF {record.vf}: {refused}"]
    asked = record.settings.mac
    unlike = knobs.differences(now, record.expected())
    if asked and now.mac not in {asked, drift.promised_mac(record, conf)}:
        unlike.append(f"admin MAC {now.mac}, not {asked}")
    return wrong + [f"PF {port.ifname} vf {record.vf_index}: {text}" for text in unlike]
