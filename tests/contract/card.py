"""What an igb card does, as assertions: run on its fake (test_vfs.py) and on the card of the lab (tests/lab/test_card.py).

In the guest they run without pytest (tests/lab/inside/card_facts.py), so nothing here may import it, or the fakes.
Every fact begins with two fresh VFs that the PF has heard from, and may leave them in any state.
"""

from __future__ import annotations

import dataclasses
from errno import EADDRNOTAVAIL, EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT
from typing import TYPE_CHECKING, Protocol

from cni_sriov.kernel.netlink import ZERO_MAC
from cni_sriov.kernel.netns import OWN
from cni_sriov.words.errors import KernelRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from cni_sriov.kernel.netlink import Netlink
    from cni_sriov.kernel.netns import Netns
    from cni_sriov.kernel.nodes import Nodes
    from cni_sriov.kernel.sysfs import Sysfs
    from cni_sriov.words.domain import Link

MAC, OWN_MAC = "02:00:00:00:aa:01", "02:00:00:00:bb:02"
# told of netdevs in the host's netns alone (kernel/tunables.py, kernel/tcx.py); limit_*: of a kernel with byte queue limits
TUNABLES = {"threaded", "gro_flush_timeout", "napi_defer_hard_irqs", "rps_cpus", "rps_flow_cnt", "tx_maxrate"}
TUNABLES |= {"limit_max", "limit_min", "tcx"}
PF, VF, VF_PCI = "enp1s0f0", "enp1s0f0v0", "0000:01:10.0"


class Card(Protocol):
    """A PF that is UP, with two VFs, in a node where udev may run."""

    host: Netlink
    sysfs: Sysfs
    nodes: Nodes

    def open_netns(self, path: str) -> Netns: ...

    def pod_netlink(self, netns: Netns) -> Netlink: ...

    def add_pod(self) -> Netns: ...

    def kill_pod(self, pod: Netns) -> None:
        """Its path and `pod` are gone when this returns; what is in it may be on its way still."""

    def start_udev(self) -> None:
        """Until then it names nothing."""

    def settle(self) -> None:
        """Until udev is through with what there is."""

    def load(self, driver: str) -> None:
        """Its module."""


def refusal(act: Callable[[], object]) -> int:
    """The errno of the kernel's no; 0 = it said yes."""
    try:
        act()
    except KernelRefused as refused:
        return refused.errno
    return 0


def index_of(card: Card) -> int:
    return vf_of(card).ifindex


def vf_of(card: Card) -> Link:
    """The VF's netdev in the host; it may be on its way there."""
    found = card.host.wait_link(lambda link: link.parent_dev == VF_PCI, 10)
    assert found is not None, "the VF is not in the host"
    return found


# -- facts ------------------------------------------------------------------------------------------------------------


def admin_mac_does_not_reach_the_netdev_and_locks_its_own(card: Card) -> None:
    pf, before = card.host.ifindex(PF), vf_of(card)

    card.host.set_vf_mac(pf, 0, MAC)

    assert vf_of(card).mac == before.mac
    assert card.host.vf_state(pf, 0).mac == MAC
    assert refusal(lambda: card.host.set_mac(before.ifindex, MAC)) == EADDRNOTAVAIL
    card.host.set_vf_trust(pf, 0, True)
    card.host.set_mac(before.ifindex, MAC)
    assert vf_of(card).mac == MAC


def cleared_admin_mac_lets_the_vf_choose_and_the_pf_shows_its_choice(card: Card) -> None:
    pf = card.host.ifindex(PF)
    other = card.host.vf_state(pf, 1)
    card.host.set_vf_mac(pf, 0, MAC)
    card.host.set_vf_mac(pf, 0, ZERO_MAC)
    assert card.host.vf_state(pf, 0).mac == ""

    card.host.set_mac(index_of(card), OWN_MAC)

    assert card.host.vf_state(pf, 0).mac == OWN_MAC
    assert card.host.vf_state(pf, 1) == other


def igb_refuses_what_igb_refuses(card: Card) -> None:
    host, pf = card.host, card.host.ifindex(PF)
    assert refusal(lambda: host.set_vf_link_state(pf, 0, "enable")) == EOPNOTSUPP
    assert refusal(lambda: host.set_vf_vlan(pf, 0, 100, 0, "802.1ad")) == EPROTONOSUPPORT
    assert refusal(lambda: host.set_vf_rate(pf, 0, 10, 100)) == EINVAL
    assert refusal(lambda: host.set_vf_rate(pf, 0, 0, 1001)) == EINVAL
    assert refusal(lambda: host.set_vf_mac(pf, 0, "03:00:00:00:00:01")) == EINVAL
    assert refusal(lambda: host.set_vf_mac(pf, 2, MAC)) == EINVAL
    host.set_vf_vlan(pf, 0, 4095)
    host.set_vf_vlan(pf, 0, 0, 3)
    host.set_vf_mac(pf, 0, MAC)
    host.set_vf_mac(pf, 1, MAC)


def igb_does_what_it_takes(card: Card) -> None:
    host, pf = card.host, card.host.ifindex(PF)

    host.set_vf(pf, 0, "vlan", 100, 3, "802.1q")
    host.set_vf(pf, 0, "rate", 0, 100)
    host.set_vf(pf, 0, "spoofchk", False)
    host.set_vf(pf, 0, "trust", True)

    state = host.vf_state(pf, 0)
    assert (state.vlan, state.vlan_qos, state.max_tx_rate) == (100, 3, 100)
    assert (state.spoofchk, state.trust) == (False, True)


