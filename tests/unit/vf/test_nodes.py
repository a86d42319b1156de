"""`vfioOwner` on the device nodes of a VF and back, and the CDI device that stands for them."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from cni_sriov.state import cdi
from cni_sriov.vf import nodes
from cni_sriov.vf.host import Host
from cni_sriov.words.domain import Attachment
from cni_sriov.words.errors import InputOutput, KernelRefused, PfUnusable
from cni_sriov.words.plane import DataPlane
from cni_sriov.words.record import Record
from tests.cdi import check
from tests.fakes import Crash
from tests.unit.ctl.tool import host as host_of
from tests.world import World

VF, SECOND, PF = "0000:01:10.0", "0000:01:10.2", "0000:01:00.0"
OWNER = (1000, 36)


@pytest.fixture
def host(world: World) -> Host:
    """With an IOMMU: the second VF is on vfio-pci, too, in a group of its own."""
    world.kernel.tree.add_iommu()
    for driver in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(driver)
    bind(world)
    bind(world, index=1)
    host = host_of(world, str(world.state_dir))
    host.ledger.open()
    return host


def bind(world: World, driver: str = "vfio-pci", index: int = 0) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[index], driver)


def group(world: World, vf: str = VF) -> str:
    return f"/dev/vfio/{(world.kernel.tree.device(vf) / 'iommu_group').readlink().name}"


@pytest.fixture
def record(host: Host) -> Record:
    record = Record(
        Attachment("c1", "net1"), "fast", PF, VF, 0, "/run/netns/pod1", [4, 5], host.ledger.boot_id
    )
    record.plane = DataPlane("vfio", "vfio-pci")
    return record


def plane(record: Record) -> DataPlane:
    assert record.plane is not None
    return record.plane


def stored(world: World) -> dict[str, Any]:
    return dict(json.loads((world.state_dir / "c1@net1").read_text())["plane"])


# whose ----------------------------------------------------------------------------------------------------------------


def test_given_and_taken_back(world: World, host: Host, record: Record) -> None:
    before = world.kernel.snapshot()["nodes"]

    nodes.give(host, record, OWNER)

    assert world.kernel.nodes.owners == before | {group(world): OWNER}, (
        "no other VF's, and not vfio's container"
    )
    assert nodes.differences(host, record, OWNER) == []
    nodes.take_back(host, record)
    effects = list(world.kernel.effects)
    nodes.take_back(host, record)
    assert (world.kernel.snapshot()["nodes"], world.kernel.effects) == (before, effects)


def test_what_an_operator_set_is_what_comes_back(world: World, host: Host, record: Record) -> None:
    world.kernel.nodes.owners[group(world)] = (0, 78)

    nodes.give(host, record, OWNER)
    nodes.take_back(host, record)

    assert world.kernel.nodes.owner(group(world)) == (0, 78)


def test_it_is_recorded_before_anything_is_changed(world: World, host: Host, record: Record) -> None:
    world.kernel.crash_at(0, "before")
    with pytest.raises(Crash):
        nodes.give(host, record, OWNER)
    world.kernel.restart()

    assert stored(world)["owners"] == {group(world): [0, 0]}


def test_given_twice_the_first_owner_is_the_one_that_was_found(
    world: World, host: Host, record: Record
) -> None:
    nodes.give(host, record, (1, 1))
    nodes.give(host, record, OWNER)
    nodes.take_back(host, record)

    assert world.kernel.nodes.owner(group(world)) == (0, 0)


def test_not_asked_nothing_is_recorded_or_changed(world: World, host: Host, record: Record) -> None:
    nodes.give(host, record, None)

    assert (plane(record).owners, world.kernel.effects, world.state_dir.exists()) == ({}, [], True)
    assert nodes.differences(host, record, None) == []


@pytest.mark.parametrize("away", ["igbvf", ""])
def test_a_node_that_went_with_its_driver_is_success(
    world: World, host: Host, record: Record, away: str
) -> None:
    nodes.give(host, record, OWNER)
    path = group(world)
    bind(world, away)

    nodes.take_back(host, record)

    assert nodes.differences(host, record, OWNER) == [f"{path} is gone, not 1000:36's"]


def test_a_node_that_goes_just_now_is_success(world: World, host: Host, record: Record) -> None:
    nodes.give(host, record, OWNER)
    world.kernel.before("set_owner", lambda *_: bind(world, ""))

    nodes.take_back(host, record)


def test_the_node_of_another_vf_that_has_the_number_now_is_left_alone(
    world: World, host: Host, record: Record
) -> None:
    """Its VF went with numvfs, and the kernel gave the group's number to another one."""
    nodes.give(host, record, OWNER)
    plane(record).owners[group(world, SECOND)] = [0, 0]
    world.kernel.nodes.owners[group(world, SECOND)] = (7, 7)

    nodes.take_back(host, record)

    assert world.kernel.nodes.owner(group(world, SECOND)) == (7, 7)


