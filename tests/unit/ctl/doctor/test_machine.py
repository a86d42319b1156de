"""The machine below the cards, from files."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import cards, machine
from cni_sriov.decide.facts_machine import Machine
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import PF, VF, Tree


def look(tree: Tree) -> Machine:
    failures = Failures()
    found = machine.look(
        tree.files, failures, cards.pci_devices(tree.files, failures), [], ["/dev/hugepages"]
    )
    assert failures.told == []
    return found


def test_a_machine_that_tells_nothing(tree: Tree) -> None:
    found = look(tree)

    assert (found.vendor, found.cmdline, found.has_iommu, found.secure_boot) == ("", "", False, None)
    assert found.modules == {"vfio-pci": "missing", "uio_pci_generic": "missing", "igb_uio": "missing"}


def test_processor_and_iommu(tree: Tree) -> None:
    tree.write(
        "/proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\n",
    )
    tree.write("/proc/cmdline", "quiet iommu=pt\n")
    tree.mkdir("/sys/class/iommu/ivhd0")
    for table in ("IVRS", "FACP", "DSDT"):
        tree.write(f"/sys/firmware/acpi/tables/{table}")
    tree.device(PF, "igb", group="3")

    found = look(tree)

    assert (found.vendor, found.is_guest, found.cmdline) == ("AuthenticAMD", True, "quiet iommu=pt")
    assert (found.groups, found.iommus, found.iommu_tables, found.has_iommu) == (1, ["ivhd0"], ["IVRS"], True)


def test_shared_groups_are_those_with_a_network_device_and_bridges_do_not_count(tree: Tree) -> None:
    tree.device("0000:00:06.0", "pcieport", group="1", class_="0x060400")
    tree.device(PF, "igb", group="1")
    tree.device(VF, "igbvf", group="2")
    tree.device("0000:01:10.2", "igbvf", group="2")
    tree.device("0000:00:1f.0", "", group="3", class_="0x060100")
    tree.device("0000:00:1f.2", "ahci", group="3", class_="0x010601")
    tree.device("0000:00:1f.3", "i801_smbus", group="3", class_="0x0c0500")

    found = look(tree)

    assert [(group.number, [one.address for one in group.members]) for group in found.shared] == [
        ("2", [VF, "0000:01:10.2"])
    ]


def test_qat_is_intels_co_processor(tree: Tree) -> None:
    """As dpdk-devbind has it: class 0b40 of vendor 8086."""
    tree.device("0000:3d:00.0", "c6xx", class_="0x0b4000")
    tree.device("0000:3e:00.0", "", class_="0x0b4000", vendor="0x177d")
    tree.device("0000:3f:00.0", "", class_="0x108000")

    assert [one.address for one in look(tree).accelerators] == ["0000:3d:00.0"]


def test_what_fails_hides_nothing_else(tree: Tree) -> None:
    tree.mkdir("/proc/cpuinfo")  # EISDIR
    tree.hugepages(0, 2048, 4, 3)
    failures = Failures()

    found = machine.look(tree.files, failures, cards.pci_devices(tree.files, failures), [], [])

    assert [one.total for one in found.hugepages] == [4]
    assert [told.partition(":")[0] for told in failures.told] == ["the processor"]


def test_the_groups_of_no_iommu_mode_are_no_iommu(tree: Tree) -> None:
    """vfio_noiommu_group_alloc, drivers/vfio/group.c."""
    tree.device(PF, "vfio-pci", group="0")
    tree.write("/sys/kernel/iommu_groups/0/name", "vfio-noiommu\n")
    tree.write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")

    found = look(tree)

    assert (found.groups, found.has_iommu, found.noiommu) == (0, False, True)


def test_locks_and_modules(tree: Tree) -> None:
    tree.write("/proc/sys/kernel/osrelease", "6.12.95\n")
    tree.write(
        "/lib/modules/6.12.95/modules.dep",
        "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n",
    )
    tree.mkdir("/sys/bus/pci/drivers/uio_pci_generic")
    tree.write("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    tree.write("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", b"\x06\0\0\0\x01")
    tree.write("/etc/modprobe.d/sriov.conf", "options igb max_vfs=7\n")

    found = look(tree)

    assert found.modules == {"vfio-pci": "loadable", "uio_pci_generic": "loaded", "igb_uio": "missing"}
    assert (found.lockdown, found.secure_boot, found.release) == ("integrity", True, "6.12.95")
    assert [(one.source, one.name, one.value) for one in found.options] == [
        ("/etc/modprobe.d/sriov.conf", "max_vfs", "7")
    ]


@pytest.mark.parametrize(
    ("text", "takes_all"),
    [
        (None, False),
        ("unix {\n  nodaemon\n}\ndpdk {\n  # dev 0000:02:00.0\n}\n", True),
        ("dpdk {\n  dev default {\n    num-rx-desc 512\n  }\n}\n", True),
        ("dpdk { dev 0000:01:10.0 { name v0 } }", False),
        ("dpdk {\n\tdev 0000:01:10.0\n}", False),
        ("dpdk { no-pci }", False),
        ("plugins { plugin dpdk_plugin.so { disable } }", False),
        ("plugins { plugin default { disable } plugin dpdk_plugin.so { enable } }", True),
    ],
)
def test_vpp_takes_all_unless_its_configuration_names_devices(
    tree: Tree, text: str | None, takes_all: bool
) -> None:
    """src/vpp/conf/startup.conf of VPP."""
    if text is not None:
        tree.write("/etc/vpp/startup.conf", text)

    assert look(tree).vpp_conf == ("/etc/vpp/startup.conf" if takes_all else "")
