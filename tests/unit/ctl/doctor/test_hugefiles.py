"""Which files keep huge pages, and where they may be."""

from __future__ import annotations

from cni_sriov.ctl.doctor import hugefiles, processes
from cni_sriov.words.failures import Failures
from tests.unit.ctl.doctor.tree import Tree


def test_mounts_with_blanks_in_their_names(tree: Tree) -> None:
    tree.write(
        "/proc/mounts",
        "none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n/dev/sda1 / ext4 rw 0 0\n"
        "hugetlbfs /mnt/my\\040pages hugetlbfs rw 0 0\nshort\n",
    )

    assert hugefiles.mounts(tree.files) == ["/dev/hugepages", "/mnt/my pages"]


def test_files_and_who_has_them_mapped(tree: Tree) -> None:
    tree.write("/dev/hugepages/rtemap_0")
    tree.write("/dev/hugepages/rtemap_1")
    tree.write("/dev/hugepages/rtemap_10")
    tree.process(9, "vpp_main", {}, ["/dev/hugepages/rtemap_1"])
    tree.process(10, "testpmd", {}, ["/in/its/container/rtemap_10"])
    running = processes.scan(tree.files, Failures(), ["/dev/hugepages"])

    found = hugefiles.kept(tree.files, ["/dev/hugepages"], running)

    assert [(one.path, one.users) for one in found] == [
        ("/dev/hugepages/rtemap_0", []),
        ("/dev/hugepages/rtemap_1", ["vpp_main (pid 9)"]),
        ("/dev/hugepages/rtemap_10", ["testpmd (pid 10)"]),
    ]
