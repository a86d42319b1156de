"""VFs by way of their PF. What the fake card does, the card of the lab does too (tests/lab/test_card.py)."""

from __future__ import annotations

from errno import ENOENT, EOPNOTSUPP
from typing import TYPE_CHECKING

import pytest

from tests.fakes import FakeKernel

from .card import FACTS, MAC, PF, Card, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cni_sriov.kernel.netlink import Netlink
    from cni_sriov.kernel.netns import Netns
    from cni_sriov.kernel.nodes import Nodes
    from cni_sriov.kernel.sysfs import Sysfs

    from .node import Node


class FakeCard:
    """Of that driver, with two VFs."""

    def __init__(self, root: Path, driver: str = "igb") -> None:
        self.world = FakeKernel(root)
        self.world.add_pf(PF, numvfs=2, driver=driver)
        self.world.tree.add_iommu()
        self.host: Netlink = self.world.netlink
        self.sysfs: Sysfs = self.world.sysfs
        self.nodes: Nodes = self.world.nodes
        self.open_netns, self.pod_netlink = self.world.open_netns, self.world.pod_netlink

    def add_pod(self) -> Netns:
        self.world.add_pod("/pod")
        return self.world.open_netns("/pod")

    def kill_pod(self, pod: Netns) -> None:
        self.world.kill_netns(pod.path, slowly=True)

    def start_udev(self) -> None:
        self.world.udev = True

    def settle(self) -> None:
        """It names a netdev at once."""

    def load(self, driver: str) -> None:
        self.world.tree.add_driver(driver)


@pytest.mark.parametrize("fact", FACTS, ids=[fact.__name__ for fact in FACTS])
def test_the_fake_does_as_the_card(tmp_path: Path, fact: Callable[[Card], None]) -> None:
    fact(FakeCard(tmp_path))


def test_another_driver_takes_every_knob(tmp_path: Path) -> None:
    """As netdevsim does in the lab (tests/lab/test_big_pf.py)."""
    card = FakeCard(tmp_path, driver="ice")
    pf = card.host.ifindex(PF)

    card.host.set_vf_link_state(pf, 0, "disable")
    card.host.set_vf_vlan(pf, 0, 100, 3, "802.1ad")
    card.host.set_vf_rate(pf, 0, 10, 100)

    state = card.host.vf_state(pf, 0)
    assert (state.link_state, state.vlan, state.vlan_qos, state.vlan_proto) == ("disable", 100, 3, "802.1ad")
    assert (state.min_tx_rate, state.max_tx_rate) == (10, 100)


def test_link_without_vfs_lists_none_and_refuses_knobs(node: Node) -> None:
    ifindex = node.add_link("left", "v0")

    assert node.left.vf_states(ifindex) == {}
    assert refusal(lambda: node.left.vf_state(ifindex, 0)) == ENOENT
    for act in (
        lambda: node.left.set_vf_mac(ifindex, 0, MAC),
        lambda: node.left.set_vf_vlan(ifindex, 0, 100),
        lambda: node.left.set_vf_vlan(ifindex, 0, 100, 3, "802.1ad"),
        lambda: node.left.set_vf_rate(ifindex, 0, 0, 100),
        lambda: node.left.set_vf_spoofchk(ifindex, 0, True),
        lambda: node.left.set_vf_trust(ifindex, 0, False),
        lambda: node.left.set_vf_link_state(ifindex, 0, "enable"),
    ):
        assert refusal(act) == EOPNOTSUPP
