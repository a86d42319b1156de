"""sriovctl on the lab's machine with the IOMMU off. The kernel's command line is part of the saved machine, so this one boots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import bundle

from . import machine
from .ctl import sriovctl
from .node import CONF, Node
from .ready import Lab
from .test_doctor_card import doctor, evidence
from .test_drivers import VF, driver, override
from .vm import PORTS, Vm

pytestmark = [pytest.mark.lab, pytest.mark.bundle]


@pytest.fixture(scope="module")
def without(saved_lab: Lab) -> Iterator[Vm]:
    with pytest.MonkeyPatch.context() as patch:
        off = machine.CMDLINE.replace("intel_iommu=on iommu=pt", "intel_iommu=off")
        patch.setattr(machine, "CMDLINE", off)
        vm = Vm(saved_lab.image, saved_lab.accelerator, bundle.directory())
        with vm:
            vm.boot()
            patch.undo()
            yield vm


def test_an_iommu_that_is_off_and_the_option_that_switches_it_on(
    without: Vm,
) -> None:
    """What the remedy says is what the lab's own machine was booted with, in which a sound card has no such trouble (test_doctor_card.py)."""
    groups = without.run("ls /sys/kernel/iommu_groups").stdout
    status, found = doctor(without)

    trouble = found["iommu-off"]
    assert (groups, status, trouble["severity"]) == ("", 0, "note")
    assert evidence(trouble)["/proc/cmdline"] == "intel_iommu=off"
    assert evidence(trouble)["/sys/firmware/acpi/tables"] == "DMAR"
    assert "take intel_iommu=off off the kernel's command line" in trouble["remedy"]
    wanted = trouble["remedy"].partition("# put ")[2].partition(" on the kernel's command line")[0].split()
    assert wanted, trouble["remedy"]
    assert set(wanted) <= set(machine.CMDLINE.split())


def test_without_an_iommu_nothing_unsafe_is_chosen_and_lockdown_forbids_the_rest(without: Vm) -> None:
    node = Node(without)
    node.create_vfs(1, PORTS[:1])
    assert without.run("ls /sys/kernel/iommu_groups").stdout == ""
    before = node.card()

    auto, vfio = sriovctl(without, f"bind {VF} auto"), sriovctl(without, f"bind {VF} vfio-pci")
    assert (auto.returncode, vfio.returncode, driver(without)) == (1, 1, "igbvf")
    assert f"sriovctl bind {VF} uio_pci_generic" in auto.stderr
    assert "no-IOMMU mode is off" in vfio.stderr
    node.add_netns("c1")
    chosen, named = (node.cni("ADD", CONF | {"driver": wanted}, "c1") for wanted in ("auto", "vfio-pci"))
    assert (chosen.code, named.code, driver(without)) == (101, 101, "igbvf")
    assert "it is in no IOMMU group, and vfio-pci wants one" in chosen.text
    assert "boot with intel_iommu=on" in chosen.text
    assert "no-IOMMU mode is off" in named.text
    assert (node.state_files(), node.changed(before)) == ([], [])
    node.clear()
    # the look before it says otherwise, and the probe binds nothing: the write itself succeeds
    without.run(
        "modprobe vfio-pci; mkdir -p /run/fake/parameters; echo Y > /run/fake/parameters/enable_unsafe_noiommu_mode"
    )
    without.run("mount --bind /run/fake /sys/module/vfio")
    nothing = sriovctl(without, f"bind {VF} vfio-pci")
    assert (nothing.returncode, driver(without), override(without)) == (1, "igbvf", "(null)")
    assert "nothing bound: its probe refused the device, which is in no IOMMU group" in nothing.stderr
    assert f"{VF} is on igbvf again" in nothing.stderr
    assert node.changed(before) == []

    without.run(
        "mount -t securityfs none /sys/kernel/security; echo integrity > /sys/kernel/security/lockdown"
    )
    locked = sriovctl(without, f"bind {VF} uio_pci_generic --force")
    assert (locked.returncode, driver(without)) == (1, "igbvf")
    assert "the kernel is locked down (integrity)" in locked.stderr
