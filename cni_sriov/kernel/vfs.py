"""A VF by way of its PF: what the PF tells of it, and the knobs that only the PF has."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOENT
from typing import Any

from ..words.domain import Knob, VfState
from ..words.errors import KernelRefused
from . import replies, rtnl
from .attributes import attr_u32
from .speaker import Speaker, decoded

_ROOM = 1 << 20  # bytes, for the answer of a PF: 256 VFs take more than 64 KiB


class Vfs(Speaker):
    """What the PFs of one netns know of their VFs."""

    __slots__ = ()

    def vf_state(self, pf_ifindex: int, index: int) -> VfState:
        """The admin half; ENODEV if the PF is gone, ENOENT if it tells nothing of that VF."""
        states = self.vf_states(pf_ifindex, index)
        if index not in states:
            raise KernelRefused(
                f"look up vf {index} of link {pf_ifindex}", ENOENT, "the PF does not list this VF"
            )
        return states[index]

    def vf_states(self, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        """The kernel tells of all or none; with `only` the others are not decoded."""
        # without SKIP_STATS the driver is asked for each VF's counters, and 250 VFs overflow the list's 16-bit length
        mask = attr_u32(rtnl.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_VF | rtnl.RTEXT_FILTER_SKIP_STATS)
        verb = f"look up the VFs of link {pf_ifindex}"
        body = self._socket.ask(verb, rtnl.RTM_GETLINK, rtnl.link(pf_ifindex, mask), _ROOM)
        return decoded(verb, lambda answer: replies.decode_vfs(answer, only), body)

    def set_vf_mac(self, pf_ifindex: int, index: int, mac: str) -> None:
        """netlink.ZERO_MAC clears it. Most drivers reset the VF; it takes the new address when its own driver re-reads it."""
        self._set_vf(pf_ifindex, index, f"mac {mac}", rtnl.vf_mac(index, mac))

    def set_vf_vlan(
        self, pf_ifindex: int, index: int, vlan: int, qos: int = 0, proto: str = "802.1q"
    ) -> None:
        """EPROTONOSUPPORT where the driver cannot do 802.1ad. Acts at once on a running VF."""
        self._set_vf(
            pf_ifindex, index, f"vlan {vlan} qos {qos} proto {proto}", rtnl.vf_vlan(index, vlan, qos, proto)
        )

    def set_vf_rate(self, pf_ifindex: int, index: int, min_tx_rate: int, max_tx_rate: int) -> None:
        """Mbit/s, 0 = no limit. EINVAL while the PF has no link speed, or where the driver has no minimum."""
        what = f"min_tx_rate {min_tx_rate} max_tx_rate {max_tx_rate}"
        self._set_vf(pf_ifindex, index, what, rtnl.vf_rate(index, min_tx_rate, max_tx_rate))

    def set_vf_spoofchk(self, pf_ifindex: int, index: int, on: bool) -> None:
        knob = rtnl.vf_setting(rtnl.IFLA_VF_SPOOFCHK, index, on)
        self._set_vf(pf_ifindex, index, f"spoofchk {'on' if on else 'off'}", knob)

    def set_vf_trust(self, pf_ifindex: int, index: int, on: bool) -> None:
        knob = rtnl.vf_setting(rtnl.IFLA_VF_TRUST, index, on)
        self._set_vf(pf_ifindex, index, f"trust {'on' if on else 'off'}", knob)

    def set_vf_link_state(self, pf_ifindex: int, index: int, state: str) -> None:
        """One of rtnl.LINK_STATES. EOPNOTSUPP on igb and others."""
        knob = rtnl.vf_setting(rtnl.IFLA_VF_LINK_STATE, index, rtnl.LINK_STATES.index(state))
        self._set_vf(pf_ifindex, index, f"link_state {state}", knob)

    def set_vf(self, pf_ifindex: int, index: int, knob: Knob, *values: Any) -> None:
        """That knob by its verb below; `values` are what the verb takes."""
        verbs: dict[Knob, Callable[..., None]] = {
            "vlan": self.set_vf_vlan,
            "rate": self.set_vf_rate,
            "spoofchk": self.set_vf_spoofchk,
            "trust": self.set_vf_trust,
            "link_state": self.set_vf_link_state,
        }
        verbs[knob](pf_ifindex, index, *values)

    def _set_vf(self, pf_ifindex: int, index: int, what: str, knob: bytes) -> None:
        self._set(f"set vf {index} of link {pf_ifindex} {what}", rtnl.vf(pf_ifindex, knob))