def test_a_groups_node_is_not_a_uio_devices(world: World, host: Host, record: Record) -> None:
    """The other VF of the group is on vfio-pci."""
    tree = world.kernel.tree
    (tree.device(SECOND) / "iommu_group").unlink()
    tree.add_to_group(SECOND, int(group(world).rpartition("/")[2]))
    bind(world, "uio_pci_generic")

    nodes.give(host, record, OWNER)

    owners = world.kernel.nodes.owners
    assert (owners["/dev/uio0"], owners[group(world)]) == (OWNER, (0, 0))


def test_without_a_node_it_is_code_101(world: World, host: Host, record: Record) -> None:
    bind(world, "")

    with pytest.raises(PfUnusable, match="no device node"):
        nodes.give(host, record, OWNER)


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_the_kernel_refuses_is_told(world: World, host: Host, record: Record, when: str) -> None:
    world.kernel.fail_effect(0, when)
    with pytest.raises(InputOutput, match=f"{VF}: give {group(world)} to 1000:36"):
        nodes.give(host, record, OWNER)

    nodes.take_back(host, record)
    assert world.kernel.nodes.owner(group(world)) == (0, 0)


def test_one_that_stays_does_not_keep_the_others(world: World, host: Host, record: Record) -> None:
    (world.kernel.tree.device(VF) / "vfio-dev/vfio0").mkdir(parents=True)
    nodes.give(host, record, OWNER)
    assert sorted(plane(record).owners) == [group(world), "/dev/vfio/devices/vfio0"]
    world.kernel.fail_effect(0, "before")

    with pytest.raises(KernelRefused):
        nodes.take_back(host, record)

    owners = [world.kernel.nodes.owner(path) for path in sorted(plane(record).owners)]
    assert owners == [OWNER, (0, 0)]


# as a CDI device ------------------------------------------------------------------------------------------------------


def spec(world: World, vf: str = VF) -> list[str] | None:
    """Its nodes, None where there is no file."""
    path = world.cdi_dir / f"cni-sriov.dev-vf_{vf}.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text())
    check(document)
    (device,) = document["devices"]
    assert f"{document['kind']}={device['name']}" == f"cni-sriov.dev/vf={vf}"
    return [node["path"] for node in device["containerEdits"]["deviceNodes"]]


def test_published_and_withdrawn(world: World, host: Host, record: Record) -> None:
    nodes.publish(host, record)

    assert spec(world) == ["/dev/vfio/vfio", group(world)]
    assert stored(world)["files"] == [str(world.cdi_dir / f"cni-sriov.dev-vf_{VF}.json")]
    for _ in range(2):
        nodes.withdraw(host, record)
    assert (plane(record).files, list(world.cdi_dir.iterdir())) == ([], [])


