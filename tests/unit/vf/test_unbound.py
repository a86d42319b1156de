"""Each word of the kernel's, as a sentence with what to do."""

from __future__ import annotations

import errno

import pytest

from cni_sriov.decide.planner import Facts
from cni_sriov.vf import unbound
from cni_sriov.words.device import Device
from cni_sriov.words.errors import KernelRefused
from tests.unit.ctl.tool import host
from tests.world import World

VF = "0000:01:10.0"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EBUSY, "the device or its IOMMU group is busy"),
        (errno.EINVAL, "the kernel takes no such word"),
        (errno.ENODEV, "the driver went while it was asked"),
        (errno.ENOENT, "the driver went while it was asked"),
        (errno.EACCES, "/sys is not writable here"),
        (errno.EROFS, "/sys is not writable here"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_errno(world: World, number: int, says: str) -> None:
    error = unbound.explain(host(world), Facts(Device(VF)), "vfio-pci", KernelRefused("unbind it", number))

    assert (error.code, error.msg.startswith(f"bind {VF} to vfio-pci: ")) == (101, True)
    assert says in error.msg
    assert error.details


def test_a_device_that_went(world: World) -> None:
    error = unbound.explain(host(world), Facts(Device("0000:01:1f.0")), "", KernelRefused("x", errno.EBUSY))

    assert error.msg == "unbind 0000:01:1f.0: the device has vanished"


@pytest.mark.parametrize(
    ("driver", "got", "has_iommu", "says"),
    [
        ("vfio-pci", "igb_uio", True, "igb_uio has it instead"),
        ("vfio-pci", "", False, "in no IOMMU group (EINVAL)"),
        ("vfio-pci", "", True, "its probe refused the device"),
        ("igbvf", "", True, "while a process has IOMMU group 9 open"),
    ],
)
def test_a_probe_that_succeeded_for_nothing(driver: str, got: str, has_iommu: bool, says: str) -> None:
    error = unbound.no_driver(Facts(Device(VF, group="9"), has_iommu=has_iommu), driver, got)

    assert says in str(error)