def rate_needs_a_pf_that_is_up(card: Card) -> None:
    pf = card.host.ifindex(PF)
    card.host.set_down(pf)

    assert refusal(lambda: card.host.set_vf_rate(pf, 0, 0, 100)) == EINVAL
    card.host.set_vf_vlan(pf, 0, 100)


def vf_comes_home_when_its_netns_dies(card: Card) -> None:
    """Under another name where its own is taken."""
    pf, pod = card.host.ifindex(PF), card.add_pod()
    card.host.set_vf_vlan(pf, 0, 100)
    card.host.set_mac(index_of(card), OWN_MAC)
    card.host.move(index_of(card), pod.fd, PF)
    with card.pod_netlink(pod) as there:
        name = f"dev{there.ifindex(PF)}"
    assert card.sysfs.netdevs(VF_PCI) == []

    card.kill_pod(pod)

    link = vf_of(card)
    assert (link.ifname, link.mac, link.is_up) == (name, OWN_MAC, False)
    assert card.host.vf_state(pf, 0).vlan == 100
    assert card.sysfs.netdevs(VF_PCI) == [name]


def vf_comes_home_under_its_name_if_that_is_free(card: Card) -> None:
    pod = card.add_pod()
    card.host.move(index_of(card), pod.fd, "net1")
    card.kill_pod(pod)

    assert vf_of(card).ifname == "net1"


def udev_gives_the_old_name_as_an_altname_which_then_is_in_the_way(card: Card) -> None:
    card.start_udev()
    pod = card.add_pod()
    card.host.move(index_of(card), pod.fd, "net1")
    card.kill_pod(pod)
    vf_of(card)
    card.settle()

    found = vf_of(card)

    assert (found.ifname, found.altnames) == ("net1", [VF])
    assert refusal(lambda: card.host.set_name(found.ifindex, VF)) == EEXIST


def vf_is_the_same_after_there_and_back(card: Card) -> None:
    before, pod = vf_of(card), card.add_pod()
    traits = card.host.traits(before)
    card.host.move(before.ifindex, pod.fd, "net1")

    with card.pod_netlink(pod) as there, card.open_netns(OWN) as home:
        there.move(there.ifindex("net1"), home.fd, VF)

    after = vf_of(card)
    assert dataclasses.replace(after, ifindex=before.ifindex) == before
    assert card.host.traits(after) == traits


def what_a_pod_did_to_the_netdev_comes_home_and_ends_with_it(card: Card) -> None:
    before, pod = card.host.traits(vf_of(card)), card.add_pod()
    dirt = {"flags": "noarp", "ifalias": "a tenant's", "group": "7", "gso_max_segs": "9", "linkmode": "1"}
    card.host.move(index_of(card), pod.fd, "net1")
    with card.pod_netlink(pod) as there:
        link = there.link("net1")
        assert link is not None
        seen = there.traits(link)
        assert seen == {name: text for name, text in before.items() if name not in TUNABLES}
        there.set_traits(link, dirt, dirt)
        there.set_up(link.ifindex)
        with card.open_netns(OWN) as home:
            there.move(link.ifindex, home.fd, VF)

    assert card.host.traits(vf_of(card)) == before | dirt
    card.sysfs.unbind(VF_PCI)
    card.sysfs.bind(VF_PCI, "igbvf")
    assert card.host.traits(vf_of(card)) == before


def a_message_makes_the_netdev_as_it_was(card: Card) -> None:
    before = card.host.traits(vf_of(card))
    dirt = before | {"flags": "", "ifalias": "x", "features": "0", "gso_max_size": "4000", "group": "1"}

    card.host.set_traits(vf_of(card), dirt, dirt)
    assert card.host.traits(vf_of(card)) != before
    card.host.set_traits(vf_of(card), before, before)

    assert card.host.traits(vf_of(card)) == before


def netdev_made_anew_takes_the_admin_mac_that_stands(card: Card) -> None:
    pf, sysfs, inode = card.host.ifindex(PF), card.sysfs, card.sysfs.inode(VF_PCI)
    card.host.set_vf_mac(pf, 0, MAC)

    sysfs.unbind(VF_PCI)

    assert (sysfs.driver(VF_PCI), sysfs.has_netdev(VF_PCI), card.host.ifindex(VF)) == ("", False, 0)
    assert refusal(lambda: sysfs.unbind(VF_PCI)) == ENOENT
    assert refusal(lambda: sysfs.bind(VF_PCI, "igb")) == ENODEV
    sysfs.bind(VF_PCI, "igbvf")
    assert (vf_of(card).mac, sysfs.driver(VF_PCI), sysfs.inode(VF_PCI)) == (MAC, "igbvf", inode)


FACTS = (
    admin_mac_does_not_reach_the_netdev_and_locks_its_own,
    cleared_admin_mac_lets_the_vf_choose_and_the_pf_shows_its_choice,
    igb_refuses_what_igb_refuses,
    igb_does_what_it_takes,
    rate_needs_a_pf_that_is_up,
    vf_comes_home_when_its_netns_dies,
    vf_comes_home_under_its_name_if_that_is_free,
    udev_gives_the_old_name_as_an_altname_which_then_is_in_the_way,
    vf_is_the_same_after_there_and_back,
    what_a_pod_did_to_the_netdev_comes_home_and_ends_with_it,
    a_message_makes_the_netdev_as_it_was,
    netdev_made_anew_takes_the_admin_mac_that_stands,
)
