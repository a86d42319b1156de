"""`sriovctl vfs`: the kernel's rules (kernels.md 3 and 6), each refusal a sentence with a remedy."""

from __future__ import annotations

import shutil

import pytest

from cni_sriov.ctl import vfs
from cni_sriov.kernel.replies import Address
from cni_sriov.words.errors import CniError
from tests.unit.ctl.ports import device, numvfs
from tests.unit.ctl.tool import host, sriovctl
from tests.world import World


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


def test_the_former_vfs_come_back_when_the_new_number_is_refused(world: World) -> None:
    world.kernel.fail_effect(1, "before")

    run = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (run.status, numvfs(world)) == (1, [7])
    assert "enp1s0f0 has its 7 VFs again" in run.err


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


@pytest.mark.parametrize("look", ["addresses", "set_numvfs"])
@pytest.mark.parametrize("count", ["0", "3"])
def test_a_card_that_is_pulled_between_look_and_write(world: World, look: str, count: str) -> None:
    def pull(*_: object) -> None:
        (pf,) = world.kernel.pfs
        world.kernel.change_numvfs(pf, 0)
        world.kernel.destroy(pf.link)
        shutil.rmtree(device(world, pf.pci_address))
        world.kernel.pfs.clear()

    world.kernel.before(look, pull)

    run = sriovctl(world, "vfs", "enp1s0f0", count)

    assert (run.status, run.out) == (1, "")
    assert run.err == (
        "sriovctl: remove the VFs of 0000:01:00.0: there is no PCI device 0000:01:00.0\n"
        "  ls /sys/bus/pci/devices shows those that are there\n"
    )