def test_it_is_recorded_before_it_is_there(
    world: World, host: Host, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Crash

    monkeypatch.setattr(cdi, "write", killed)
    with pytest.raises(Crash):
        nodes.publish(host, record)

    assert (spec(world), len(stored(world)["files"])) == (None, 1)


def test_what_the_operators_bind_wrote_outlives_the_attachment(
    world: World, host: Host, record: Record
) -> None:
    nodes.settle(host, VF)

    nodes.publish(host, record)
    nodes.withdraw(host, record)

    assert (plane(record).files, spec(world)) == ([], ["/dev/vfio/vfio", group(world)])


def test_what_others_have_among_the_files_is_not_taken(world: World, host: Host, record: Record) -> None:
    plane(record).files.append(str(world.root / "startup.conf"))
    Path(world.root, "startup.conf").touch()

    nodes.publish(host, record)
    nodes.withdraw(host, record)

    assert plane(record).files == [str(world.root / "startup.conf")]
    assert Path(world.root, "startup.conf").exists()


@pytest.mark.parametrize("whose", ["another attachment's", "another boot's"])
def test_what_is_another_ones_by_now_stays(world: World, host: Host, record: Record, whose: str) -> None:
    """The claim was lost, and somebody was quicker; or the Record is of another boot."""
    nodes.publish(host, record)
    if whose == "another boot's":
        record.boot_id = "99999999-2222-3333-4444-555555555555"
    else:
        (claim,) = (world.run_dir / "claims").iterdir()
        claim.write_text(claim.read_text().replace('"c1"', '"c2"'))

    nodes.withdraw(host, record)

    assert spec(world) == ["/dev/vfio/vfio", group(world)]


def test_an_attachment_without_a_vf_has_none(world: World, host: Host, record: Record) -> None:
    """Of the host's VPP; what files it has are others'."""
    record.vf, plane(record).files = "", [str(world.root / "startup.conf")]

    nodes.withdraw(host, record)

    assert plane(record).files == [str(world.root / "startup.conf")]


@pytest.mark.parametrize(
    ("driver", "shown"),
    [("uio_pci_generic", ["/dev/uio0"]), ("igbvf", None), ("", None), ("pci-stub", None)],
)
def test_which_nodes(world: World, host: Host, driver: str, shown: list[str] | None) -> None:
    nodes.settle(host, VF)
    bind(world, driver)

    nodes.settle(host, VF)

    assert spec(world) == shown


def test_where_vfio_has_no_groups_the_devices_own_node_and_iommufd(world: World, host: Host) -> None:
    device = world.kernel.tree.device(VF)
    (device / "iommu_group").unlink()
    (device / "vfio-dev/vfio3").mkdir(parents=True)
    world.kernel.nodes.others.append("/dev/iommu")

    nodes.settle(host, VF)

    assert spec(world) == ["/dev/iommu", "/dev/vfio/devices/vfio3"]


def test_of_two_ways_to_one_device_the_group(world: World, host: Host) -> None:
    (world.kernel.tree.device(VF) / "vfio-dev/vfio0").mkdir(parents=True)

    nodes.settle(host, VF)

    assert spec(world) == ["/dev/vfio/vfio", group(world)]


def test_a_pf_is_no_vf(world: World, host: Host) -> None:
    world.kernel.set_driver(world.kernel.pfs[0], "vfio-pci")

    nodes.settle(host, PF)

    assert not world.cdi_dir.exists()


def test_of_vfs_that_went_without_us_nothing_stays(world: World, host: Host, record: Record) -> None:
    """By numvfs, by driverctl, and one whose group has another number now; whoever comes next puts that right."""
    bind(world, index=2)
    addresses = [vf.pci_address for vf in world.kernel.pfs[0].vfs]
    for vf in addresses[1:3]:
        nodes.settle(host, vf)
    cdi.write(str(world.cdi_dir), "0000:01:1f.6", ["/dev/vfio/99"])
    cdi.write(str(world.cdi_dir), addresses[2], ["/dev/vfio/99"])
    bind(world, "igbvf", index=1)

    nodes.publish(host, record)

    found = [spec(world, vf) for vf in (*addresses[:3], "0000:01:1f.6")]
    assert found == [
        ["/dev/vfio/vfio", group(world)],
        None,
        ["/dev/vfio/vfio", group(world, addresses[2])],
        None,
    ]


def test_anothers_file_that_cannot_be_read_is_its_own_trouble(
    world: World, host: Host, record: Record
) -> None:
    nodes.settle(host, SECOND)
    path = world.cdi_dir / f"cni-sriov.dev-vf_{SECOND}.json"
    path.unlink()
    path.mkdir()

    nodes.publish(host, record)

    assert spec(world) == ["/dev/vfio/vfio", group(world)]


@pytest.mark.parametrize("refused", [errno.EACCES, errno.EIO])
def test_a_failed_look_is_not_absence(
    world: World, host: Host, record: Record, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    def look(*_: object) -> None:
        raise KernelRefused("look at /dev/vfio", refused)

    nodes.settle(host, VF)
    monkeypatch.setattr(type(world.kernel.nodes), "owner", look)
    with pytest.raises(KernelRefused):
        nodes.settle(host, VF)
    monkeypatch.undo()

    assert spec(world) == ["/dev/vfio/vfio", group(world)]
