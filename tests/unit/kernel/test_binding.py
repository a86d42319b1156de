"""The steps by driver_override, on the fake's rules, which the lab's card has too (tests/lab/test_drivers.py)."""

from __future__ import annotations

import errno

import pytest

from cni_sriov.kernel import binding
from cni_sriov.words.errors import KernelRefused
from tests.world import World

VF = "0000:01:10.0"


def test_leave_and_enter(world: World) -> None:
    sysfs, tree = world.kernel.sysfs, world.kernel.tree
    tree.add_driver("uio_pci_generic")

    binding.leave(sysfs, VF, "uio_pci_generic")
    assert (sysfs.driver(VF), sysfs.has_netdev(VF), tree.override(VF)) == ("", False, "uio_pci_generic")
    assert binding.enter(sysfs, VF, "uio_pci_generic", "uio_pci_generic") == "uio_pci_generic"

    binding.leave(sysfs, VF, "igbvf")
    assert binding.enter(sysfs, VF, "igbvf", "") == "igbvf"
    assert (sysfs.netdevs(VF), tree.override(VF)) == (["enp1s0f0v0"], "")


def test_to_leave_twice_is_nothing_and_no_override_is_written_unless_meant(world: World) -> None:
    sysfs = world.kernel.sysfs
    sysfs.set_override(VF, "pci-stub")

    binding.leave(sysfs, VF, None)
    binding.leave(sysfs, VF, None)

    assert (sysfs.driver(VF), world.kernel.tree.override(VF)) == ("", "pci-stub")


def test_that_somebody_else_unbound_it_is_no_error(world: World) -> None:
    vf = world.kernel.pfs[0].vfs[0]
    world.kernel.before("unbind", lambda *_: world.kernel.set_driver(vf, ""))

    binding.leave(world.kernel.sysfs, VF, None)

    assert vf.driver == ""


def test_a_probe_that_succeeds_and_binds_nothing(world: World) -> None:
    """Without an IOMMU vfio-pci's probe says EINVAL, and the write nothing (lab)."""
    sysfs = world.kernel.sysfs
    world.kernel.tree.add_driver("vfio-pci")
    binding.leave(sysfs, VF, "vfio-pci")

    assert binding.enter(sysfs, VF, "vfio-pci", "vfio-pci") == ""


def test_what_is_bound_already_is_not_probed(world: World) -> None:
    effects = len(world.kernel.effects)

    assert binding.enter(world.kernel.sysfs, VF, "igbvf", "") == "igbvf"
    assert [text.partition(" ")[0] for text in world.kernel.effects[effects:]] == ["set", "set"]


def test_a_device_that_is_gone(world: World) -> None:
    sysfs = world.kernel.sysfs
    with pytest.raises(KernelRefused) as refused:
        binding.leave(sysfs, "0000:01:1f.0", "")
    assert refused.value.errno == errno.ENOENT
    with pytest.raises(KernelRefused) as refused:
        sysfs.probe("0000:01:1f.0")
    assert refused.value.errno == errno.ENODEV
