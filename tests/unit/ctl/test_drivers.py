"""What the planner is told: each fact from its file, as the kernel writes it."""

from __future__ import annotations

import pytest

from cni_sriov.ctl import drivers
from cni_sriov.kernel import devices
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.replies import Address
from tests.unit.ctl import tool
from tests.unit.ctl.tool import attach, host
from tests.world import World

VF = "0000:01:10.0"


def put(world: World, path: str, content: str | bytes) -> None:
    file = world.kernel.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def files(world: World) -> Files:
    return tool.files(world)


def test_a_node_that_tells_nothing(world: World, files: Files) -> None:
    found = drivers.gather(host(world), files, VF)

    assert (found.device.driver, found.device.pf, found.is_pf) == ("igbvf", "0000:01:00.0", False)
    assert (found.has_iommu, found.noiommu, found.lockdown, found.secure_boot) == (False, False, "", None)
    assert (found.members, found.holders, found.uses, found.kernels) == ([], [], [], ["igbvf"])
    assert found.modules == {
        "vfio-pci": "missing", "uio_pci_generic": "missing", "igb_uio": "missing", "igbvf": "loaded",
    }  # fmt: skip


def test_an_iommu_group_with_its_other_members(world: World, files: Files) -> None:
    world.kernel.tree.add_iommu()
    device = world.kernel.tree.device("0000:01:10.2")
    (device / "iommu_group").unlink()
    group = int((world.kernel.tree.device(VF) / "iommu_group").readlink().name)
    world.kernel.tree.add_to_group("0000:01:10.2", group)

    found = drivers.gather(host(world), files, VF)

    assert (found.has_iommu, [other.address for other in found.members]) == (True, ["0000:01:10.2"])
    assert drivers.gather(host(world), files, "0000:01:00.0").is_pf


def test_the_group_that_vfio_makes_without_an_iommu_is_none(world: World, files: Files) -> None:
    world.kernel.tree.add_iommu()
    group = (world.kernel.tree.device(VF) / "iommu_group").readlink().name
    put(world, f"/sys/kernel/iommu_groups/{group}/name", "vfio-noiommu\n")
    put(world, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")

    found = drivers.gather(host(world), files, VF)

    assert (found.has_iommu, found.noiommu) == (False, True)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
    ],
)
def test_lockdown(world: World, files: Files, said: str, word: str) -> None:
    put(world, "/sys/kernel/security/lockdown", said)

    assert drivers.lockdown(files) == word


@pytest.mark.parametrize(("said", "word"), [(b"\6\0\0\0\1", True), (b"\6\0\0\0\0", False), (b"\6\0", None)])
def test_secure_boot(world: World, files: Files, said: bytes, word: bool | None) -> None:
    put(world, "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", said)

    assert drivers.secure_boot(files) is word


def test_uses(world: World, files: Files) -> None:
    attach(world)
    links = {link.name: link for link in world.kernel.host.links.values()}
    world.kernel.add_upper(links["enp1s0f0v1"], "br0")
    links["enp1s0f0v2"].addresses += [Address("192.0.2.1/24", 0, 0), Address("fe80::1/64", 0, 0, 253)]
    links["enp1s0f0v3"].addresses.append(Address("fe80::2/64", 0, 0, 253))

    def uses(address: str) -> list[str]:
        return drivers.uses(host(world), files, devices.device(files, address))

    assert uses(VF) == ["attached to c1/net1 (/run/netns/pod1)"]
    assert uses("0000:01:10.2") == ["enp1s0f0v1 is a port of br0"]
    assert uses("0000:01:10.4") == ["enp1s0f0v2 has the address 192.0.2.1/24"]
    assert uses("0000:01:10.6") == []
    assert [line.partition(":")[0] for line in uses("0000:01:00.0")] == [
        "vf 0 (0000", "vf 1 (0000", "vf 2 (0000",
    ]  # fmt: skip


def test_a_netdev_in_somebody_elses_pod(world: World, files: Files) -> None:
    pod = world.kernel.pods["/run/netns/pod1"]
    world.kernel.move(world.kernel.host, world.kernel.netlink.ifindex("enp1s0f0v2"), pod, "eth0")

    assert drivers.uses(host(world), files, devices.device(files, "0000:01:10.4")) == [
        "its netdev is in another network namespace"
    ]


def test_a_claim_that_cannot_be_read_is_a_claim(world: World, files: Files) -> None:
    attach(world)
    for directory in (world.run_dir / "claims", world.state_dir):
        for file in directory.iterdir():
            file.write_text("{")

    assert drivers.claim_on(host(world), VF) == "taken, by a claim that cannot be read"


def test_a_virtio_card_has_its_netdev_a_level_below(world: World, files: Files) -> None:
    device = world.kernel.root / "sys/bus/pci/devices/0000:00:03.0"
    (device / "virtio0/net/lo").mkdir(parents=True)
    world.kernel.host.links[1].addresses.append(Address("192.0.2.9/24", 0, 0))

    assert devices.netdevs(files, "0000:00:03.0") == ["lo"]
    assert drivers.uses(host(world), files, devices.device(files, "0000:00:03.0")) == [
        "lo has the address 192.0.2.9/24"
    ]
