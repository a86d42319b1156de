"""A PCI device to another driver, by driver_override (Documentation/ABI/testing/sysfs-bus-pci): the steps, each read back.

`new_id` and `bind` are not used: they change what other devices get, and bind what the tables do not know not at all.
"""

from __future__ import annotations

from ..words.errors import KernelRefused
from ..words.gone import is_gone
from .sysfs import Sysfs


def leave(sysfs: Sysfs, address: str, override: str | None) -> None:
    """The driver that has it lets go. The override first, if one is meant: who probes in between (udev, another tool) gets
    no other one.

    A write to driver/unbind waits for whoever has the device open by vfio (vfio_unregister_group_dev), without a limit.
    """
    if override is not None:
        sysfs.set_override(address, override)
    if not sysfs.driver(address):
        return
    try:
        sysfs.unbind(address)
    except KernelRefused as refused:
        if not (is_gone(refused) and sysfs.exists(address) and not sysfs.driver(address)):
            raise  # else somebody else was quicker


def enter(sysfs: Sysfs, address: str, driver: str, override: str) -> str:
    """The driver that it has then, "" = none took it: the write succeeds all the same. `override` is what stays."""
    sysfs.set_override(address, driver)
    if not sysfs.driver(address):
        sysfs.probe(address)
    if override != driver:
        sysfs.set_override(address, override)
    return sysfs.driver(address)
