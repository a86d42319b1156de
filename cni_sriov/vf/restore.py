"""A VF as it was found, whatever the conf said: the inverse of each thing that ADD does to it, from the Record.

Every one is idempotent: what is already so is left alone, what is gone is success. Order: the netdev home, DOWN and free
of what is stacked on it; its MAC, MTU, traits and name; the PF's knobs; and UP last, when all of it reads back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..conf.netconf import NetConf
from ..decide import knobs
from ..kernel.traits import SETTABLE
from ..words.errors import KernelRefused, PfUnusable, TryAgain
from ..words.gone import is_passing
from ..words.record import Record, VfState
from . import admin, card, golden, handover, homename, stacked
from .card import Card, NotYet, poll
from .golden import Golden
from .host import Host


def return_vf(host: Host, record: Record, verify_timeout_ms: int) -> None:
    """Does all it can and reports all that failed. NotYet: only time or the operator can help; TryAgain: it failed, or
    reads back differently for too long. What no message restores, a new netdev does.
    """
    base = record.baseline
    if base is None or card.lost(host, record):
        return
    first = golden.known(host, record.vf)
    failed: list[str] = []
    by_pf: list[str] = []  # of these only, the PF may be the reason
    away = _try(failed, handover.of(record).take_home, host, record)
    if (failed or away) and handover.of(record).is_out(host, record):  # who has it stays in his VLAN
        raise away or _unfinished(host, record, "; ".join(failed), may_be_pf=False)
    base = base if base.own_mac else _with_netdev(host, record, base)
    found = _at_rest(failed, by_pf, host, record, first)
    is_new = _must_be_new(found, first)
    if is_new:
        away = away or _make_anew(host, record)
        found = _at_rest(failed, by_pf, host, record, first)
        _accept(found, first, but=SETTABLE)
    is_taken = _set_back(found, base, first, failed, by_pf)
    if failed or by_pf:
        raise _unfinished(host, record, "; ".join(failed + by_pf), may_be_pf=not failed)
    if away is not None:
        raise away
    found = _verify(found, base, first if is_taken else None, verify_timeout_ms)
    if is_new:
        _accept(found, first)
    elif _odd(found, first):
        stacked.note(host, record)
        return_vf(host, record, verify_timeout_ms)
        return
    _set_up(found, base)
    homename.settle(host)


def _with_netdev(host: Host, record: Record, base: VfState) -> VfState:
    """It had none: one that it has now is of a driver that the operator gave it since, and stays as it is."""
    link = card.in_host(host, record.vf)
    if link is None:
        return base
    own = replace(
        base,
        mac=admin.mac_by_pf(base, link),
        own_mac=link.mac,
        mtu=link.mtu,
        modes=link.modes,
        txqueuelen=link.txqueuelen,
    )
    record.baseline = replace(own, ifname=link.ifname, altnames=link.altnames, up=link.is_up)
    return record.baseline


def _must_be_new(found: Card, first: Golden | None) -> bool:
    """Also where nobody knows what it was: a version that kept no golden baseline attached it, or sriov-cni did. What its
    container left would be golden for all that come.
    """
    link = found.link
    is_unknown = link is not None and (link.is_held or first is None)
    return found.record.anew or is_unknown or not SETTABLE.issuperset(_odd(found, first))


def _odd(found: Card, first: Golden | None) -> list[str]:
    if first is None or found.link is None:
        return []
    return first.unlike(found.traits(first.traits))


def _accept(found: Card, first: Golden | None, but: Collection[str] = ()) -> None:
    """What a new netdev has otherwise, nobody's container made."""
    keys = [key for key in _odd(found, first) if key not in but]
    if first is not None and keys:
        golden.accept(found, first, keys)


def _set_back(found: Card, base: VfState, first: Golden | None, failed: list[str], by_pf: list[str]) -> bool:
    """False: its traits are not taken."""
    refused: list[str] = []
    _try(by_pf, admin.restore_mac, found)
    if found.link is not None:
        for step in knobs.own_steps(found.link, knobs.as_found(base)):
            _try(failed, admin.take, found, step)
        _try(refused, _set_traits, found, first)  # by the name that it has now
        _try(failed, homename.restore, found.host, found.record.vf, found.link, base)
    _try(by_pf, admin.restore_knobs, found)
    return not refused


