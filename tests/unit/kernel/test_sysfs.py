"""Sysfs on a tree in a directory: order, absence, bad input, and what the fake's numvfs refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from errno import EBUSY, ENOENT, ENOMEM, ERANGE
from pathlib import Path

import pytest

from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.words.domain import PF, VF
from cni_sriov.words.errors import KernelRefused
from tests.fakes import FakeKernel


@pytest.fixture
def world(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def only_pf(world: FakeKernel) -> PF:
    (pf,) = world.sysfs.pfs()
    return pf


def test_pf_is_found_by_name_address_and_vf(world: FakeKernel) -> None:
    world.add_pf("enp1s0f0", "0000:01:00.0", numvfs=2)
    expected = PF("0000:01:00.0", "enp1s0f0", 2, "igb", 2, 7)

    assert world.sysfs.pf_by_name("enp1s0f0") == expected
    assert world.sysfs.pf_by_pci("0000:01:00.0") == expected
    assert world.sysfs.pf_by_pci("01:00.0") == expected
    assert world.sysfs.pf_of_vf("0000:01:10.2") == expected
    assert world.sysfs.vf_index("0000:01:10.2") == 1


def test_pfs_are_sorted_and_leave_out_what_has_no_vfs(world: FakeKernel) -> None:
    world.add_pf("enp2s0f0", "0000:02:00.0")
    world.add_pf("enp1s0f1", "0000:01:00.1", numvfs=1)
    world.add_pf("enp1s0f0", "0000:01:00.0", numvfs=1)
    world.add_pf("eno1", "0000:00:19.0", totalvfs=0)

    assert [pf.ifname for pf in world.sysfs.pfs()] == ["enp1s0f0", "enp1s0f1", "enp2s0f0"]


@pytest.mark.parametrize(
    "ifname", ["nope", "lo", "enp1s0f0v0", "", ".", "..", "../net/enp1s0f0", "a\0b", "x" * 300]
)
def test_what_is_no_pf_is_none(world: FakeKernel, ifname: str) -> None:
    world.add_pf("enp1s0f0", "0000:01:00.0", numvfs=1)

    assert world.sysfs.pf_by_name(ifname) is None


def test_vfs_come_in_the_order_of_their_index(world: FakeKernel) -> None:
    world.add_pf(numvfs=12, totalvfs=64)

    vfs = world.sysfs.vfs(only_pf(world))

    assert [vf.index for vf in vfs] == list(range(12))
    assert vfs[10] == VF(10, "0000:01:12.4", "igbvf", "enp1s0f0v10")
    assert list(world.sysfs.virtfns("0000:01:00.0")) == [(vf.index, vf.pci_address) for vf in vfs]


def test_vf_in_a_pod_is_busy(world: FakeKernel) -> None:
    world.add_pf(numvfs=2)
    world.add_pod("/run/netns/pod1")
    world.netlink.move(world.netlink.ifindex("enp1s0f0v0"), world.open_netns("/run/netns/pod1").fd, "net1")

    first, second = world.sysfs.vfs(only_pf(world))

    assert (first.ifname, first.busy) == ("", "its netdev is in another netns, or not there yet")
    assert (second.ifname, second.busy) == ("enp1s0f0v1", "")


def test_vf_under_another_device_is_busy_and_names_it(world: FakeKernel) -> None:
    pf = world.add_pf(numvfs=1)
    assert pf.vfs[0].link
    world.add_upper(pf.vfs[0].link, "macvtap0")

    assert world.sysfs.vfs(only_pf(world))[0].busy == "enp1s0f0v0 is a port of macvtap0"
    assert world.sysfs.uppers("enp1s0f0v0") == ["macvtap0"]


def test_vf_on_vfio_is_free_without_a_netdev_and_one_without_driver_is_not(world: FakeKernel) -> None:
    pf = world.add_pf(numvfs=2)
    world.set_driver(pf.vfs[0], "vfio-pci")
    world.set_driver(pf.vfs[1], "")

    first, second = world.sysfs.vfs(only_pf(world))

    assert (first.driver, first.ifname, first.busy) == ("vfio-pci", "", "")
    assert (second.driver, second.ifname, second.busy) == ("", "", "no driver is bound")


def test_device_with_several_netdevs_lists_them_by_port(world: FakeKernel) -> None:
    world.add_pf("ens1d1", "0000:01:00.0", numvfs=0)
    net = world.root / "sys/class/net"
    (world.root / "sys/bus/pci/devices/0000:01:00.0/net/ens1").mkdir()
    shutil.copytree(net / "ens1d1", net / "ens1", symlinks=True)
    (net / "ens1d1/dev_port").write_text("1\n")
    (net / "ens1/dev_port").write_text("0\n")

    assert world.sysfs.netdevs("0000:01:00.0") == ["ens1", "ens1d1"]
    assert only_pf(world).ifname == "ens1"
    pf = world.sysfs.pf_by_name("ens1d1")
    assert pf
    assert pf.ifname == "ens1d1"


def test_ids_bond_ports_and_switch_id_are_read(world: FakeKernel) -> None:
    world.add_pf(numvfs=1)
    bonding = world.root / "sys/class/net/bond0/bonding"
    bonding.mkdir(parents=True)
    (bonding / "slaves").write_text("enp1s0f0 enp1s0f1\n")
    (world.root / "sys/class/net/enp1s0f0/phys_switch_id").write_text("0102\n")

    assert world.sysfs.ids("0000:01:10.0") == ("8086", "10ca")
    assert world.sysfs.bond_ports("bond0") == ["enp1s0f0", "enp1s0f1"]
    assert world.sysfs.bond_ports("enp1s0f0") == []
    assert world.sysfs.switch_id("enp1s0f0") == "0102"


def test_absent_device_is_absent_everywhere(tmp_path: Path) -> None:
    sysfs = Sysfs(str(tmp_path / "nothing"), str(tmp_path))

    assert sysfs.pfs() == []
    assert sysfs.pf_by_pci("0000:01:00.0") is None
    assert sysfs.pf_of_vf("0000:01:10.0") is None
    assert sysfs.vf_index("0000:01:10.0") is None
    assert sysfs.driver("0000:01:10.0") == ""
    assert sysfs.ids("0000:01:10.0") == ("", "")
    assert sysfs.netdevs("0000:01:10.0") == []
    assert not sysfs.exists("0000:01:10.0")
    assert not sysfs.is_vf("0000:01:10.0")


def test_vf_of_an_unbound_pf_has_a_pf_without_driver_and_netdev(world: FakeKernel) -> None:
    world.add_pf(numvfs=1)
    device = world.root / "sys/bus/pci/devices/0000:01:00.0"
    (device / "driver").unlink()
    shutil.rmtree(device / "net")

    assert world.sysfs.pf_of_vf("0000:01:10.0") == PF("0000:01:00.0", "", 0, "", 1, 7)


def test_udev_has_named_it_when_its_database_knows_it(world: FakeKernel) -> None:
    assert world.sysfs.udev_named(7)

    (world.root / "run/udev/data").mkdir(parents=True)
    (world.root / "run/udev/control").touch()
    assert not world.sysfs.udev_named(7)

    (world.root / "run/udev/data/n7").touch()
    assert world.sysfs.udev_named(7)


def test_numvfs_is_written_as_a_number(world: FakeKernel) -> None:
    world.add_pf(numvfs=3)

    Sysfs(str(world.root / "sys")).set_numvfs(only_pf(world), 5)

    assert only_pf(world).numvfs == 5


@pytest.mark.parametrize(("numvfs", "number"), [(8, ERANGE), (2, EBUSY)])
def test_numvfs_refusal_has_the_kernels_number(world: FakeKernel, numvfs: int, number: int) -> None:
    world.add_pf(numvfs=3)

    with pytest.raises(KernelRefused) as caught:
        world.sysfs.set_numvfs(only_pf(world), numvfs)

    assert caught.value.errno == number
    assert only_pf(world).numvfs == 3


def test_numvfs_without_bus_numbers_is_enomem_and_leaves_none(world: FakeKernel) -> None:
    world.add_pf().numvfs_errno = ENOMEM

    with pytest.raises(KernelRefused, match=r"set numvfs of 0000:01:00\.0 to 7: Cannot allocate memory"):
        world.sysfs.set_numvfs(only_pf(world), 7)

    assert only_pf(world).numvfs == 0


def test_numvfs_of_a_pf_that_is_gone_is_enoent(world: FakeKernel, tmp_path: Path) -> None:
    world.add_pf()

    with pytest.raises(KernelRefused) as caught:
        Sysfs(str(tmp_path / "nothing")).set_numvfs(only_pf(world), 1)

    assert caught.value.errno == ENOENT


def test_numvfs_to_zero_takes_the_vfs_away(world: FakeKernel) -> None:
    world.add_pf(numvfs=3)

    world.sysfs.set_numvfs(only_pf(world), 0)

    assert world.sysfs.vfs(only_pf(world)) == []
    assert world.netlink.link("enp1s0f0v0") is None
    assert not world.sysfs.exists("0000:01:10.0")


LOOKS: list[Callable[[Sysfs], object]] = [
    lambda sysfs: sysfs.pf_by_name("enp1s0f0"),
    lambda sysfs: sysfs.pf_by_pci("0000:01:00.0"),
    lambda sysfs: sysfs.pfs(),
    lambda sysfs: sysfs.pf_of_vf("0000:01:10.0"),
    lambda sysfs: sysfs.vf_index("0000:01:10.0"),
    lambda sysfs: list(sysfs.virtfns("0000:01:00.0")),
    lambda sysfs: sysfs.vf(0, "0000:01:10.0"),
    lambda sysfs: sysfs.driver("0000:01:10.0"),
    lambda sysfs: sysfs.ids("0000:01:10.0"),
    lambda sysfs: sysfs.exists("0000:01:10.0"),
    lambda sysfs: sysfs.inode("0000:01:10.0"),
    lambda sysfs: sysfs.has_netdev("0000:01:10.0"),
    lambda sysfs: sysfs.is_vf("0000:01:10.0"),
    lambda sysfs: sysfs.netdevs("0000:01:10.0"),
    lambda sysfs: sysfs.pci_of_netdev("enp1s0f0"),
    lambda sysfs: sysfs.uppers("enp1s0f0"),
    lambda sysfs: sysfs.names_with_address("02:00:00:00:00:01"),
    lambda sysfs: sysfs.udev_named(2),
]


@pytest.mark.parametrize("look", LOOKS, ids=range(len(LOOKS)))
@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_look_that_fails_is_no_absence(
    world: FakeKernel, monkeypatch: pytest.MonkeyPatch, number: int, look: Callable[[Sysfs], object]
) -> None:
    world.add_pf(numvfs=1)
    sysfs = Sysfs(world.sysfs.root, world.sysfs.run)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:  # pytest looks at files too, to tell what is red
        for name in ("open", "stat", "listdir", "readlink"):
            patch.setattr(os, name, refuse)
        with pytest.raises(KernelRefused) as caught:
            look(sysfs)
    assert (caught.value.errno, str(world.root) in caught.value.verb) == (number, True)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV])
def test_a_netdev_that_has_no_value_or_goes_just_now_says_nothing(
    world: FakeKernel, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """netdev_show in net/core/net-sysfs.c; phys_switch_id of a driver without one."""
    world.add_pf()

    def refuse(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "read", refuse)
    assert (world.sysfs.switch_id("enp1s0f0"), world.sysfs.bond_ports("enp1s0f0")) == ("", [])


def test_a_link_that_goes_just_now_has_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = tmp_path / "class/net"
    for name in ("a", "b", "c"):
        (net / name).mkdir(parents=True)
        (net / name / "address").write_text("02:00:00:00:00:01\n")
    (net / "bonding_masters").write_text("\n")
    (net / "c" / "address").unlink()
    real, told = os.read, []

    def dying(fd: int, size: int) -> bytes:
        told.append(fd)
        if len(told) == 1:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(fd, size)

    monkeypatch.setattr(os, "read", dying)

    assert len(Sysfs(str(tmp_path)).names_with_address("02:00:00:00:00:01")) == 1


def test_what_is_not_shown_is_gone_only_where_sysfs_is_sysfs(tmp_path: Path) -> None:
    Sysfs().must_show_all()
    (tmp_path / "bus/pci/devices").mkdir(parents=True)
    for root in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(KernelRefused, match="not sysfs"):
            Sysfs(str(root)).must_show_all()
