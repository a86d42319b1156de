"""Files and Sysfs of a recording judge a failed look as the node's own do: one set of assertions, a real tree and a recording
of it.
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, EIO
from pathlib import Path

import pytest

from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.faces import RecordedFiles, RecordedSysfs
from cni_sriov.ctl.recording.tree import Tree
from cni_sriov.kernel.files import Files
from cni_sriov.kernel.sysfs import Sysfs
from cni_sriov.words.domain import PF
from cni_sriov.words.errors import InputOutput, KernelRefused

DEVICE = "/sys/bus/pci/devices/0000:01:00.0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    device = tmp_path / "sys/devices/pci0000:00/0000:01:00.0"
    (device / "net/enp1s0f0").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/drivers/igb").mkdir(parents=True)
    (tmp_path / "sys/class/net").mkdir(parents=True)
    (tmp_path / DEVICE[1:]).symlink_to("../../../devices/pci0000:00/0000:01:00.0")
    (device / "driver").symlink_to("../../../bus/pci/drivers/igb")
    (device / "net/enp1s0f0/device").symlink_to("../../../0000:01:00.0")
    (device / "net/enp1s0f0/ifindex").write_text("3\n")
    (tmp_path / "sys/class/net/enp1s0f0").symlink_to("../../devices/pci0000:00/0000:01:00.0/net/enp1s0f0")
    (device / "sriov_totalvfs").write_text("7\n")
    (device / "sriov_numvfs").write_text("0\n")
    return tmp_path


@pytest.fixture
def tree(root: Path) -> Tree:
    camera = Camera(str(root))
    for path in camera.glob("/sys/bus/pci/devices/*"):
        camera.directory(path)
        camera.listing(f"{path}/net")
    for path in camera.glob("/sys/class/net/*"):
        camera.directory(path)
    camera.listing("/sys/none")
    camera.there("/run/udev/control")
    return camera.tree


def test_files_answer_as_the_node(root: Path, tree: Tree) -> None:
    for files in (Files(str(root)), RecordedFiles("", tree)):
        assert files.text(f"{DEVICE}/sriov_totalvfs") == "7"
        assert files.tail(f"{DEVICE}/sriov_totalvfs", 1) == b"\n"
        assert files.text(f"{DEVICE}/none") is None
        assert files.names("/sys/bus/pci/devices") == ["0000:01:00.0"]
        assert (files.names("/sys/none"), files.names(f"{DEVICE}/sriov_numvfs")) == ([], [])
        assert files.target(f"{DEVICE}/driver") == "../../../bus/pci/drivers/igb"
        assert (files.target(f"{DEVICE}/sriov_numvfs"), files.target(f"{DEVICE}/none")) == ("", "")
        assert files.real(f"{DEVICE}/driver") == "/sys/bus/pci/drivers/igb"
        assert files.real("/sys/none/below") == ""
        assert (files.has(f"{DEVICE}/driver"), files.has(f"{DEVICE}/physfn")) == (True, False)


def test_sysfs_answers_as_the_node(root: Path, tree: Tree) -> None:
    recorded = RecordedSysfs("/sys", "/run", tree, {"0000:01:00.0": 77})
    real = Sysfs(str(root / "sys"), str(root / "run"))
    for sysfs in (real, recorded):
        assert sysfs.pfs() == [PF("0000:01:00.0", "enp1s0f0", 3, "igb", 0, 7)]
        assert sysfs.pf_by_name("enp1s0f0") == sysfs.pfs()[0]
        assert (sysfs.pf_by_pci("0000:02:00.0"), sysfs.driver("0000:02:00.0")) == (None, "")
        assert (sysfs.exists("0000:01:00.0"), sysfs.exists("0000:02:00.0")) == (True, False)
        assert (sysfs.has_netdev("0000:01:00.0"), sysfs.udev_named(3)) == (True, True)
        assert sysfs.probes_drivers("0000:01:00.0")
    assert (recorded.inode("0000:01:00.0"), recorded.inode("0000:02:00.0")) == (77, 0)


def test_what_failed_fails_again_and_is_not_absent() -> None:
    tree = Tree(
        files={"/sys/bus/pci/devices/0000:01:00.0/class": b"x"},
        failed={"/sys/broken": EIO, "/proc/9": EACCES},
        unread={f"{DEVICE}/sriov_totalvfs": EIO, "/sys/class/net/x/speed": EINVAL},
    )
    files, sysfs = RecordedFiles("", tree), RecordedSysfs(tree=tree)

    with pytest.raises(InputOutput, match=f"look at /sys/broken: {os.strerror(EIO)}"):
        files.has("/sys/broken")
    with pytest.raises(InputOutput, match="Invalid argument"):
        files.text("/sys/class/net/x/speed")
    assert files.names("/proc/9/fd") == []  # as Files: a security module shows it to nobody
    with pytest.raises(KernelRefused, match=os.strerror(EIO)):
        sysfs.pf_by_pci("0000:01:00.0")


def test_what_was_not_recorded_is_an_error() -> None:
    tree = Tree(lists={"/sys/bus/pci/devices": ["0000:01:00.0"]})
    files, sysfs = RecordedFiles("", tree), RecordedSysfs(tree=tree)

    with pytest.raises(InputOutput, match="look at /etc/os-release: it is not in the recording") as caught:
        files.text("/etc/os-release")
    assert "record it again" in caught.value.details
    with pytest.raises(InputOutput, match="not in the recording"):
        files.has("/etc")
    with pytest.raises(KernelRefused, match="not in the recording"):
        sysfs.driver("0000:01:00.0")


def test_nothing_can_be_changed() -> None:
    with pytest.raises(KernelRefused, match="nothing can be changed in it"):
        RecordedSysfs().set_numvfs(PF("0000:01:00.0", "x", 1, "igb", 0, 7), 3)


def test_a_foreign_sys_stays_one() -> None:
    RecordedSysfs().must_show_all()
    with pytest.raises(KernelRefused, match="it is tmpfs, not sysfs"):
        RecordedSysfs(kind="tmpfs").must_show_all()


def test_a_path_below_the_states_root_is_the_nodes() -> None:
    """host.ledger's directories are there while it is replayed."""
    files = RecordedFiles("/tmp/r.x", Tree(files={"/run/cni-sriov/names/a": b"b"}))
    assert files.text("/tmp/r.x/run/cni-sriov/names/a") == "b"
