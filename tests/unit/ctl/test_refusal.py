"""Why the kernel refused a number of VFs, in a sentence with a remedy."""

from __future__ import annotations

import errno
from errno import ENOMEM

import pytest

from cni_sriov.ctl import refusal
from cni_sriov.words.domain import PF
from cni_sriov.words.errors import KernelRefused
from tests.unit.ctl.ports import below_bridge, device, numvfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def test_more_than_totalvfs(empty: World) -> None:
    run = sriovctl(empty, "vfs", "enp1s0f0", "8")

    assert (run.status, numvfs(empty)) == (1, [0, 0])
    assert "give enp1s0f0 8 VFs: it can have at most 7\n  sriovctl vfs enp1s0f0 7" in run.err


@pytest.mark.parametrize(("driver", "words"), [
    ("vfio-pci", "its driver vfio-pci hands the PF to user space and cannot make VFs"),
    ("uio_pci_generic", "its driver uio_pci_generic hands the PF"),
    ("", "no driver is bound to the PF"),
])  # fmt: skip
def test_a_pf_whose_driver_makes_no_vfs(empty: World, driver: str, words: str) -> None:
    pf = empty.kernel.pfs[0]
    pf.driver = driver
    (device(empty, pf.pci_address) / "driver").unlink()
    if driver:
        (device(empty, pf.pci_address) / "driver").symlink_to(f"../../drivers/{driver}")

    run = sriovctl(empty, "vfs", "0000:01:00.0", "2")

    assert run.status == 1
    assert words in run.err
    assert "drivers_probe" in run.err
    assert ("driver/unbind" in run.err) == bool(driver)


def test_bus_out_of_range_is_explained(empty: World) -> None:
    pf = empty.kernel.pfs[0]
    pf.numvfs_errno = ENOMEM
    below_bridge(empty, pf, 384, 1)

    run = sriovctl(empty, "vfs", "enp1s0f0", "7")

    assert run.status == 1
    assert (
        "give enp1s0f0 7 VFs: the VFs need bus 02 but the bridge above (0000:00:06.0) ends at bus 01"
        " (VF offset 384, stride 2)"
    ) in run.err
    assert all(word in run.err for word in ("another slot", "BIOS", "pci=realloc", "no sign of success"))


@pytest.mark.parametrize(
    ("number", "code", "why", "remedy"),
    [
        (errno.ENOMEM, 101, "no room in the memory windows", "BIOS"),
        (errno.ENOENT, 101, "driver igb cannot make VFs", "drivers_probe"),
        (errno.ERANGE, 7, "the card has 7 at most", "sriovctl vfs enp1s0f0 7"),
        (errno.EBUSY, 101, "meanwhile", "again"),
        (errno.EINVAL, 101, "driver igb refuses that number", "dmesg"),
        (errno.EROFS, 101, "/sys is not writable here", "on the host"),
        (errno.EIO, 101, "Input/output error", "dmesg"),
    ],
)
def test_each_number_of_the_kernel_has_its_sentence_and_remedy(
    empty: World, number: int, code: int, why: str, remedy: str
) -> None:
    pf = PF("0000:01:00.0", "enp1s0f0", 2, "igb", 0, 7)

    told = refusal.explain(empty.kernel.sysfs, pf, 9, KernelRefused("write 9", number))

    assert (told.code, told.msg.startswith("give enp1s0f0 9 VFs: ")) == (code, True)
    assert (why in told.msg, remedy in told.details) == (True, True), str(told)