def _set_traits(found: Card, first: Golden | None) -> None:
    keys = [key for key in _odd(found, first) if key in SETTABLE]
    if found.link is not None and first is not None and keys:
        found.stale = True
        found.host.netlink.set_traits(found.link, first.traits, keys)


def _unfinished(host: Host, record: Record, failed: str, may_be_pf: bool) -> Exception:
    what, why = f"restore vf {record.vf}: {failed}", pf_out_of_reach(host, record) if may_be_pf else ""
    if why:  # containerd would repeat DEL for ever, and no repetition can help
        return NotYet(f"{what}; {why}")
    return TryAgain(what, "what is left stays recorded; the next DEL or ADD tries again")


def _set_up(found: Card, base: VfState) -> None:
    """Last: what it hears in the host is what it heard before."""
    if base.up and found.link is not None:
        try:
            found.host.netlink.set_up(found.link.ifindex)
        except KernelRefused as refused:
            raise _unfinished(found.host, found.record, str(refused), may_be_pf=False) from refused


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
        if handover.of(record).is_out(host, record):
            raise reason from refused
        return reason
    return None


def _try(failed: list[str], inverse: Callable[..., object], *args: Any) -> NotYet | None:
    try:
        inverse(*args)
    except NotYet as reason:
        return reason
    except KernelRefused as refused:
        failed.append(str(refused))
    return None


def _at_rest(failed: list[str], by_pf: list[str], host: Host, record: Record, first: Golden | None) -> Card:
    """The VF looked at, and DOWN, whoever set it UP: else it hears in the host what is the container's."""
    found = _look(by_pf, host, record)
    if found.link is not None and found.link.is_up:
        _try(failed, host.netlink.set_down, found.link.ifindex)
        found.link.flags &= ~1
    _try(failed, _odd, found, first)
    return found


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


def _verify(found: Card, base: VfState, first: Golden | None, timeout_ms: int) -> Card:
    """Read back until the VF is its baseline: i40e and iavf apply MACs asynchronously (sriov-cni utils.go). What was seen
    so, and had nothing to be set, is not looked at again. The answer is the VF as it is, its traits perhaps not yet.
    """
    host, record = found.host, found.record
    if not (found.stale or differences(found, base, first)):
        return found

    def wrong() -> list[str]:
        nonlocal found
        found = card.look(host, record)
        try:
            return differences(found, base, first)
        except KernelRefused as refused:  # ENODEV: its driver is just resetting it
            return [str(refused)]

    left = poll(wrong, timeout_ms / 1000)
    odd = first.told(found.traits(first.traits)) if first is not None else []
    still = [text for text in left if text not in odd]
    if still:
        raise TryAgain(f"restore vf {record.vf}: after {timeout_ms} ms still {', '.join(still)}")
    return found


_WORDS = {"mac": "own MAC {}", "mtu": "mtu {}", "txqueuelen": "txqueuelen {}"}


def differences(found: Card, base: VfState, first: Golden | None = None) -> list[str]:
    """What of it is not as in its baseline, in words; its traits by its golden one."""
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
    wrong += first.told(found.traits(first.traits)) if first is not None else []
    return list(dict.fromkeys(wrong))


def before_use(found: Card, conf: NetConf, wrong: list[str]) -> Card:
    """Something that an earlier container left in another netns holds its netdev: it is made anew. Or the VF is not as it
    was at first: a Record was lost, or the operator changed it. Either way it is as it was, before anything is asked of it.
    """
    host, record = found.host, found.record
    if found.link is not None and found.link.is_held:
        host.log.warning(
            "something holds the VF; its netdev is made anew", vf=record.vf, ifname=found.link.ifname
        )
        stacked.note(host, record)
        why = "something holds its netdev"
    else:
        why = f"it is not as it was at first ({'; '.join(wrong)})"
        host.log.warning(
            "the VF is not as its golden baseline says; put right", vf=record.vf, differs="; ".join(wrong)
        )
    admin.bring_pf_up(found, conf)
    try:
        return_vf(host, record, conf.verify_timeout_ms)
    except NotYet as reason:
        raise TryAgain(f"use VF {record.vf}: {why}, and {reason}") from reason
    now = card.look(host, record)
    if now.link is None and found.link is not None:
        raise PfUnusable(f"use VF {record.vf}: its netdev vanished when it was put right")
    now.port = found.port
    record.parent_dev = now.link.parent_dev if now.link is not None else ""
    return now
