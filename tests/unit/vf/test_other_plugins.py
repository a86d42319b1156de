"""Configurations of other plugins for a VF that a program drives: host-device's, sriov-cni's, and those of the early SR-IOV
plugins (intel/sriov-cni until 1.1.0), which bound the VF themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit import one_port
from tests.unit.dpdk import VF, ahead, driver, furnish
from tests.unit.one_port import MINE, vf_of
from tests.world import World

TOOL = "/opt/dpdk/usertools/dpdk-devbind.py"


@pytest.fixture
def card(tmp_path: Path) -> World:
    card = furnish(one_port.a_world(tmp_path))
    card.kernel.tree.add_driver("igb_uio")
    return card


NAMED: dict[str, dict[str, Any]] = {
    "host-device": {"pciBusID": VF},
    "host-device of a device plugin": {"runtimeConfig": {"deviceID": VF}},
    "sriov-cni": {"deviceID": VF},
    "early": {"dpdk": {"pci_addr": VF}},
}


@pytest.mark.parametrize("has", ["vfio-pci", "uio_pci_generic", "igb_uio"])
@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_a_vf_that_is_on_such_a_driver_is_used_as_it_is(card: World, named: dict[str, Any], has: str) -> None:
    """host-device: no netdev is moved, the result has the name and the netns, and what the IPAM said."""
    ahead(card, vf_of(card))
    card.kernel.set_driver(vf_of(card), has)
    effects = len(card.kernel.effects)
    conf = card.conf(master=None, cniVersion="1.1.0", ipam=card.ipam(), dns={"domain": "a"}, **named)

    added = card.call("ADD", conf)

    assert added.code == 0, added.text
    (interface,) = added.document["interfaces"]
    assert (interface["name"], interface["sandbox"], interface["pciID"]) == ("net1", MINE, VF)
    assert "mtu" not in interface
    assert [ip["address"] for ip in added.document["ips"]] == ["10.10.0.2/24"]
    assert added.document["dns"] == {"domain": "a"}
    assert [link.name for link in card.kernel.pods[MINE].links.values()] == ["lo"]
    assert card.call("CHECK", conf | {"prevResult": added.document}).code == 0
    assert [card.call("DEL", conf).code for _ in range(2)] == [0, 0]
    assert driver(card) == has
    assert not [effect for effect in card.kernel.effects[effects:] if "bind" in effect or "probe" in effect]


def test_without_an_ipam_it_is_layer_2(card: World) -> None:
    ahead(card, vf_of(card))

    added = card.call("ADD", card.conf(master=None, pciBusID=VF))

    assert (added.code, added.document.get("ips", [])) == (0, []), added.text


def test_one_that_is_on_its_network_driver_comes_as_an_interface(card: World) -> None:
    """host-device decides by the driver, and so do we where nothing is said."""
    assert card.call("ADD", card.conf(master=None, pciBusID=VF)).code == 0

    assert card.pod_link().pci_address == VF


@pytest.mark.parametrize("wanted", ["igb_uio", "uio_pci_generic", "vfio-pci"])
def test_the_dpdk_block_binds_and_del_brings_back_what_was_there(card: World, wanted: str) -> None:
    """What it calls kernel_driver is what the early plugins bound on the way back, whatever had been there."""
    before = card.snapshot()
    block = {"kernel_driver": "ixgbevf", "dpdk_driver": wanted, "dpdk_tool": TOOL, "ifname": "", "vfid": 0}
    conf = card.conf(vlan=1000, dpdk=block)

    added = card.call("ADD", conf)

    assert (added.code, driver(card), vf_of(card).state.vlan) == (0, wanted, 1000), added.text
    assert card.call("DEL", conf).code == 0
    assert card.snapshot() == before


def test_kernel_said_is_kernel_meant(card: World) -> None:
    """A VF on vfio-pci is not taken for that, and the remedy is told."""
    ahead(card, vf_of(card))
    before = card.snapshot()

    refused = card.call("ADD", card.conf(master=None, deviceID=VF, driver="kernel"))

    assert refused.code == 7, refused.text
    assert "vfio-pci" in refused.text
    assert card.snapshot() == before


def test_by_its_pf_a_vf_for_a_program_is_no_free_vf(card: World) -> None:
    """sriov-cni knows no `master` of that meaning: which driver is meant nobody said."""
    ahead(card, vf_of(card))

    assert card.call("ADD", card.conf()).code == 7
