"""What the PF says of a VF: set for its container, and as it was afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests import fakes
from tests.unit.one_port import vf_of
from tests.world import World


def test_an_admin_mac_equal_to_the_vfs_own_address_does_not_stay(one_vf: World) -> None:
    """The PF shows one address for both, so it cannot be seen; but with it the VF can set no address any more."""
    before = one_vf.snapshot()
    own = one_vf.kernel.pfs[0].vfs[0].link
    assert own is not None

    codes = [one_vf.call(verb, one_vf.conf(mac=own.mac)).code for verb in ("ADD", "DEL")]

    assert (codes, one_vf.snapshot()) == ([0, 0], before)


def test_the_admin_mac_goes_back_also_where_the_netdev_is_gone(one_vf: World) -> None:
    """An unbound driver takes the netdev from under the pod (kernels.md 6.12); the PF keeps the pod's MAC for the VF."""
    assert one_vf.call("ADD", one_vf.conf(mac="02:00:00:00:aa:01")).code == 0
    one_vf.kernel.set_driver(vf_of(one_vf), "vfio-pci")

    reply = one_vf.call("DEL", one_vf.conf())

    assert (reply.code, vf_of(one_vf).admin_mac, one_vf.files()) == (0, False, []), reply.text


def test_a_driver_that_applies_later_is_waited_for_on_both_ways(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """i40e and iavf do; what is read back at once is what was there before."""
    netlink: Any = fakes.FakeNetlink
    set_vlan, states = netlink.set_vf_vlan, netlink.vf_states
    late: list[str] = []

    def set_later(*args: Any) -> None:
        set_vlan(*args)
        late.extend(["once", "and again"])

    def not_yet(*args: Any) -> Any:
        found = states(*args)
        if late:
            late.pop()
            found[0].vlan = 4000
        return found

    monkeypatch.setattr(netlink, "set_vf_vlan", set_later)
    monkeypatch.setattr(netlink, "vf_states", not_yet)

    conf = world.conf(vlan=100, verifyTimeout=5000)
    assert world.call("ADD", conf).code == 0
    assert late == []
    assert world.call("DEL", conf).code == 0
    assert late == []
