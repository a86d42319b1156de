"""Whole directories are taken whoever looks: what status and the oracle ask below /sys is in them without any spy, so that the
next version finds what this one does not ask for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cni_sriov.ctl.recording import scope
from cni_sriov.ctl.recording.camera import Camera
from cni_sriov.ctl.recording.faces import RecordedFiles, RecordedSysfs
from cni_sriov.ctl.slot import look
from cni_sriov.ctl.slot import pfs as slots
from cni_sriov.kernel.devices import devices
from cni_sriov.kernel.files import Files
from cni_sriov.words.failures import Failures
from tests.unit.ctl.ports import below_bridge
from tests.world import World


@pytest.fixture
def root(world: World) -> Path:
    below_bridge(world, world.kernel.pfs[0], 128, 1)
    root = world.kernel.root
    for path, text in {
        "sys/bus/pci/devices/0000:00:1f.0/class": "0x060100",
        "sys/bus/pci/devices/0000:00:02.0/class": "0x030000",
        "sys/bus/pci/devices/0000:00:02.0/boot_vga": "1",
        "sys/devices/pci0000:00/0000:00:06.0/class": "0x060400",
        "sys/module/igb/parameters/max_vfs": "0",
        "sys/module/igb/version": "5.16.9",
        "sys/module/igb/srcversion": "6C4E",
        "sys/module/snd/version": "1",
        "proc/version": "Linux version 6.1.0-30-amd64",
        "proc/sys/kernel/osrelease": "6.1.0-30-amd64",
        "etc/os-release": "ID=debian",
        "sys/class/dmi/id/bios_version": "2.19",
        "sys/module/snd/parameters/index": "0",
        "proc/77/comm": "qemu",
        "proc/78/comm": "sshd",
        "proc/77/maps": "0-1 rw-s 0 0 0 /dev/vfio/3",
        "proc/78/maps": "0-1 rw-s 0 0 0 /dev/zero",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")
    for pid, target in (("77", "/dev/vfio/3"), ("78", "/dev/null")):
        (root / f"proc/{pid}/fd").mkdir()
        (root / f"proc/{pid}/fd/4").symlink_to(target)
    return root


@pytest.fixture
def camera(root: Path) -> Camera:
    camera, failures = Camera(str(root)), Failures()
    scope.take(camera, lambda _: None, failures)
    assert failures.told == []
    return camera


def test_every_device_and_slot_is_as_on_the_node(root: Path, camera: Camera) -> None:
    live, told = Files(str(root)), RecordedFiles("", camera.tree)

    assert devices(told) == devices(live)
    assert len(devices(live)) == 11  # the PF, its VFs, the bridge above it, two others
    assert slots(told, Failures()) == slots(live, Failures()) == ["0000:01:00.0"]
    assert look(told, "0000:01:00.0") == look(live, "0000:01:00.0")


def test_sysfs_is_as_on_the_node(world: World, camera: Camera) -> None:
    told, live = RecordedSysfs(tree=camera.tree), world.kernel.sysfs
    (pf,) = live.pfs()

    assert told.pfs() == [pf]
    assert told.vfs(pf) == live.vfs(pf)
    assert told.ids("0000:01:10.0") == live.ids("0000:01:10.0")
    assert told.uppers("enp1s0f0") == live.uppers("enp1s0f0")


def test_of_other_devices_only_what_they_are(camera: Camera) -> None:
    device = "/sys/bus/pci/devices/0000:00:02.0"
    assert f"{device}/class" in camera.tree.files
    assert f"{device}/boot_vga" not in camera.tree.files
    assert "boot_vga" in camera.tree.lists[device]


def test_parameters_of_the_modules_that_matter(camera: Camera) -> None:
    assert "/sys/module/igb/parameters/max_vfs" in camera.tree.files
    assert "/sys/module/snd/parameters/index" not in camera.tree.files


def test_versions_of_kernel_distribution_bios_and_drivers(camera: Camera) -> None:
    said = {path: text for path, text in camera.tree.files.items() if "version" in path or "release" in path}
    assert said == {
        "/proc/version": b"Linux version 6.1.0-30-amd64\n",
        "/proc/sys/kernel/osrelease": b"6.1.0-30-amd64\n",
        "/etc/os-release": b"ID=debian\n",
        "/sys/class/dmi/id/bios_version": b"2.19\n",
        "/sys/module/igb/version": b"5.16.9\n",
        "/sys/module/igb/srcversion": b"6C4E\n",
    }


def test_of_processes_what_each_is_called_and_the_maps_of_who_has_a_device(camera: Camera) -> None:
    tree = camera.tree
    assert (tree.files["/proc/77/comm"], tree.files["/proc/78/comm"]) == (b"qemu\n", b"sshd\n")
    assert (tree.lists["/proc/77/fd"], tree.lists["/proc/78/fd"]) == (["4"], [])
    assert ("/proc/77/maps" in tree.files, "/proc/78/maps" in tree.files) == (True, False)


def test_one_part_that_fails_hides_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Camera) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scope, "_devices", broken)
    camera, failures = Camera(str(root)), Failures()
    scope.take(camera, lambda _: None, failures)

    assert ["PCI devices" in one for one in failures.told] == [True]
    assert "/proc/77/comm" in camera.tree.files
