"""A VF for a program in user space: given its driver, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from errno import EIO
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.kernel import holders
from cni_sriov.vf import vfio
from cni_sriov.words.errors import KernelRefused
from tests.unit import one_port
from tests.unit.ctl.tool import sriovctl
from tests.unit.dpdk import VF, ahead, driver, furnish, hold
from tests.unit.dpdk import conf as dpdk
from tests.unit.one_port import MINE, OTHERS, link_of, vf_of
from tests.unit.verbs.calls import foreign
from tests.world import World

MAC = "02:00:00:00:aa:01"


@pytest.fixture
def card(tmp_path: Path) -> World:
    """One VF, an IOMMU, and the modules loaded."""
    return furnish(one_port.a_world(tmp_path))


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
    ahead(card, vf_of(card))
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
    ahead(card, vf_of(card))
    vf_of(card).state.mac = ""
    before = card.snapshot()

    added = card.call("ADD", dpdk(card))

    mac = added.document["interfaces"][0]["mac"]
    assert (mac, vf_of(card).admin_mac) == (vf_of(card).state.mac, True)
    assert int(mac[:2], 16) & 3 == 2  # locally administered, unicast: IEEE 802
    assert card.call("DEL", dpdk(card)).code == 0
    assert card.snapshot() == before


def test_a_vf_without_any_driver_is_taken_and_left_without(card: World) -> None:
    """sriov_drivers_autoprobe 0: nobody wants the netdevs."""
    card.kernel.set_driver(vf_of(card), "")
    vf_of(card).state.mac = ""
    before = card.snapshot()

    assert card.call("ADD", dpdk(card, mac=MAC, driver="auto")).code == 0
    assert driver(card) == "vfio-pci"
    assert card.call("DEL", dpdk(card)).code == 0

    assert card.snapshot() == before


def test_what_the_pf_shows_of_a_vf_that_sriovctl_bound_is_no_admin_mac(card: World) -> None:
    assert sriovctl(card, "bind", VF, "vfio-pci").status == 0
    shown = vf_of(card).state.mac

    added = card.call("ADD", dpdk(card))
    assert (added.document["interfaces"][0]["mac"], vf_of(card).admin_mac) == (shown, True)
    assert card.call("DEL", dpdk(card)).code == 0

    assert vf_of(card).admin_mac is False
    assert sriovctl(card, "restore", VF).status == 0
    assert link_of(card).mac == shown


def test_a_module_is_loaded_where_it_is_not(card: World) -> None:
    driver_directory = card.kernel.root / "sys/bus/pci/drivers/igb_uio"
    modules = card.kernel.root / "lib/modules/6.1.0"
    put(card, "proc/sys/kernel/osrelease", "6.1.0")
    put(card, "lib/modules/6.1.0/modules.dep", "updates/dkms/igb_uio.ko.xz: kernel/drivers/uio/uio.ko.xz")
    put(card, "sbin/modprobe", f"#!/bin/sh\n/bin/mkdir {driver_directory}").chmod(0o755)

    assert card.call("ADD", dpdk(card, driver="igb_uio")).code == 0

    assert (driver(card), modules.exists()) == ("igb_uio", True)


def put(world: World, path: str, text: str) -> Path:
    file = world.kernel.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n")
    return file


# why not --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("vfio-pci", "it is in no IOMMU group, and vfio's no-IOMMU mode is off"),
        ("auto", "it is in no IOMMU group, and vfio-pci wants one"),
        ("igb_uio", "has no module for it"),
    ],
)
def test_the_planner_says_why_not_and_nothing_is_changed(tmp_path: Path, wanted: str, says: str) -> None:
    world = one_port.a_world(tmp_path, vfs=3)
    world.kernel.tree.add_driver("vfio-pci")
    before = world.snapshot()

    refused = world.call("ADD", dpdk(world, driver=wanted))

    assert (refused.code, says in refused.text) == (101, True), refused.text
    assert (world.snapshot(), world.kernel.effects) == (before, [])
    assert world.call("STATUS", dpdk(world, driver=wanted, cniVersion="1.1.0")).code == 50


def test_of_several_vfs_each_has_its_reason(tmp_path: Path) -> None:
    """One is another's, and of the others the planner wants none."""
    world = furnish(one_port.a_world(tmp_path, vfs=3))
    assert world.call("ADD", dpdk(world)).code == 0
    group = int((world.kernel.tree.device(VF) / "iommu_group").readlink().name)
    for address in ("0000:01:10.2", "0000:01:10.4"):
        (world.kernel.tree.device(address) / "iommu_group").unlink()
        world.kernel.tree.add_to_group(address, group)

    refused = world.call("ADD", dpdk(world), "c2", OTHERS)

    assert (refused.code, refused.text.count("IOMMU group")) == (11, 2), refused.text


