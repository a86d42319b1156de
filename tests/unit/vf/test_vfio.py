"""A VF for a program in user space: given its driver, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni_sriov.vf import vfio
from tests.unit import one_port
from tests.unit.one_port import MINE, OTHERS, link_of, vf_of
from tests.world import World

VF = "0000:01:10.0"
MAC = "02:00:00:00:aa:01"


@pytest.fixture
def card(tmp_path: Path) -> World:
    """One VF, an IOMMU, and the modules loaded."""
    return furnished(one_port.a_world(tmp_path))


def furnished(world: World) -> World:
    world.kernel.tree.add_iommu()
    for driver in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(driver)
    return world


def driver(world: World, address: str = VF) -> str:
    """As sysfs says."""
    link = world.kernel.tree.device(address) / "driver"
    return link.readlink().name if link.is_symlink() else ""


def ahead(world: World) -> None:
    """The operator, or a device plugin, has bound it."""
    world.kernel.set_driver(vf_of(world), "vfio-pci")
    world.kernel.sysfs.set_override(VF, "vfio-pci")


def hold(world: World, address: str = VF, pid: int = 77, name: str = "dpdk-testpmd") -> Path:
    """A process that has its node open; the answer is that descriptor."""
    group = (world.kernel.tree.device(address) / "iommu_group").readlink().name
    process = world.kernel.root / f"proc/{pid}"
    (process / "fd").mkdir(parents=True, exist_ok=True)
    (process / "comm").write_text(f"{name}\n")
    descriptor = process / "fd/9"
    descriptor.symlink_to(f"/dev/vfio/{group}")
    return descriptor


def dpdk(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(driver="vfio-pci", ipam=world.ipam(routes=[{"dst": "10.99.0.0/16"}])) | keys


# there and back -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["vfio-pci", "uio_pci_generic", "auto"])
def test_add_binds_it_and_del_brings_all_back(card: World, wanted: str) -> None:
    link_of(card).altnames, link_of(card).is_up = ["first-of-them"], True
    before, mac = card.snapshot(), link_of(card).mac
    conf = dpdk(card, driver=wanted, vlan=100, cniVersion="1.1.0")

    added = card.call("ADD", conf)

    assert added.code == 0, added.text
    assert added.document["interfaces"] == [{"name": "net1", "mac": mac, "sandbox": MINE, "pciID": VF}]
    assert added.document["ips"] == [{"address": "10.10.0.2/24", "gateway": "10.10.0.1", "interface": 0}]
    assert added.document["routes"] == [{"dst": "10.99.0.0/16", "gw": "10.10.0.1"}]
    assert driver(card) == ("uio_pci_generic" if wanted.startswith("uio") else "vfio-pci")
    assert (vf_of(card).state.vlan, vf_of(card).state.mac, vf_of(card).admin_mac) == (100, mac, True)
    assert [link.name for link in card.kernel.pods[MINE].links.values()] == ["lo"]
    assert card.call("CHECK", conf | {"prevResult": added.document}).code == 0

    assert card.call("DEL", conf, netns="").code == 0
    assert (driver(card), card.kernel.tree.override(VF)) == ("igbvf", "")
    assert card.snapshot() == before
    assert card.call("DEL", conf, netns="").code == 0


def test_the_admin_mac_is_there_before_the_driver_changes(card: World) -> None:
    """The program gets what the PF has when the VF is reset, which is at the change (vpp.md 5)."""
    assert card.call("ADD", dpdk(card, mac=MAC)).code == 0

    mac, leave = (
        next(n for n, effect in enumerate(card.kernel.effects) if words in effect)
        for words in (MAC, "unbind")
    )
    assert mac < leave


def test_a_vf_that_is_on_its_driver_is_used_as_it_is_and_left_so(card: World) -> None:
    ahead(card)
    netlink = card.kernel.netlink
    netlink.set_vf_mac(netlink.ifindex("enp1s0f0"), 0, "02:00:00:00:bb:01")
    before = card.settled()
    effects = len(card.kernel.effects)

    added = card.call("ADD", dpdk(card, mac=MAC))

    assert (added.code, driver(card)) == (0, "vfio-pci"), added.text
    assert (vf_of(card).state.mac, vf_of(card).admin_mac) == (MAC, True)
    assert card.call("DEL", dpdk(card)).code == 0
    assert (card.settled(), driver(card), card.kernel.tree.override(VF)) == (before, "vfio-pci", "vfio-pci")
    assert not [effect for effect in card.kernel.effects[effects:] if "bind" in effect]


def test_a_vf_without_an_address_gets_one_that_the_result_can_tell(card: World) -> None:
    ahead(card)
    vf_of(card).state.mac = ""
    before = card.snapshot()

    added = card.call("ADD", dpdk(card))

    mac = added.document["interfaces"][0]["mac"]
    assert (mac, vf_of(card).admin_mac) == (vf_of(card).state.mac, True)
    assert int(mac[:2], 16) & 3 == 2  # locally administered, unicast: IEEE 802
    assert card.call("DEL", dpdk(card)).code == 0
    assert card.snapshot() == before


# who has it open ------------------------------------------------------------------------------------------------------


def test_del_leaves_it_alone_while_a_process_has_it_open(
    card: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vfio, "LET_GO_S", 0)
    before, conf = card.snapshot(), dpdk(card, vlan=100)
    assert card.call("ADD", conf).code == 0
    descriptor = hold(card)
    effects = len(card.kernel.effects)

    assert card.call("DEL", conf, netns="").code == 0

    assert (driver(card), vf_of(card).state.vlan, card.kernel.effects[effects:]) == ("vfio-pci", 100, [])
    assert "open in dpdk-testpmd (pid 77)" in card.log_file.read_text()
    busy = card.call("ADD", dpdk(card), "c2", OTHERS)
    assert (busy.code, "deleted, but its VF is not back yet" in busy.text) == (11, True), busy.text
    descriptor.unlink()
    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 0
    assert card.call("DEL", dpdk(card), "c2", OTHERS).code == 0
    assert card.snapshot() == before
