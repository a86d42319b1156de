"""Which VF of a crypto accelerator goes with a VF for user space: pure."""

from __future__ import annotations

from ..words.device import Device
from ..words.pci import is_userspace

INTEL = 0x8086
# VFs that DPDK's QAT PMD drives: pci_id_qat_map in drivers/common/qat/qat_device.c of DPDK 24.11
QAT_VFS = frozenset(
    {0x0443, 0x37C9, 0x19E3, 0x6F55, 0x18EF, 0x18A1, 0x578B, 0x4941, 0x4943, 0x4945, 0x4947, 0x1454, 0x0DA5}
)


def choose(found: list[Device], used: dict[str, str], node: int) -> str:
    """The address of the one to take, "" if none is free: of that NUMA node first, then by address. `used`: who has it, by
    address.
    """
    free = [one for one in found if not why_not(one, used)]
    return min(free, key=lambda one: (one.numa_node != node, one.address)).address if free else ""


def why_not(one: Device, used: dict[str, str]) -> str:
    """What keeps it from a container, "" if nothing. One on its kernel driver serves the kernel: whoever wants it for
    containers binds it ahead, since only then a container can be given its node.
    """
    if one.address in used:
        return used[one.address]
    return "" if is_userspace(one.driver) else f"it is on {one.driver or 'no driver'}"