def test_a_group_is_one_containers_alone(tmp_path: Path) -> None:
    world = furnish(one_port.a_world(tmp_path, vfs=2))
    group = int((world.kernel.tree.device(VF) / "iommu_group").readlink().name)
    (world.kernel.tree.device("0000:01:10.2") / "iommu_group").unlink()
    world.kernel.tree.add_to_group("0000:01:10.2", group)
    for vf in world.kernel.pfs[0].vfs:
        ahead(world, vf)
    assert world.call("ADD", dpdk(world)).code == 0

    refused = world.call("ADD", dpdk(world), "c2", OTHERS)

    assert refused.code == 11
    assert f"IOMMU group {group} has {VF}, which is claimed" in refused.text


def test_a_group_that_a_program_of_the_hosts_has_is_no_containers(tmp_path: Path) -> None:
    """It would have the container's VF as well, and DEL would wait for it."""
    world = furnish(one_port.a_world(tmp_path, vfs=2))
    group = int((world.kernel.tree.device(VF) / "iommu_group").readlink().name)
    (world.kernel.tree.device("0000:01:10.2") / "iommu_group").unlink()
    world.kernel.tree.add_to_group("0000:01:10.2", group)
    ahead(world, world.kernel.pfs[0].vfs[1])
    hold(world, "0000:01:10.2", name="vpp_main")

    refused = world.call("ADD", dpdk(world, master=None, deviceID=VF))

    assert (refused.code, driver(world)) == (11, "igbvf"), refused.text
    assert f"IOMMU group {group} is open in vpp_main (pid 77)" in refused.text


def test_a_vf_that_a_program_of_the_hosts_has_open_is_busy(card: World) -> None:
    ahead(card, vf_of(card))
    hold(card, name="vpp_main")

    refused = card.call("ADD", dpdk(card))

    assert (refused.code, "it is open in vpp_main (pid 77)" in refused.text) == (11, True), refused.text


@pytest.mark.parametrize("key", ["mtu", "txqueuelen"])
def test_what_only_a_netdev_can_carry_is_refused_where_the_vf_says_that_there_is_none(
    card: World, key: str
) -> None:
    ahead(card, vf_of(card))

    refused = card.call("ADD", card.conf(master=None, deviceID=VF, **{key: 1400}))

    assert (refused.code, refused.text.startswith(f"read {key}: only a netdev can carry it")) == (7, True)


def test_a_vf_that_no_driver_takes_is_as_it_was(card: World) -> None:
    """The write to drivers_probe succeeds although nothing binds (kernels.md 3)."""
    before = card.snapshot()
    card.kernel.before("probe", lambda *_: (card.kernel.tree.device(VF) / "iommu_group").unlink())

    refused = card.call("ADD", dpdk(card, vlan=100))

    assert (refused.code, "nothing bound: its probe refused the device" in refused.text) == (101, True)
    assert card.snapshot() == before


def test_of_a_pf_that_is_not_visible_no_mac_can_be_asked(card: World) -> None:
    in_a_vm(card)
    conf = dpdk(card, master=None, deviceID=VF)

    refused = card.call("ADD", conf | {"mac": MAC})
    assert (refused.code, "only its PF can, which is not visible here" in refused.text) == (101, True)
    assert driver(card) == "igbvf"

    mac = link_of(card).mac
    added = card.call("ADD", conf)
    assert (added.code, added.document["interfaces"][0]["mac"], driver(card)) == (0, mac, "vfio-pci")
    assert card.call("DEL", conf).code == 0
    assert (driver(card), link_of(card).mac) == ("igbvf", mac)


def in_a_vm(world: World) -> None:
    """It was passed through, and nothing says whose VF it is."""
    (world.kernel.tree.device(VF) / "physfn").unlink()


