"""`sriovctl vfs`: the kernel's rules (kernels.md 3 and 6), each refusal a sentence with a remedy."""

from __future__ import annotations

import os
import shutil
from errno import ENOMEM
from pathlib import Path

import pytest

from cni_sriov.ctl import vfs
from cni_sriov.kernel.replies import Address
from cni_sriov.words.errors import CniError
from tests.fakes import FakePf
from tests.unit.ctl.tool import host, sriovctl
from tests.world import World


@pytest.fixture
def empty(tmp_path: Path) -> World:
    """Two ports without VFs."""
    world = World(tmp_path)
    world.kernel.add_pf("enp1s0f0", "0000:01:00.0")
    world.kernel.add_pf("enp1s0f1", "0000:01:00.1", up=False)
    return world


def numvfs(world: World) -> list[int]:
    return [len(pf.vfs) for pf in world.kernel.pfs]


def device(world: World, pci_address: str) -> Path:
    return world.root / "kernel/sys/bus/pci/devices" / pci_address


@pytest.mark.parametrize(
    ("where", "expected"), [("enp1s0f0", [7, 0]), ("0000:01:00.1", [0, 7]), ("01:00.0", [7, 0])]
)
def test_creates_vfs_by_name_or_address(empty: World, where: str, expected: list[int]) -> None:
    run = sriovctl(empty, "vfs", where, "7", "--json")

    assert (run.status, numvfs(empty)) == (0, expected)
    (pf,) = run.document["pfs"]
    assert (run.document["changed"], pf["numvfs"], len(pf["vfs"])) == (True, 7, 7)
    assert pf["vfs"][6]["netdev"] == f"{pf['name']}v6"


def test_an_altname_is_a_name_too(empty: World) -> None:
    name = "enp1s0f0np0-of-a-long-card"
    empty.kernel.pfs[0].link.altnames = [name]

    assert (sriovctl(empty, "vfs", name, "7").status, numvfs(empty)) == (0, [7, 0])


def test_the_same_number_again_changes_nothing(world: World) -> None:
    effects = list(world.kernel.effects)

    run = sriovctl(world, "vfs", "enp1s0f0", "7", "--json")

    assert (run.status, run.document["changed"], world.kernel.effects) == (0, False, effects)


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_another_number_goes_through_zero(world: World, count: int) -> None:
    run = sriovctl(world, "vfs", "enp1s0f0", str(count))

    assert (run.status, numvfs(world)) == (0, [count])
    steps = [f"set numvfs of 0000:01:00.0 to {n}" for n in dict.fromkeys((0, count))]
    assert world.kernel.effects == steps


@pytest.mark.parametrize("count", ["3", "0"])
def test_refuses_while_a_vf_is_attached(world: World, count: str) -> None:
    assert world.call("ADD", world.conf()).code == 0

    run = sriovctl(world, "vfs", "enp1s0f0", count)

    assert (run.status, numvfs(world)) == (1, [7])
    assert f"change enp1s0f0 from 7 to {count} VFs: 1 of them in use, and all would go" in run.err
    assert "vf 0 (0000:01:10.0): attached to c1/net1 (/run/netns/pod1)" in run.err


def test_refuses_while_a_vf_is_in_a_pod_of_somebody_else(world: World) -> None:
    pod = world.kernel.pods["/run/netns/pod1"]
    ifindex = world.kernel.netlink.ifindex("enp1s0f0v2")
    world.kernel.move(world.kernel.host, ifindex, pod, "eth0")

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world)) == (1, [7])
    assert "vf 2 (0000:01:10.4): its netdev is in another network namespace" in run.err


def test_refuses_while_a_vf_is_a_bridge_port_or_has_an_address(world: World) -> None:
    links = {link.name: link for link in world.kernel.host.links.values()}
    world.kernel.add_upper(links["enp1s0f0v1"], "br0")
    links["enp1s0f0v3"].addresses.append(Address("192.0.2.1/24", 0, 0))
    links["enp1s0f0v4"].addresses.append(Address("fe80::1/64", 0, 0, 253))

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world)) == (1, [7])
    assert "vf 1 (0000:01:10.2): enp1s0f0v1 is a port of br0" in run.err
    assert "vf 3 (0000:01:10.6): enp1s0f0v3 has the address 192.0.2.1/24" in run.err
    assert "2 of them in use" in run.err


def test_a_vf_on_vfio_is_in_use_only_while_it_is_open(world: World) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[5], "vfio-pci")
    (device(world, "0000:01:11.2") / "iommu_group").symlink_to("../../kernel/iommu_groups/17")
    process = world.root / "proc/4242"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("dpdk-testpmd\n")
    (process / "fd/9").symlink_to("/dev/vfio/17")

    opened = sriovctl(world, "vfs", "enp1s0f0", "3")
    (process / "fd/9").unlink()
    closed = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (opened.status, closed.status, numvfs(world)) == (1, 0, [3])
    assert "vf 5 (0000:01:11.2): open in dpdk-testpmd (pid 4242)" in opened.err


