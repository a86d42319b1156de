"""What a VF needs for a program in user space, and such a program, on the fake's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import FakeVf
    from tests.world import World

VF = "0000:01:10.0"


def furnish(world: World) -> World:
    """An IOMMU, and the modules loaded."""
    world.kernel.tree.add_iommu()
    for name in ("vfio-pci", "uio_pci_generic"):
        world.kernel.tree.add_driver(name)
    return world


def ahead(world: World, vf: FakeVf) -> None:
    """The operator, or a device plugin, has bound it."""
    world.kernel.set_driver(vf, "vfio-pci")
    world.kernel.tree.device(vf.pci_address).joinpath("driver_override").write_text("vfio-pci\n")


def driver(world: World, address: str = VF) -> str:
    """As sysfs says."""
    link = world.kernel.tree.device(address) / "driver"
    return link.readlink().name if link.is_symlink() else ""


def hold(world: World, address: str = VF, pid: int = 77, name: str = "dpdk-testpmd") -> Path:
    """A process that has its node open; the answer is that descriptor."""
    group = (world.kernel.tree.device(address) / "iommu_group").readlink().name
    process = world.kernel.root / f"proc/{pid}"
    (process / "fd").mkdir(parents=True, exist_ok=True)
    (process / "comm").write_text(f"{name}\n")
    descriptor = process / "fd/9"
    descriptor.symlink_to(f"/dev/vfio/{group}")
    return descriptor


def conf(world: World, **keys: Any) -> dict[str, Any]:
    return world.conf(driver="vfio-pci", ipam=world.ipam(routes=[{"dst": "10.99.0.0/16"}])) | keys
