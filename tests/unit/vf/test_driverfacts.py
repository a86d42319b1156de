"""What the planner is told: each fact from its file, as the kernel writes it."""

from __future__ import annotations

import pytest

from cni_sriov.kernel.files import Files
from cni_sriov.vf import driverfacts
from tests.unit.ctl import tool
from tests.unit.ctl.tool import host
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
    found = driverfacts.gather(host(world), files, VF)

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

    found = driverfacts.gather(host(world), files, VF)

    assert (found.has_iommu, [other.address for other in found.members]) == (True, ["0000:01:10.2"])
    assert driverfacts.gather(host(world), files, "0000:01:00.0").is_pf


def test_the_group_that_vfio_makes_without_an_iommu_is_none(world: World, files: Files) -> None:
    world.kernel.tree.add_iommu()
    group = (world.kernel.tree.device(VF) / "iommu_group").readlink().name
    put(world, f"/sys/kernel/iommu_groups/{group}/name", "vfio-noiommu\n")
    put(world, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")

    found = driverfacts.gather(host(world), files, VF)

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

    assert driverfacts.lockdown(files) == word


@pytest.mark.parametrize(("said", "word"), [(b"\6\0\0\0\1", True), (b"\6\0\0\0\0", False), (b"\6\0", None)])
def test_secure_boot(world: World, files: Files, said: bytes, word: bool | None) -> None:
    put(world, "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", said)

    assert driverfacts.secure_boot(files) is word
