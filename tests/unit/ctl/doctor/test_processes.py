"""Who has devices and huge pages, by a /proc of files."""

from __future__ import annotations

import pytest

from cni_sriov.ctl.doctor import processes
from cni_sriov.kernel import devices
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import PF, VF, Tree

HUGE = ["/dev/hugepages"]


def found(tree: Tree) -> list[processes.Process]:
    failures = Failures()
    seen = processes.scan(tree.files, failures, HUGE)
    assert failures.told == []
    return seen


def holders(tree: Tree, address: str) -> list[str]:
    held = processes.holders(tree.files, found(tree), devices.device(tree.files, address))
    return [f"{holder.kind}|{holder}" for holder in held]


def test_vpp_by_the_vfio_group_that_it_has_open(tree: Tree) -> None:
    tree.device(PF, "vfio-pci", group="12")
    tree.device(VF, "vfio-pci", group="13")
    tree.process(412, "vpp_main", {0: "/dev/null", 9: "/dev/vfio/12", 10: "/dev/vfio/vfio"})
    tree.process(5, "sh", {0: "/dev/null"})

    assert holders(tree, PF) == ["VPP|vpp_main (pid 412)"]
    assert holders(tree, VF) == []
    (vpp,) = processes.holders(tree.files, found(tree), devices.device(tree.files, PF))
    assert vpp.by == [("/proc/412/fd/9", "/dev/vfio/12")]


def test_dpdk_by_what_it_has_mapped(tree: Tree) -> None:
    """uio: DPDK maps the device's resource files, and keeps /dev/uioN open."""
    tree.device(PF, "uio_pci_generic")
    tree.mkdir(f"/sys/bus/pci/devices/{PF}/uio/uio3")
    bar = f"/sys/devices/pci0000:00/0000:00:06.0/{PF}/resource0"
    tree.process(77, "dpdk-testpmd", {3: "/dev/uio3"}, [bar, "/usr/lib/librte_eal.so.23.0"])
    tree.process(78, "static", {}, [bar, "/run/dpdk/rte/fbarray_memzone"])
    tree.process(79, "else", {3: "/dev/uio30"}, [bar.replace("00.0/", "00.1/")])

    assert holders(tree, PF) == ["DPDK|dpdk-testpmd (pid 77)", "DPDK|static (pid 78)"]


def test_qemu_by_the_device_node_of_iommufd_and_no_iommu_groups(tree: Tree) -> None:
    tree.device(PF, "vfio-pci", group="0")
    tree.mkdir(f"/sys/bus/pci/devices/{PF}/vfio-dev/vfio7")
    tree.process(8, "qemu-system-x86", {30: "/dev/vfio/devices/vfio7"})
    tree.process(9, "testpmd", {30: "/dev/vfio/noiommu-0"}, ["/dev/hugepages/rtemap_0"])

    assert holders(tree, PF) == ["|qemu-system-x86 (pid 8)", "DPDK|testpmd (pid 9)"]


def test_who_has_neither_device_nor_huge_page_is_not_told(tree: Tree) -> None:
    tree.process(1, "systemd", {3: "socket:[12]"}, ["/usr/lib/systemd/systemd"])
    tree.process(2, "vpp_main", {}, ["/dev/hugepages/vpp (deleted)"])
    tree.mkdir("/proc/3")  # it ends just now
    tree.mkdir("/proc/sys")

    assert [one.pid for one in found(tree)] == [2]


def test_one_process_that_cannot_be_looked_at_hides_no_other(tree: Tree) -> None:
    tree.process(2, "a", {3: "/dev/vfio/1"})
    tree.process(3, "b", {3: "/dev/vfio/1"})
    (tree.root / "proc/2/maps").unlink()
    (tree.root / "proc/2/maps").mkdir()  # EISDIR
    failures = Failures()

    seen = processes.scan(tree.files, failures, HUGE)

    assert ([one.pid for one in seen], len(failures.told)) == ([3], 1)
    assert failures.told[0].startswith("2: look at /proc/2/maps: ")


LIMITS = (
    "Limit                     Soft Limit           Hard Limit           Units     \n"
    "Max processes             7868                 7868                 processes \n"
    "Max locked memory         {}              unlimited            bytes     \n"
)


@pytest.mark.parametrize(
    ("limit", "capabilities", "memlock"),
    [
        ("8388608", "0000000000000000", 8388608),
        ("unlimited", "0000000000000000", None),
        ("8388608", "0000000000004000", None),  # CAP_IPC_LOCK
        ("8388608", "000001ffffffbfff", 8388608),  # all but that
    ],
)
def test_how_much_memory_it_may_lock(tree: Tree, limit: str, capabilities: str, memlock: int | None) -> None:
    tree.device(VF, "vfio-pci", group="13")
    tree.process(9, "vpp_main", {3: "/dev/vfio/13"})
    tree.write("/proc/9/limits", LIMITS.format(limit))
    tree.write("/proc/9/status", f"Name:\tvpp_main\nCapPrm:\t000001ffffffffff\nCapEff:\t{capabilities}\n")

    (holder,) = processes.holders(tree.files, found(tree), devices.device(tree.files, VF))

    assert holder.memlock == memlock


def test_limits_that_are_not_there_are_not_known(tree: Tree) -> None:
    tree.process(9, "vpp_main", {3: "/dev/vfio/13"})

    assert found(tree)[0].memlock is None
