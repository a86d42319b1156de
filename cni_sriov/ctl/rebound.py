"""A device's netdev before its kernel driver goes, and as it was when that is back: a driver makes a new one, with a random
MAC on a VF without an admin MAC, DOWN, and under the name that udev likes.

What the PF has for a VF (admin MAC, VLAN, trust, ...) stays through all of it, and is not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..decide import knobs
from ..kernel.traits import SETTABLE
from ..state.bound import Bound
from ..vf import card, golden, homename
from ..vf.card import NAMED_S, Card
from ..vf.host import Host
from ..words.device import Device
from ..words.domain import Link
from ..words.errors import KernelRefused
from ..words.record import VfState
from . import baseline


def seen(host: Host, device: Device) -> Bound:
    """What it is now."""
    found = _look(host, device)
    link = found.link
    state = None
    if link is not None:
        base = replace(found.admin or VfState())
        state = replace(
            base,
            ifname=homename.of(host, device.address) or link.ifname,
            altnames=link.altnames,
            own_mac=link.mac,
            mtu=link.mtu,
            up=link.is_up,
            modes=link.modes,
            txqueuelen=link.txqueuelen,
        )
    inode = host.sysfs.inode(device.address)
    return Bound(inode, device.driver, device.override, device.numvfs, state)


def _look(host: Host, device: Device) -> Card:
    index = host.sysfs.vf_index(device.address) if device.pf else None
    return baseline.unclaimed(host, device.address, device.pf if index is not None else "", index or 0)


def settle(host: Host, device: Device, kept: Bound, given: str = "") -> list[str]:
    """The new netdev as the one before; the answer is what is not so, in sentences. `given`: the MAC that the PF had for
    the VF before its driver came; where the driver took that one, it is an admin MAC, and stays.
    """
    if kept.state is None:
        return []
    card.wait_named(host, device.address, NAMED_S)
    found = _look(host, device)
    if found.link is None:
        return [f"driver {host.sysfs.driver(device.address)} made no netdev; dmesg may say why"]
    failed: list[str] = []
    is_given = given not in {"", kept.state.own_mac} and found.link.mac == given
    base = replace(kept.state, own_mac=given) if is_given else kept.state
    _set_own(found, found.link, base, failed)
    if device.pf:
        _set_traits(found, failed)
    _try(failed, homename.restore, host, device.address, found.link, base)
    if base.up:
        _try(failed, host.netlink.set_up, found.link.ifindex)
    return failed + (_unlike(_look(host, device).link, base) if not failed else [])


def given_mac(host: Host, device: Device) -> str:
    """What its PF has as MAC of the VF, "" if nothing."""
    admin = _look(host, device).admin if device.pf else None
    return (admin.mac if admin is not None else "") or ""


def _set_own(found: Card, link: Link, base: VfState, failed: list[str]) -> None:
    """DOWN for it: igbvf takes another MAC at any time, others do not."""
    netlink = found.host.netlink
    differs = link.mac != base.own_mac or knobs.own_steps(link, knobs.as_found(base))
    if not differs:
        return
    if link.is_up:
        _try(failed, netlink.set_down, link.ifindex)
        link.flags &= ~1  # IFF_UP
    if link.mac != base.own_mac:
        _try(failed, netlink.set_mac, link.ifindex, base.own_mac)
    for step in knobs.own_steps(link, knobs.as_found(base)):
        _try(failed, netlink.set_own, link.ifindex, step.knob, *step.values)


def _set_traits(found: Card, failed: list[str]) -> None:
    """What a message can set of its golden baseline. The rest is the driver's own, untouched by any container: golden from
    now on (docs/design/0014-golden-baseline.md).
    """
    host, link, first = found.host, found.link, golden.of(found.host, found.record.vf)
    if first is None or link is None:
        return
    odd = first.unlike(found.traits(first.traits))
    settable = [key for key in odd if key in SETTABLE]
    if settable:
        _try(failed, host.netlink.set_traits, link, first.traits, settable)
    others = [key for key in odd if key not in SETTABLE]
    if others:
        golden.accept(found, first, others)


def _try(failed: list[str], act: Callable[..., object], *given: Any) -> None:
    try:
        act(*given)
    except KernelRefused as refused:
        failed.append(str(refused))


def _unlike(link: Link | None, base: VfState) -> list[str]:
    if link is None:
        return ["its netdev has gone again"]
    pairs = (
        ("name", link.ifname, base.ifname),
        ("MAC", link.mac, base.own_mac),
        ("mtu", link.mtu, base.mtu),
    )
    return [f"its {word} is {now}, and was {was}" for word, now, was in pairs if now != was]
