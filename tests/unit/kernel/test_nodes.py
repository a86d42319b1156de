"""Device nodes, from a tree like /dev and sysfs; that a node is given and taken is tests/integration's and the lab's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cni_sriov.kernel.files import Files
from cni_sriov.kernel.nodes import Nodes
from cni_sriov.words.errors import KernelRefused

VF = "0000:01:10.0"


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    device = tmp_path / "sys/bus/pci/devices" / VF
    device.mkdir(parents=True)
    (device / "iommu_group").symlink_to("../../../kernel/iommu_groups/10")
    (tmp_path / "dev/vfio").mkdir(parents=True)
    return Nodes(Files(str(tmp_path)))


def test_what_is_not_there_is_nobodys(nodes: Nodes) -> None:
    assert nodes.owner("/dev/vfio/10") is None
    assert nodes.of(VF) == []
    with pytest.raises(KernelRefused, match="No such file"):
        nodes.set_owner("/dev/vfio/10", 0, 0)


def test_this_machines_null_is_roots() -> None:
    found = os.stat("/dev/null")

    assert Nodes(Files()).owner("/dev/null") == (found.st_uid, found.st_gid)


def test_a_group_that_cannot_be_opened_twice_is_taken(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """vfio's answer to the second one is EBUSY (vfio_group_fops_open); no test can make such a node."""
    monkeypatch.setattr(Nodes, "owner", lambda *_: (0, 0))
    opened = []

    def busy(path: str, flags: int) -> int:
        opened.append((path, flags & os.O_NOFOLLOW))
        raise OSError(errno.EBUSY, "busy")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", busy)
        assert [nodes.is_taken(path) for path in ("/dev/vfio/10", "/dev/vfio/noiommu-1")] == [True, True]
        # many may have these, and what is no group is not opened
        others = ("/dev/vfio/vfio", "/dev/vfio/devices/vfio0", "/dev/uio0", "/dev/vfio/../sda")
        assert not any(map(nodes.is_taken, others))
    assert [path.rpartition("/")[2] for path, flag in opened if flag] == ["10", "noiommu-1"]
    Path(nodes.files.root, "dev/vfio/10").touch()
    assert not nodes.is_taken("/dev/vfio/10")
    assert not nodes.is_taken("/dev/vfio/11")


@pytest.mark.parametrize("kind", ["file", "symlink", "directory"])
def test_what_is_no_device_node_is_not_taken_for_one(nodes: Nodes, kind: str) -> None:
    path = Path(nodes.files.root, "dev/vfio/10")
    acts = {"file": path.touch, "symlink": lambda: path.symlink_to("/dev/null"), "directory": path.mkdir}
    acts[kind]()

    with pytest.raises(KernelRefused, match="no device node"):
        nodes.of(VF)


def test_a_symlink_is_not_followed(nodes: Nodes, tmp_path: Path) -> None:
    """Nobody but root can make one in /dev; and yet."""
    target = tmp_path / "target"
    target.touch()
    path = Path(nodes.files.root, "dev/vfio/10")
    path.symlink_to(target)
    before = target.stat().st_ctime_ns

    nodes.set_owner("/dev/vfio/10", os.geteuid(), os.getegid())

    assert target.stat().st_ctime_ns == before
