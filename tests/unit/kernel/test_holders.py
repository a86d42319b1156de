"""Who has a device open, from a tree like /proc and sysfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.kernel.files import Files
from cni_sriov.kernel.holders import holders, nodes_of

VF = "0000:01:10.0"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    device = tmp_path / "sys/bus/pci/devices" / VF
    (device / "uio/uio3").mkdir(parents=True)
    (device / "vfio-dev/vfio0").mkdir(parents=True)
    (device / "iommu_group").symlink_to("../../../kernel/iommu_groups/10")
    return Files(str(tmp_path))


def has_open(files: Files, pid: int, name: str, *targets: str) -> None:
    process = Path(files.root) / "proc" / str(pid)
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text(f"{name}\n")
    for number, target in enumerate(targets):
        (process / "fd" / str(number)).symlink_to(target)


def test_nodes(files: Files) -> None:
    assert nodes_of(files, VF) == {
        "/dev/uio3", "/dev/vfio/devices/vfio0", "/dev/vfio/10", "/dev/vfio/noiommu-10",
    }  # fmt: skip
    assert nodes_of(files, "0000:01:10.2") == set()


def test_each_by_name_and_pid_in_order(files: Files) -> None:
    has_open(files, 101, "vpp_main", "/dev/null", "/dev/vfio/10")
    has_open(files, 9, "testpmd", "/dev/uio3")
    has_open(files, 44, "qemu", "/dev/vfio/devices/vfio0")
    has_open(files, 45, "other", "/dev/vfio/1", "/dev/vfio/vfio", "/dev/vfio/100", "anon_inode:[vfio-device]")
    (Path(files.root) / "proc/meminfo").touch()

    assert holders(files, VF) == ["testpmd (pid 9)", "qemu (pid 44)", "vpp_main (pid 101)"]
    assert holders(files, "0000:01:10.2") == []


def test_a_container_may_call_the_node_otherwise(files: Files) -> None:
    """`podman run --device /dev/vfio/10:/dev/nic`; tests make no nodes, so /dev/null stands for one."""
    (Path(files.root) / "dev/vfio").mkdir(parents=True)
    (Path(files.root) / "dev/vfio/10").symlink_to("/dev/null")
    has_open(files, 9, "testpmd", "/dev/null")
    has_open(files, 10, "cat", "/dev/zero")

    assert holders(files, VF) == ["testpmd (pid 9)"]


def test_who_has_a_device_of_no_group_that_is_told_may_have_this_one(files: Files) -> None:
    has_open(files, 9, "testpmd", "anon_inode:[vfio-device]", "/dev/vfio/vfio")

    assert holders(files, VF) == ["testpmd (pid 9)"]


def test_what_a_process_calls_itself_is_fit_for_a_terminal(files: Files) -> None:
    has_open(files, 9, "x\n\x1b[31m", "/dev/vfio/10")

    assert holders(files, VF) == ["x??[31m (pid 9)"]


def test_a_process_that_ends_meanwhile_holds_nothing(files: Files) -> None:
    (Path(files.root) / "proc/7").mkdir(parents=True)

    assert holders(files, VF) == []
