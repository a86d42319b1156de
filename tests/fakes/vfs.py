"""The fake's netlink, its VFs: what igb takes and refuses (kernels.md 6.1-6.5), another driver everything."""

from __future__ import annotations

from errno import EINVAL, ENODEV, EOPNOTSUPP, EPROTONOSUPPORT
from typing import TYPE_CHECKING

from cni_sriov.kernel.netlink import ZERO_MAC, Netlink
from cni_sriov.words.errors import KernelRefused
from cni_sriov.words.record import VfState

from .effects import Refused, apply, hooked

if TYPE_CHECKING:
    from collections.abc import Callable

    from .card import FakeLink, FakeVf, Namespace
    from .kernel import FakeKernel


@hooked
class FakeVfs(Netlink):
    __slots__ = ("namespace", "world")

    def __init__(self, world: FakeKernel, namespace: Namespace) -> None:
        self.world = world
        self.namespace = namespace

    def close(self) -> None:
        pass

    def vf_states(self, pf_ifindex: int, only: int | None = None) -> dict[int, VfState]:
        link = self._link(f"look up the VFs of link {pf_ifindex}", pf_ifindex)
        return {
            vf.index: VfState.from_json(vf.state.to_json())
            for vf in (link.pf.vfs if link.pf else [])
            if only in {None, vf.index}
        }

    def whole_link(self, ifindex: int) -> bytes:
        link = self._link(f"look up all of link {ifindex}", ifindex)
        entries = b""
        for vf in link.pf.vfs if link.pf else []:
            mac = _attr(1, vf.index.to_bytes(4, "little") + bytes(32))
            stats = b"".join(
                _attr(kind, number.to_bytes(8, "little")) for kind, number in enumerate(vf.counted)
            )
            entries += _attr(1, mac + _attr(8, stats))
        number = len(link.pf.vfs) if link.pf else 0
        own = b"".join(number.to_bytes(8, "little") for number in link.counted)
        return bytes(16) + _attr(23, own) + _attr(21, number.to_bytes(4, "little")) + _attr(22, entries)

    def set_vf_mac(self, pf_ifindex: int, index: int, mac: str) -> None:
        """The VF's own driver does not notice: its netdev keeps the address it has."""

        def act(vf: FakeVf) -> None:
            if int(mac[:2], 16) & 1:
                raise Refused(EINVAL)
            vf.admin_mac = mac != ZERO_MAC
            vf.state.mac = mac if vf.admin_mac else ""

        self._change_vf(pf_ifindex, index, f"mac {mac}", act)

    def set_vf_vlan(
        self, pf_ifindex: int, index: int, vlan: int, qos: int = 0, proto: str = "802.1q"
    ) -> None:
        def act(vf: FakeVf) -> None:
            if vlan > 4095 or qos > 7:
                raise Refused(EINVAL)
            if proto != "802.1q" and vf.pf.driver == "igb":
                raise Refused(EPROTONOSUPPORT)
            vf.state.vlan, vf.state.vlan_qos, vf.state.vlan_proto = vlan, qos, proto

        self._change_vf(pf_ifindex, index, f"vlan {vlan} qos {qos} proto {proto}", act)

    def set_vf_rate(self, pf_ifindex: int, index: int, min_tx_rate: int, max_tx_rate: int) -> None:
        def act(vf: FakeVf) -> None:
            no_link = not (vf.pf.link.is_up and vf.pf.link.carrier)
            igb_refuses = vf.pf.driver == "igb" and (min_tx_rate or max_tx_rate > 1000 or no_link)
            if igb_refuses or (max_tx_rate and min_tx_rate > max_tx_rate):
                raise Refused(EINVAL)
            vf.state.min_tx_rate, vf.state.max_tx_rate = min_tx_rate, max_tx_rate

        what = f"min_tx_rate {min_tx_rate} max_tx_rate {max_tx_rate}"
        self._change_vf(pf_ifindex, index, what, act)

    def set_vf_spoofchk(self, pf_ifindex: int, index: int, on: bool) -> None:
        def act(vf: FakeVf) -> None:
            vf.state.spoofchk = on

        self._change_vf(pf_ifindex, index, f"spoofchk {'on' if on else 'off'}", act)

    def set_vf_trust(self, pf_ifindex: int, index: int, on: bool) -> None:
        def act(vf: FakeVf) -> None:
            vf.state.trust = on

        self._change_vf(pf_ifindex, index, f"trust {'on' if on else 'off'}", act)

    def set_vf_link_state(self, pf_ifindex: int, index: int, state: str) -> None:
        def act(vf: FakeVf) -> None:
            if vf.pf.driver == "igb":
                raise Refused(EOPNOTSUPP)
            vf.state.link_state = state

        self._change_vf(pf_ifindex, index, f"link_state {state}", act)

    # -- for its heirs --------------------------------------------------------------------------------------------------

    def _link(self, what: str, ifindex: int) -> FakeLink:
        link = self.namespace.links.get(ifindex)
        if link is None:
            raise KernelRefused(what, ENODEV)
        return link

    def _change(self, what: str, ifindex: int, act: Callable[[FakeLink], None]) -> None:
        apply(self.world, what, lambda: act(self._link(what, ifindex)))

    def _change_vf(self, pf_ifindex: int, index: int, knob: str, act: Callable[[FakeVf], None]) -> None:
        what = f"set vf {index} of link {pf_ifindex} {knob}"

        def change() -> None:
            pf = self._link(what, pf_ifindex).pf
            if pf is None:
                raise Refused(EOPNOTSUPP)
            if not 0 <= index < len(pf.vfs):
                raise Refused(EINVAL)
            act(pf.vfs[index])

        apply(self.world, what, change)


def _attr(kind: int, payload: bytes) -> bytes:
    """struct nlattr of linux/netlink.h; the kinds are linux/if_link.h's."""
    size = 4 + len(payload)
    return size.to_bytes(2, "little") + kind.to_bytes(2, "little") + payload + bytes(-size % 4)