# drift ----------------------------------------------------------------------------------------------------------------


def to_igbvf(world: World) -> None:
    world.kernel.set_driver(vf_of(world), "igbvf")


def no_driver(world: World) -> None:
    world.kernel.set_driver(vf_of(world), "")


def other_vlan(world: World) -> None:
    vf_of(world).state.vlan = 7


def other_mac(world: World) -> None:
    vf_of(world).state.mac = "02:00:00:00:ee:01"


def pf_down(world: World) -> None:
    world.kernel.pfs[0].link.is_up = False


def vfs_anew(world: World) -> None:
    world.kernel.change_numvfs(world.kernel.pfs[0], 0)
    world.kernel.change_numvfs(world.kernel.pfs[0], 1)


@pytest.mark.parametrize(
    ("drift", "says"),
    [
        (to_igbvf, f"VF {VF} is on igbvf, not vfio-pci"),
        (no_driver, f"VF {VF} is on no driver, not vfio-pci"),
        (other_vlan, "vlan 7 qos 0 proto 802.1q, not 100"),
        (other_mac, "admin MAC 02:00:00:00:ee:01"),
        (pf_down, "PF enp1s0f0 is down"),
        (vfs_anew, f"VF {VF} has vanished"),
    ],
)
def test_check_sees_what_differs(card: World, drift: Callable[[World], None], says: str) -> None:
    conf = dpdk(card, vlan=100)
    added = card.call("ADD", conf)
    conf |= {"prevResult": added.document}
    assert card.call("CHECK", conf).code == 0
    drift(card)

    drifted = card.call("CHECK", conf)

    assert (drifted.code, says in drifted.text) == (107, True), drifted.text
    assert card.call("DEL", conf).code == 0


def test_what_its_netdev_had_is_asked_of_no_vf_without_one(card: World) -> None:
    """What the kernel tells of a netdev only where it is set."""
    link_of(card).traits["attr 57"] = "01"
    conf = dpdk(card, master=None, deviceID=VF, driver=None)
    assert [card.call(verb, conf).code for verb in ("ADD", "DEL")] == [0, 0]
    ahead(card, vf_of(card))
    effects = len(card.kernel.effects)

    assert [card.call(verb, conf).code for verb in ("ADD", "DEL")] == [0, 0]

    assert not [effect for effect in card.kernel.effects[effects:] if "bind" in effect]


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


@pytest.mark.parametrize("is_ahead", [False, True])
def test_what_no_descriptor_shows_holds_it_too(
    card: World, monkeypatch: pytest.MonkeyPatch, is_ahead: bool
) -> None:
    """A mapping of the device, a descriptor on its way through a socket: the group is taken, says the kernel."""
    monkeypatch.setattr(vfio, "LET_GO_S", 0)
    if is_ahead:
        ahead(card, vf_of(card))
    conf = dpdk(card, vlan=100)
    assert card.call("ADD", conf).code == 0
    group = (card.kernel.tree.device(VF) / "iommu_group").readlink().name
    card.kernel.nodes.taken.add(f"/dev/vfio/{group}")
    effects = len(card.kernel.effects)

    assert card.call("DEL", conf, netns="").code == 0
    assert (driver(card), vf_of(card).state.vlan, card.kernel.effects[effects:]) == ("vfio-pci", 100, [])
    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 11
    card.kernel.nodes.taken.clear()
    assert card.call("DEL", conf, netns="").code == 0
    assert vf_of(card).state.vlan == 0


def test_a_living_programs_group_is_not_touched(card: World) -> None:
    """To ask who has it is to open it, and another one's program may be at that just now."""
    asked: list[object] = []
    assert card.call("ADD", dpdk(card)).code == 0
    card.kernel.before("is_taken", lambda *given: asked.append(given), always=True)

    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 11
    assert card.call("CHECK", dpdk(card)).code in {0, 107}
    assert card.call("GC", dpdk(card, cniVersion="1.1.0"), "").code == 0
    assert asked == []


