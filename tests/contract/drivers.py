"""What sysfs does when a device of an igb card gets another driver, as card.py has it: on the fake, and in the guest, where
an IOMMU is.
"""

from __future__ import annotations

from errno import ENODEV, ENOENT
from typing import TYPE_CHECKING

from cni_sriov.kernel.netlink import ZERO_MAC

from .card import MAC, OWN_MAC, PF, VF, VF_PCI, refusal, vf_of

if TYPE_CHECKING:
    from .card import Card

PF_PCI, GONE = "0000:01:00.0", "0000:01:1f.7"


def give(card: Card, pci_address: str, driver: str) -> None:
    card.sysfs.set_override(pci_address, driver)
    if card.sysfs.driver(pci_address):
        card.sysfs.unbind(pci_address)
    card.sysfs.probe(pci_address)


def vfio_takes_the_vf_and_leaves_what_the_pf_has(card: Card) -> None:
    sysfs, pf = card.sysfs, card.host.ifindex(PF)
    card.load("vfio-pci")
    card.host.set_vf_vlan(pf, 0, 100)
    was, inode, before = vf_of(card).mac, sysfs.inode(VF_PCI), card.host.vf_state(pf, 0)

    give(card, VF_PCI, "vfio-pci")

    assert (sysfs.driver(VF_PCI), sysfs.has_netdev(VF_PCI), card.host.ifindex(VF)) == ("vfio-pci", False, 0)
    assert (sysfs.inode(VF_PCI), card.host.vf_state(pf, 0)) == (inode, before)
    card.host.set_vf_vlan(pf, 0, 200)

    give(card, VF_PCI, "")

    link, now = vf_of(card), card.host.vf_state(pf, 0)
    assert (sysfs.driver(VF_PCI), sysfs.inode(VF_PCI), link.is_up) == ("igbvf", inode, False)
    assert (now.vlan, now.spoofchk, now.trust) == (200, before.spoofchk, before.trust)
    assert link.mac != was  # it is random: nobody gave it an admin MAC


def a_driver_that_comes_finds_the_admin_mac_that_stands(card: Card) -> None:
    """Whoever has the VF meanwhile hears of none of it."""
    pf = card.host.ifindex(PF)
    card.load("vfio-pci")
    give(card, VF_PCI, "vfio-pci")

    card.host.set_vf_mac(pf, 0, MAC)
    assert card.host.vf_state(pf, 0).mac == MAC

    give(card, VF_PCI, "")
    assert vf_of(card).mac == MAC
    card.host.set_vf_mac(pf, 0, ZERO_MAC)
    card.host.set_mac(vf_of(card).ifindex, OWN_MAC)
    assert (vf_of(card).mac, card.host.vf_state(pf, 0).mac) == (OWN_MAC, OWN_MAC)


def a_driver_that_lets_go_leaves_what_driver_override_says(card: Card) -> None:
    card.load("vfio-pci")
    card.sysfs.set_override(VF_PCI, "vfio-pci")

    card.sysfs.unbind(VF_PCI)

    assert (card.sysfs.driver(VF_PCI), card.sysfs.has_netdev(VF_PCI)) == ("", False)
    card.sysfs.probe(VF_PCI)
    assert card.sysfs.driver(VF_PCI) == "vfio-pci"
    give(card, VF_PCI, "")


def uio_takes_a_vf_although_that_has_no_interrupt_line(card: Card) -> None:
    card.load("uio_pci_generic")

    give(card, VF_PCI, "uio_pci_generic")

    assert card.sysfs.driver(VF_PCI) == "uio_pci_generic"
    (node,) = card.nodes.of(VF_PCI)
    assert (node, card.nodes.owner(node)) == ("/dev/uio0", (0, 0))
    give(card, VF_PCI, "")
    assert card.nodes.owner(node) is None
    assert (card.sysfs.driver(VF_PCI), vf_of(card).mtu) == ("igbvf", 1500)


