"""A VF as it was found, whatever the conf said: the inverse of each thing that ADD does to it, from the Record.

Every one is idempotent: what is already so is left alone, what is gone is success. Order: the netdev home and free of
what is stacked on it, then its MAC, then its MTU and name, then the PF's knobs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..decide import knobs
from ..words.errors import KernelRefused, PfUnusable, TryAgain
from ..words.gone import is_passing
from ..words.record import Record, VfState
from . import admin, card, handover, homename, stacked
from .card import Card, NotYet, in_host, poll
from .host import Host


def return_vf(host: Host, record: Record, verify_timeout_ms: int) -> None:
    """Does all it can and reports all that failed. NotYet: only time or the operator can help; TryAgain: it failed, or
    reads back differently for too long.
    """
    base = record.baseline
    if base is None or card.lost(host, record):
        return
    failed: list[str] = []
    by_pf: list[str] = []  # of these only, the PF may be the reason
    away = _try(failed, handover.of(record.driver).take_home, host, record)
    found = _look(by_pf, host, record)
    if record.anew or (found.link is not None and found.link.is_held):
        away = away or _make_anew(host, record)
        found = _look(by_pf, host, record)
    _try(by_pf, admin.restore_mac, found)
    if found.link is not None:
        for step in knobs.own_steps(found.link, knobs.as_found(base)):
            _try(failed, admin.take, found, step)
        _try(failed, homename.restore, host, record.vf, found.link, base)
    _try(by_pf, admin.restore_knobs, found)
    if failed or by_pf:
        what = f"restore vf {record.vf}: {'; '.join(failed + by_pf)}"
        why = "" if failed else pf_out_of_reach(host, record)
        if why:  # containerd would repeat DEL for ever, and no repetition can help
            raise NotYet(f"{what}; {why}")
        raise TryAgain(what, "what is left stays recorded; the next DEL or ADD tries again")
    if away is not None:
        raise away
    _verify(found, base, verify_timeout_ms)
    homename.settle(host)


def _make_anew(host: Host, record: Record) -> NotYet | None:
    """A driver that does not come back keeps the VF from everybody, and no DEL from its end. Where it does not even let
    go, the container may go on: in its own VLAN, with its own MAC. So nothing more is done.
    """
    try:
        stacked.make_anew(host, record)
    except KernelRefused as refused:
        if is_passing(refused):
            raise
        reason = NotYet(f"its netdev cannot be made anew: {refused}")
        if handover.of(record.driver).is_out(host, record):
            raise reason from refused
        return reason
    return None


def _try(failed: list[str], inverse: Callable[..., None], *args: Any) -> NotYet | None:
    try:
        inverse(*args)
    except NotYet as reason:
        return reason
    except KernelRefused as refused:
        failed.append(str(refused))
    return None


def _look(failed: list[str], host: Host, record: Record) -> Card:
    """A PF that does not answer is no reason to leave the VF's own side as it is."""
    for look in (card.look, card.look_at_link):
        try:
            return look(host, record)
        except KernelRefused as refused:
            failed.append(str(refused))
    return Card(host, record)


def pf_out_of_reach(host: Host, record: Record) -> str:
    """What only the operator can change: igb refuses rates while the PF is down (kernels.md 6.4) or its cable is out
    (igb_ndo_set_vf_bw wants E1000_STATUS_LU), and whoever moved the PF into another netns (6.16) took all settings of
    its VFs there. "" = the PF is not to blame.
    """
    pf = card.pf_of(host, record)
    if pf is None:
        return ""
    port = card.port_of(host, pf)
    if port is None:
        return f"PF {record.pf} is in another netns" if pf.driver else ""
    if not port.is_up:
        return "the PF is down"
    return "" if port.carrier else "the PF has no carrier"


def _verify(found: Card, base: VfState, timeout_ms: int) -> None:
    """Read back until the VF is its baseline: i40e and iavf apply MACs asynchronously (sriov-cni utils.go). What was seen
    so, and had nothing to be set, is not looked at again.
    """
    host, record = found.host, found.record
    if found.stale or _differences(found, base):
        wrong = poll(lambda: _differences(card.look(host, record), base), timeout_ms / 1000)
        if wrong:
            raise TryAgain(f"restore vf {record.vf}: after {timeout_ms} ms still {', '.join(wrong)}")


_WORDS = {"mac": "own MAC {}", "mtu": "mtu {}", "txqueuelen": "txqueuelen {}"}


def _differences(found: Card, base: VfState) -> list[str]:
    now, link = found.admin, found.link
    wrong = knobs.differences(now, base) if now is not None else []
    if link is None:
        # renamed by udev while we looked for it
        there = found.host.sysfs.has_netdev(found.record.vf)
        return [*wrong, "no netdev in the host"] if there else wrong
    wrong += [
        _WORDS.get(key, "promiscuous or all multicast").format(has)
        for key, has, _ in knobs.own_differences(link, knobs.as_found(base))
    ]
    if (
        now is not None
        and base.mac is not None
        and admin.mac_by_pf(now, link) not in {base.mac, base.own_mac}
    ):
        wrong.append(f"admin MAC {now.mac}")
    return list(dict.fromkeys(wrong))


def before_use(found: Card, verify_timeout_ms: int) -> Card:
    """Something that an earlier container left in another netns holds its netdev: it is made anew, and as it was."""
    host, record = found.host, found.record
    held = found.link.ifname if found.link is not None else ""
    host.log.warning("something holds the VF; its netdev is made anew", vf=record.vf, ifname=held)
    stacked.note(host, record)
    try:
        return_vf(host, record, verify_timeout_ms)
    except NotYet as reason:
        raise TryAgain(f"use VF {record.vf}: something holds its netdev, and {reason}") from reason
    link = in_host(host, record.vf)
    if link is None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished when it was made anew")
    record.parent_dev = link.parent_dev
    return Card(host, record, found.pf, link, found.admin, found.port)
