"""What sysfs says of a PF, and where its card sits."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.fakes import FakePf
from tests.world import World


def numvfs(world: World) -> list[int]:
    return [len(pf.vfs) for pf in world.kernel.pfs]


def device(world: World, pci_address: str) -> Path:
    return world.root / "kernel/sys/bus/pci/devices" / pci_address


def below_bridge(world: World, pf: FakePf, offset: int, last_bus: int) -> None:
    """As sysfs has it: the PF's directory inside that of the bridge, which says where its buses end."""
    bridge = world.root / "kernel/sys/devices/pci0000:00/0000:00:06.0"
    bridge.mkdir(parents=True)
    (device(world, bridge.name)).symlink_to("../../../devices/pci0000:00/0000:00:06.0")
    (bridge / "subordinate_bus_number").write_text(f"{last_bus}\n")
    link = device(world, pf.pci_address)
    shutil.move(link, bridge / pf.pci_address)
    link.symlink_to(os.path.relpath(bridge / pf.pci_address, link.parent))
    (link / "sriov_offset").write_text(f"{offset}\n")
    (link / "sriov_stride").write_text("2\n")
