"""Kernel modules and the drivers in them: how they are called, which are for user space, what they are told."""

from __future__ import annotations

from dataclasses import dataclass

VFIO = "vfio-pci"
UIO = ("uio_pci_generic", "igb_uio")
LOADED, LOADABLE, MISSING = "loaded", "loadable", "missing"


def plain(name: str) -> str:
    """modprobe takes - and _ for the same."""
    return name.replace("-", "_")


@dataclass(slots=True)
class ModuleOption:
    """One parameter of a module, as `source` (a file of modprobe.d, or the kernel's command line) sets it; `line` is what
    stands there. `name` is "blacklist" where the module shall not be loaded by itself.
    """

    source: str
    line: str
    module: str
    name: str
    value: str = ""
