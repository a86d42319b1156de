"""Why the kernel refused a number of VFs, in a sentence with a remedy."""

from __future__ import annotations

from errno import ENOMEM

import pytest

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