def a_groups_node_is_roots_and_goes_with_the_driver(card: Card) -> None:
    """The next one of the same number is another one."""
    nodes = card.nodes
    card.load("vfio-pci")
    assert (nodes.of(VF_PCI), nodes.owner("/dev/vfio/vfio")) == ([], (0, 0))

    give(card, VF_PCI, "vfio-pci")

    node = next(path for path in nodes.of(VF_PCI) if "/devices/" not in path)
    assert nodes.owner(node) == (0, 0)
    nodes.set_owner(node, 1000, 36)
    assert nodes.owner(node) == (1000, 36)
    give(card, VF_PCI, "")
    assert (nodes.owner(node), refusal(lambda: nodes.set_owner(node, 0, 0))) == (None, ENOENT)
    give(card, VF_PCI, "vfio-pci")
    assert nodes.owner(node) == (0, 0)
    give(card, VF_PCI, "")


def a_probe_that_binds_nothing_succeeds(card: Card) -> None:
    sysfs = card.sysfs

    give(card, VF_PCI, "no-such-driver")

    assert sysfs.driver(VF_PCI) == ""
    assert refusal(lambda: sysfs.bind(VF_PCI, "igbvf")) == ENODEV  # the override keeps it from all others
    assert refusal(lambda: sysfs.probe(VF_PCI)) == 0
    assert sysfs.driver(VF_PCI) == ""
    give(card, VF_PCI, "")
    assert sysfs.driver(VF_PCI) == "igbvf"


def a_probe_leaves_what_is_bound(card: Card) -> None:
    before = vf_of(card)
    card.load("vfio-pci")

    card.sysfs.set_override(VF_PCI, "vfio-pci")
    card.sysfs.probe(VF_PCI)

    now = vf_of(card)
    assert (card.sysfs.driver(VF_PCI), now.ifindex, now.mac) == ("igbvf", before.ifindex, before.mac)
    card.sysfs.set_override(VF_PCI, "")


def a_device_that_is_gone_has_no_override_and_is_not_probed(card: Card) -> None:
    assert refusal(lambda: card.sysfs.set_override(GONE, "vfio-pci")) == ENOENT
    assert refusal(lambda: card.sysfs.unbind(GONE)) == ENOENT
    assert refusal(lambda: card.sysfs.probe(GONE)) == ENODEV


def pf_without_its_driver_has_no_vfs_and_comes_back_down_with_its_mac(card: Card) -> None:
    sysfs, mac = card.sysfs, card.host.link(PF)
    assert mac is not None
    card.load("vfio-pci")

    give(card, PF_PCI, "vfio-pci")

    pf = sysfs.pf_by_pci(PF_PCI)
    assert pf is not None
    assert (pf.driver, pf.numvfs, sysfs.exists(VF_PCI), card.host.ifindex(PF)) == ("vfio-pci", 0, False, 0)
    assert refusal(lambda: sysfs.set_numvfs(pf, 2)) == ENOENT

    give(card, PF_PCI, "")

    card.start_udev()
    card.settle()
    link = card.host.wait_link(lambda link: link.parent_dev == PF_PCI, 10)
    assert link is not None
    assert (sysfs.driver(PF_PCI), link.mac, link.is_up, link.ifname) == ("igb", mac.mac, False, PF)


FACTS = (
    vfio_takes_the_vf_and_leaves_what_the_pf_has,
    a_driver_that_comes_finds_the_admin_mac_that_stands,
    a_driver_that_lets_go_leaves_what_driver_override_says,
    uio_takes_a_vf_although_that_has_no_interrupt_line,
    a_groups_node_is_roots_and_goes_with_the_driver,
    a_probe_that_binds_nothing_succeeds,
    a_probe_leaves_what_is_bound,
    a_device_that_is_gone_has_no_override_and_is_not_probed,
    pf_without_its_driver_has_no_vfs_and_comes_back_down_with_its_mac,
)
