"""Network cards as the doctor sees them: the fake kernel's, with what sysfs has beside it."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import cards
from cni_sriov.ctl.doctor.processes import Process
from cni_sriov.decide.facts_card import Card
from cni_sriov.words.errors import CniError
from cni_sriov.words.failures import Failures
from tests.unit.ctl.ports import device
from tests.unit.ctl.tool import attach, files, host
from tests.world import World

PF = "0000:01:00.0"


def look(world: World, wanted: str = "", running: list[Process] | None = None) -> list[Card]:
    failures = Failures()
    devices = cards.pci_devices(files(world), failures)
    found = cards.look(host(world), files(world), failures, devices, running or [], wanted)
    assert failures.told == []
    return found


def plain(world: World, address: str, kind: str = "0x020000") -> None:
    where = device(world, address)
    where.mkdir()
    (where / "class").write_text(f"{kind}\n")


def test_a_pf_with_its_vfs_and_who_uses_them(world: World) -> None:
    attach(world)
    world.kernel.pfs[0].link.is_up = True

    (card,) = look(world)

    assert (card.name, card.is_up, card.is_userspace, card.device.totalvfs, card.device.numvfs) == (
        "enp1s0f0", True, False, 7, 7,
    )  # fmt: skip
    assert [(vf.index, vf.device.driver) for vf in card.vfs] == [(n, "igbvf") for n in range(7)]
    assert card.users == ["vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/pod1)"]
    assert card.slot is not None
    assert (card.slot.pci, card.probes_drivers) == (PF, True)


def test_down_and_without_carrier(empty: World) -> None:
    first, second = look(empty)

    assert (first.is_up, second.is_up, second.name) == (True, False, "enp1s0f1")
    assert (second.vfs, second.users) == ([], [])


def test_who_has_a_pf_or_vf_that_is_in_user_space(world: World) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[2], "vfio-pci")
    vf = device(world, "0000:01:10.4")
    (vf / "iommu_group").symlink_to("../../../../kernel/iommu_groups/31")
    (vf / "driver_override").write_text("vfio-pci\n")
    running = [
        Process(9, "vpp_main", "VPP", [("/proc/9/fd/4", "/dev/vfio/31"), ("/proc/9/fd/5", "/dev/vfio/3")])
    ]

    (card,) = look(world, running=running)

    third = card.vfs[2]
    assert (third.is_userspace, third.is_meant, [str(one) for one in third.holders]) == (
        True,
        True,
        ["vpp_main (pid 9)"],
    )
    assert third.holders[0].by == [("/proc/9/fd/4", "/dev/vfio/31")]
    assert [vf.index for vf in card.vfs if vf.is_userspace or vf.holders] == [2]


def test_a_card_that_is_no_pf_is_a_card_and_other_devices_are_none(world: World) -> None:
    plain(world, "0000:02:00.0")
    plain(world, "0000:03:00.0", "0x010802")  # a disk
    (device(world, "0000:02:00.0") / "virtio1/net/eth0").mkdir(parents=True)

    assert [card.name for card in look(world)] == ["enp1s0f0", "eth0"]


@pytest.mark.parametrize("where", ["enp1s0f1", "0000:01:00.1", "01:00.1", "port-two"])
def test_one_card_by_name_altname_or_address(empty: World, where: str) -> None:
    empty.kernel.pfs[1].link.altnames = ["port-two"]

    address = cards.find(host(empty), files(empty), where)

    assert (address, [card.name for card in look(empty, address)]) == ("0000:01:00.1", ["enp1s0f1"])


def test_a_card_without_sriov_may_be_asked_for_and_what_is_no_card_may_not(world: World) -> None:
    plain(world, "0000:02:00.0")

    assert cards.find(host(world), files(world), "0000:02:00.0") == "0000:02:00.0"
    for where, why in [
        ("nope", "no such interface"),
        ("0000:01:10.0", "it is a VF, of enp1s0f0"),
        ("lo", "not a PCI"),
    ]:
        with pytest.raises(CniError, match=why):
            cards.find(host(world), files(world), where)


def test_one_card_that_cannot_be_looked_at_hides_no_other(empty: World) -> None:
    bad = device(empty, PF) / "class"
    bad.unlink(missing_ok=True)
    bad.mkdir()  # EISDIR
    failures = Failures()

    devices = cards.pci_devices(files(empty), failures)
    found = cards.look(host(empty), files(empty), failures, devices, [])

    assert ([card.name for card in found], len(failures.told)) == (["enp1s0f1"], 1)
