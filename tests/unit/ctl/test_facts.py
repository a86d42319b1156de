"""What sysfs and /proc tell of a device beyond the plugin's own needs."""

from __future__ import annotations

from tests.unit.ctl.ports import device, numvfs
from tests.unit.ctl.tool import sriovctl
from tests.world import World


def test_a_vf_on_vfio_is_in_use_only_while_it_is_open(world: World) -> None:
    world.kernel.set_driver(world.kernel.pfs[0].vfs[5], "vfio-pci")
    (device(world, "0000:01:11.2") / "iommu_group").symlink_to("../../kernel/iommu_groups/17")
    process = world.root / "proc/4242"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("dpdk-testpmd\n")
    (process / "fd/9").symlink_to("/dev/vfio/17")

    opened = sriovctl(world, "vfs", "enp1s0f0", "3")
    (process / "fd/9").unlink()
    closed = sriovctl(world, "vfs", "enp1s0f0", "3")

    assert (opened.status, closed.status, numvfs(world)) == (1, 0, [3])
    assert "vf 5 (0000:01:11.2): open in dpdk-testpmd (pid 4242)" in opened.err