def test_a_pre_bound_vf_that_is_open_keeps_its_vlan_too(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vfio, "LET_GO_S", 0)
    ahead(card, vf_of(card))
    assert card.call("ADD", dpdk(card, vlan=100)).code == 0
    descriptor = hold(card)

    assert card.call("DEL", dpdk(card), netns="").code == 0
    assert vf_of(card).state.vlan == 100
    descriptor.unlink()
    assert card.call("DEL", dpdk(card), netns="").code == 0

    assert (vf_of(card).state.vlan, driver(card)) == (0, "vfio-pci")


def test_who_has_another_device_of_its_group_has_nothing_of_one_that_is_home(
    card: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ADD fails before it binds, and its undo must not wait for the other."""
    monkeypatch.setattr(vfio, "LET_GO_S", 0)
    before = card.snapshot()
    hold(card)
    card.kernel.before("set_vf_vlan", refuse)

    assert card.call("ADD", dpdk(card, vlan=100)).code == 100
    assert card.settled() == settled(before)


def refuse(*_: object) -> None:
    raise KernelRefused("set it", EIO)


def settled(snapshot: dict[str, Any]) -> dict[str, Any]:
    """As World.settled has it."""
    for vf in snapshot["kernel"]["vfs"].values():
        vf["mac"] = vf["mac"] if vf["admin_mac"] else ""
    return snapshot


def test_a_program_that_ends_just_now_is_waited_for(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = card.snapshot()
    assert card.call("ADD", dpdk(card)).code == 0
    descriptor, looks = hold(card), []
    look = holders.holders

    def ending(*given: Any) -> list[str]:
        looks.append(given)
        if len(looks) == 3:
            descriptor.unlink()
        return look(*given)

    monkeypatch.setattr(holders, "holders", ending)

    assert card.call("DEL", dpdk(card)).code == 0
    assert card.snapshot() == before


# whose it is ----------------------------------------------------------------------------------------------------------


def test_a_living_containers_vf_is_nobody_elses_before_it_opens_it(card: World) -> None:
    assert card.call("ADD", dpdk(card)).code == 0

    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 11
    assert card.call("ADD", dpdk(card)).code == 106
    assert card.call("GC", dpdk(card, cniVersion="1.1.0"), "").code == 0
    assert driver(card) == "vfio-pci"


def test_a_dead_containers_vf_is_taken_back_once_nobody_has_it_open(card: World) -> None:
    before = card.snapshot()
    assert card.call("ADD", dpdk(card, vlan=100)).code == 0
    card.kernel.kill_netns(MINE)
    descriptor = hold(card)
    refused = card.call("ADD", dpdk(card), "c2", OTHERS)
    assert (refused.code, "(0000:01:10.0): claimed by c1/net1 of network fast" in refused.text) == (
        11,
        True,
    ), refused.text
    descriptor.unlink()

    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 0
    assert "its netns is dead, and nobody has it open" in card.log_file.read_text()
    assert vf_of(card).state.vlan == 0
    assert card.call("DEL", dpdk(card), "c2", OTHERS).code == 0
    card.kernel.add_pod(MINE)
    assert card.snapshot() == before


def test_the_same_container_comes_back_with_another_netns(card: World) -> None:
    assert card.call("ADD", dpdk(card)).code == 0
    card.kernel.kill_netns(MINE)
    card.kernel.add_pod(MINE)

    assert card.call("ADD", dpdk(card)).code == 0
    assert driver(card) == "vfio-pci"


def test_who_does_not_see_all_takes_nothing_back(card: World) -> None:
    assert card.call("ADD", dpdk(card)).code == 0
    card.kernel.kill_netns(MINE)
    card.kernel.blind_spot = "this process is in a pid namespace of its own"

    assert card.call("ADD", dpdk(card), "c2", OTHERS).code == 11
    card.kernel.add_pod(MINE)
    assert card.call("ADD", dpdk(card)).code == 106


@pytest.mark.parametrize("keep", [{}, {"cni.dev/valid-attachments": []}])
def test_gc_collects_what_is_dead_or_not_known(card: World, keep: dict[str, Any]) -> None:
    before = card.snapshot()
    assert card.call("ADD", dpdk(card)).code == 0
    card.kernel.kill_netns(MINE)

    assert card.call("GC", dpdk(card, cniVersion="1.1.0", **keep), "").code == 0
    card.kernel.add_pod(MINE)
    assert card.snapshot() == before


# its own driver again -------------------------------------------------------------------------------------------------


def test_a_driver_that_does_not_come_back_is_told_and_waited_for(card: World) -> None:
    before = card.snapshot()
    assert card.call("ADD", dpdk(card, vlan=100)).code == 0
    module = card.kernel.root / "sys/bus/pci/drivers/igbvf"
    module.rmdir()

    assert card.call("DEL", dpdk(card)).code == 0

    assert "driver igbvf does not take it back; dmesg says why" in card.log_file.read_text()
    assert (driver(card), vf_of(card).state.vlan) == ("", 0)
    refused = card.call("ADD", dpdk(card), "c2", OTHERS)
    assert (refused.code, "is not back yet" in refused.text) == (11, True), refused.text
    module.mkdir()
    assert card.call("DEL", dpdk(card)).code == 0
    assert card.snapshot() == before


def test_a_driver_that_makes_no_netdev_is_told(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vfio, "NAMED_S", 0)
    assert card.call("ADD", dpdk(card)).code == 0
    monkeypatch.setattr(card.kernel, "_new_vf_link", lambda _: None)

    assert card.call("DEL", dpdk(card)).code == 0

    assert "driver igbvf made no netdev" in card.log_file.read_text()


def test_udev_names_the_netdev_first(card: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would rename it behind us (kernels.md 6.14)."""
    before = card.snapshot()
    assert card.call("ADD", dpdk(card)).code == 0
    netlink, looks, new_link = card.kernel.netlink, [0], card.kernel._new_vf_link  # noqa: SLF001

    def unnamed(vf: Any) -> None:
        new_link(vf)
        netlink.set_name(netlink.ifindex("enp1s0f0v0"), "eth0")

    def named(_: Any, ifindex: int) -> bool:
        looks[0] += 1
        if looks[0] == 3:
            netlink.set_name(ifindex, "enp1s0f0v0")
        return looks[0] >= 3

    monkeypatch.setattr(card.kernel, "_new_vf_link", unnamed)
    monkeypatch.setattr(type(card.kernel.sysfs), "udev_named", named)

    assert card.call("DEL", dpdk(card)).code == 0
    assert (card.snapshot(), looks[0] >= 3) == (before, True)


def test_a_driver_that_the_operator_gave_it_since_stays(card: World) -> None:
    assert card.call("ADD", dpdk(card, vlan=100)).code == 0
    card.kernel.set_driver(vf_of(card), "uio_pci_generic")

    assert card.call("DEL", dpdk(card)).code == 0

    assert "the VF has got another driver; it stays there" in card.log_file.read_text()
    assert (driver(card), vf_of(card).state.vlan) == ("uio_pci_generic", 0)


def test_what_stood_in_driver_override_stands_there_again(card: World) -> None:
    said = card.kernel.tree.device(VF) / "driver_override"
    said.write_text("igbvf\n")

    assert card.call("ADD", dpdk(card)).code == 0
    assert card.kernel.tree.override(VF) == "vfio-pci"
    assert card.call("DEL", dpdk(card)).code == 0

    assert (driver(card), card.kernel.tree.override(VF)) == ("igbvf", "igbvf")


def test_a_netdev_that_it_did_not_have_is_nobodys_to_restore(card: World) -> None:
    """By driverctl, say: sriovctl refuses a VF that a container has."""
    ahead(card, vf_of(card))
    assert card.call("ADD", dpdk(card, vlan=100)).code == 0
    card.kernel.set_driver(vf_of(card), "igbvf")
    mac = link_of(card).mac

    deleted = card.call("DEL", dpdk(card))

    assert (deleted.code, vf_of(card).state.vlan, link_of(card).mac) == (0, 0, mac), deleted.text


@pytest.mark.parametrize("wanted", ["vfio-pci", "kernel"])
def test_a_vf_of_a_network_that_went_to_host_subnet_is_free_after_its_del(
    card: World, tmp_path: Path, wanted: str
) -> None:
    before = card.snapshot()
    conf = foreign(card, tmp_path, {"address": "10.9.0.5/24", "gateway": "10.9.0.1"}) | {"driver": wanted}
    assert card.call("ADD", conf).code == 0

    assert card.call("DEL", card.conf(ipam=card.ipam()), netns="").code == 0
    assert card.snapshot() == before
