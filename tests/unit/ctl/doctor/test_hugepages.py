"""Huge pages as sysfs and /proc/mounts have them."""

from __future__ import annotations

from cni_sriov.ctl.doctor import hugepages, processes
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree


def test_of_each_node_and_size(tree: Tree) -> None:
    tree.hugepages(10, 2048, 4, 3)
    tree.hugepages(2, 1048576, 1, 0)
    tree.hugepages(2, 2048, 0, 0)
    tree.hugepages(None, 2048, 4, 3)  # the sum, which would count them twice
    tree.mkdir("/sys/devices/system/node/possible")

    found = [(one.node, one.size, one.total, one.free) for one in hugepages.pages(tree.files)]

    assert found == [(2, 2048, 0, 0), (2, 1048576, 1, 0), (10, 2048, 4, 3)]
    assert hugepages.pages(tree.files)[0].where == "/sys/devices/system/node/node2/hugepages/hugepages-2048kB"


def test_of_a_kernel_without_nodes(tree: Tree) -> None:
    tree.hugepages(None, 2048, 4, 3)

    (one,) = hugepages.pages(tree.files)

    assert (one.node, one.where) == (-1, "/sys/kernel/mm/hugepages/hugepages-2048kB")


def test_mounts_with_blanks_in_their_names(tree: Tree) -> None:
    tree.write(
        "/proc/mounts",
        "none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n/dev/sda1 / ext4 rw 0 0\n"
        "hugetlbfs /mnt/my\\040pages hugetlbfs rw 0 0\nshort\n",
    )

    assert hugepages.mounts(tree.files) == ["/dev/hugepages", "/mnt/my pages"]


def test_files_and_who_has_them_mapped(tree: Tree) -> None:
    tree.write("/dev/hugepages/rtemap_0")
    tree.write("/dev/hugepages/rtemap_1")
    tree.write("/dev/hugepages/rtemap_10")
    tree.process(9, "vpp_main", {}, ["/dev/hugepages/rtemap_1"])
    tree.process(10, "testpmd", {}, ["/in/its/container/rtemap_10"])
    running = processes.scan(tree.files, Failures(), ["/dev/hugepages"])

    found = hugepages.kept(tree.files, ["/dev/hugepages"], running)

    assert [(one.path, one.users) for one in found] == [
        ("/dev/hugepages/rtemap_0", []),
        ("/dev/hugepages/rtemap_1", ["vpp_main (pid 9)"]),
        ("/dev/hugepages/rtemap_10", ["testpmd (pid 10)"]),
    ]
