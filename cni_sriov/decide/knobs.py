"""From one state of a VF to another, by the PF's knobs and by its own netdev's: what to set, and what still differs. Pure.

The MACs are not among what is set: their order matters (vf/admin.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..words.domain import ALLMULTI, PROMISC, Knob, Link, OwnKnob
from ..words.record import VfSettings, VfState

_PLAIN: tuple[Literal["spoofchk", "trust", "link_state"], ...] = ("spoofchk", "trust", "link_state")


@dataclass(slots=True)
class Step:
    """`knob` is what the kernel sets in one request (vf/admin.py knows by which), `label` the conf's key, for errors."""

    label: str
    knob: Knob | OwnKnob
    values: tuple[object, ...]


def steps(now: VfState, wanted: VfState | VfSettings) -> list[Step]:
    """What to do; a knob that is already so, or that `wanted` leaves open (None), is not touched."""
    todo = []
    if wanted.vlan is not None and _vlan(now) != _vlan(wanted):
        todo.append(Step("vlan", "vlan", (wanted.vlan, wanted.vlan_qos, wanted.vlan_proto)))
    low, high = _rates(now, wanted)
    if (low, high) != (now.min_tx_rate or 0, now.max_tx_rate or 0):
        todo.append(Step(_rate_label(now, low), "rate", (low, high)))
    for knob in _PLAIN:
        value = getattr(wanted, knob)
        if value is not None and value != getattr(now, knob):
            todo.append(Step(knob, knob, (value,)))
    return todo


def own_steps(link: Link, wanted: VfSettings) -> list[Step]:
    """The same for the VF's own netdev."""
    todo = []
    if wanted.mtu not in {None, link.mtu}:
        todo.append(Step("mtu", "mtu", (wanted.mtu,)))
    if wanted.txqueuelen not in {None, link.txqueuelen}:
        todo.append(Step("txqueuelen", "txqueuelen", (wanted.txqueuelen,)))
    modes = wanted.modes(link.modes)
    if modes != link.modes:
        todo.append(Step("promisc or allmulti", "modes", (modes,)))
    return todo


def own_differences(link: Link, wanted: VfSettings) -> list[tuple[str, object, object]]:
    """(the conf's key, what the netdev has, what is wanted) where these differ."""
    facts = (
        ("mac", link.mac, wanted.mac),
        ("mtu", link.mtu, wanted.mtu),
        ("txqueuelen", link.txqueuelen, wanted.txqueuelen),
        ("promisc", bool(link.modes & PROMISC), wanted.promisc),
        ("allmulti", bool(link.modes & ALLMULTI), wanted.allmulti),
    )
    return [fact for fact in facts if fact[2] not in {None, fact[1]}]


def as_found(base: VfState) -> VfSettings:
    """What the netdev is to have again; an MTU of 0 was not known."""
    return VfSettings(
        base.own_mac,
        mtu=base.mtu or None,
        txqueuelen=base.txqueuelen,
        promisc=bool(base.modes & PROMISC),
        allmulti=bool(base.modes & ALLMULTI),
    )


def has_rates(settings: VfState | VfSettings) -> bool:
    return settings.min_tx_rate is not None or settings.max_tx_rate is not None


def differences(now: VfState, wanted: VfState | VfSettings) -> list[str]:
    """What is not as wanted, in words; a knob that the driver does not report cannot be judged."""
    wrong = []
    if wanted.vlan is not None and now.vlan is not None and _vlan(now) != _vlan(wanted):
        wrong.append(f"vlan {_words(now)}, not {_words(wanted)}")
    for knob in ("min_tx_rate", "max_tx_rate", *_PLAIN):
        value, found = getattr(wanted, knob), getattr(now, knob)
        if value is not None and found is not None and value != found:
            wrong.append(f"{knob} {_word(found)}, not {_word(value)}")
    return wrong


def _vlan(state: VfState | VfSettings) -> tuple[int | None, int, str]:
    # without a VLAN neither qos nor protocol mean anything, and drivers report leftovers
    return (state.vlan, state.vlan_qos, state.vlan_proto) if state.vlan else (state.vlan, 0, "802.1q")


def _words(state: VfState | VfSettings) -> str:
    return f"{state.vlan} qos {state.vlan_qos} proto {state.vlan_proto}"


def _word(value: object) -> str:
    return {True: "on", False: "off"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _rates(now: VfState, wanted: VfState | VfSettings) -> tuple[int, int]:
    """Both rates travel in one message (struct ifla_vf_rate): the one that is not asked stays as it is."""
    low = now.min_tx_rate if wanted.min_tx_rate is None else wanted.min_tx_rate
    high = now.max_tx_rate if wanted.max_tx_rate is None else wanted.max_tx_rate
    return low or 0, high or 0


def _rate_label(now: VfState, low: int) -> str:
    return "min_tx_rate" if low != (now.min_tx_rate or 0) else "max_tx_rate"