def test_more_than_totalvfs(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f0", "8")

    assert (run.status, numvfs(empty)) == (1, [0, 0])
    assert "give enp1s0f0 8 VFs: it can have at most 7\n  sriovctl vfs enp1s0f0 7" in run.err


@pytest.mark.parametrize(("driver", "words"), [
    ("vfio-pci", "its driver vfio-pci hands the PF to user space and cannot make VFs"),
    ("uio_pci_generic", "its driver uio_pci_generic hands the PF"),
    ("", "no driver is bound to the PF"),
])  # fmt: skip
def test_a_pf_whose_driver_makes_no_vfs(empty: World, driver: str, words: str) -> None:
    pf = empty.kernel.pfs[0]
    pf.driver = driver
    (device(empty, pf.pci_address) / "driver").unlink()
    if driver:
        (device(empty, pf.pci_address) / "driver").symlink_to(f"../../drivers/{driver}")

    run = sriovctl(empty, "vfs", "0000:01:00.0", "2")

    assert run.status == 1
    assert words in run.err
    assert "drivers_probe" in run.err
    assert ("driver/unbind" in run.err) == bool(driver)


def below_bridge(world: World, pf: FakePf, offset: int, last_bus: int) -> None:
    """As sysfs has it: the PF's directory inside that of the bridge, which says where its buses end."""
    bridge = world.root / "kernel/sys/devices/pci0000:00/0000:00:06.0"
    bridge.mkdir(parents=True)
    (bridge / "subordinate_bus_number").write_text(f"{last_bus}\n")
    link = device(world, pf.pci_address)
    shutil.move(link, bridge / pf.pci_address)
    link.symlink_to(os.path.relpath(bridge / pf.pci_address, link.parent))
    (link / "sriov_offset").write_text(f"{offset}\n")
    (link / "sriov_stride").write_text("2\n")


def test_bus_out_of_range_is_explained(empty: World) -> None:
    pf = empty.kernel.pfs[0]
    pf.numvfs_errno = ENOMEM
    below_bridge(empty, pf, 384, 1)

    run = sriovctl(empty, "vfs", "enp1s0f0", "7")

    assert run.status == 1
    assert (
        "give enp1s0f0 7 VFs: the VFs need bus 02 but the bridge above (0000:00:06.0) ends at bus 01"
        " (VF offset 384, stride 2)"
    ) in run.err
    assert all(word in run.err for word in ("another slot", "BIOS", "pci=realloc", "no sign of success"))


@pytest.mark.parametrize(
    ("offset", "count", "out"), [(128, 64, False), (128, 65, True), (255, 1, False), (256, 1, True)]
)
def test_the_bus_of_the_last_vf(empty: World, offset: int, count: int, out: bool) -> None:
    """0100 + 0x80 + 2 * 63 = 01fe; one more is on bus 02."""
    pf = empty.kernel.pfs[0]
    pf.totalvfs, pf.numvfs_errno = 99, ENOMEM
    (device(empty, pf.pci_address) / "sriov_totalvfs").write_text("99\n")
    below_bridge(empty, pf, offset, 1)

    run = sriovctl(empty, "vfs", "enp1s0f0", str(count))

    assert ("need bus 02" in run.err) == out
    assert ("memory windows" in run.err) != out


def test_the_former_vfs_come_back_when_the_new_number_is_refused(world: World) -> None:
    world.kernel.fail_effect(1, "before")

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world)) == (1, [7])
    assert "enp1s0f0 has its 7 VFs again" in run.err


def test_waits_for_udev_and_says_what_it_did_not_name(empty: World) -> None:
    run_dir = empty.root / "kernel/run/udev"
    (run_dir / "data").mkdir(parents=True)
    (run_dir / "control").touch()

    outcome = vfs.run(host(empty), "enp1s0f0", 2, timeout_s=0.1)

    assert outcome.missing == [
        "vf 0 (0000:01:10.0): enp1s0f0v0 is not named by udev yet",
        "vf 1 (0000:01:10.2): enp1s0f0v1 is not named by udev yet",
    ]


def test_a_vf_without_driver_is_missing_unless_nobody_is_to_bind_one(world: World) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[3], "")

    expected = vfs.run(host(world), "enp1s0f0", 7, timeout_s=0)
    (device(world, "0000:01:00.0") / "sriov_drivers_autoprobe").write_text("0\n")
    wanted = vfs.run(host(world), "enp1s0f0", 7, timeout_s=0)

    assert expected.missing == [
        "vf 3 (0000:01:10.6): no driver is bound; is its module there, or blacklisted?"
    ]
    assert (wanted.missing, len(wanted.notes)) == ([], 1)


def test_says_that_the_pf_is_down_and_leaves_it(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f1", "2")

    assert run.status == 0
    assert "note: enp1s0f1 is down: its VFs carry nothing until it is up" in run.out
    assert not empty.kernel.pfs[1].link.is_up


@pytest.mark.parametrize(("where", "words"), [
    ("enp1s0f0v0", "it is a VF, of enp1s0f0"),
    ("0000:01:10.0", "it is a VF, of enp1s0f0"),
    ("lo", "it is not a PCI device"),
    ("0000:09:00.0", "no such interface or PCI device"),
    ("../../etc", "no such interface or PCI device"),
])  # fmt: skip
def test_what_is_no_pf(world: World, where: str, words: str) -> None:
    with pytest.raises(CniError, match=words):
        vfs.find_pf(host(world), where)


def test_a_bond_names_its_ports(world: World) -> None:
    bonding = world.root / "kernel/sys/class/net/bond0/bonding"
    bonding.mkdir(parents=True)
    (bonding / "slaves").write_text("enp1s0f0 enp1s0f1\n")

    with pytest.raises(CniError, match="it is a bond") as caught:
        vfs.find_pf(host(world), "bond0")
    assert "enp1s0f0, enp1s0f1" in caught.value.details
